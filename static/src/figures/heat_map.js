import { Component, useRef, useState } from "@odoo/owl";
import { localization } from "@web/core/l10n/localization";
import { _t } from "@web/core/l10n/translation";
import { formatShare } from "@crm_telephony/figures/figure_words";

const { Info } = luxon;

/** From which share on a cell has the next darker colour and the next fuller dots. */
const STEPS = [0, 0.05, 0.15, 0.3];
const DOTS = "░▒▓█";
/** Where an arrow key leads: rows, columns. */
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** Returns how dark a cell is: 0 without calls, 1 to 4 by the share that was lost. */
export function darkness({ lost, offered }) {
    const share = lost / offered;
    return offered ? STEPS.filter((step, place) => (place === 3 ? share > step : share >= step)).length : 0;
}

/** The share of calls that was lost at each hour of the week. It is one stop for the Tab key; arrows lead to the cells. */
export class HeatMap extends Component {
    static template = "crm_telephony.HeatMap";
    static props = {
        /** [{weekday, hour, offered, lost}] of the hours that have calls; weekday 0 is Monday */
        hours: Array,
        /** called with a cell that has calls */
        open: Function,
    };

    setup() {
        this.table = useRef("table");
        this.state = useState({ row: 0, column: 0 });
    }

    /** The cell at which the Tab key arrives, as [row, column]; other figures may have fewer columns. */
    get stop() {
        return [this.state.row, Math.min(this.state.column, this.columns.length - 1)];
    }

    get columns() {
        const hours = this.props.hours.map(({ hour }) => hour);
        const [first, last] = [Math.min(...hours), Math.max(...hours)];
        return hours.length ? Array.from({ length: last - first + 1 }, (_, place) => first + place) : [];
    }

    get rows() {
        const known = new Map(this.props.hours.map((cell) => [`${cell.weekday} ${cell.hour}`, cell]));
        const [names, shortNames] = [Info.weekdays("long"), Info.weekdays("short")];
        return Array.from({ length: 7 }, (_, place) => (place + localization.weekStart - 1) % 7).map((weekday) => ({
            weekday,
            name: shortNames[weekday],
            cells: this.columns.map((hour) => {
                const cell = known.get(`${weekday} ${hour}`) || { weekday, hour, offered: 0, lost: 0 };
                const level = darkness(cell);
                return {
                    ...cell,
                    level,
                    text: formatShare({ n: cell.lost, d: cell.offered }, 0),
                    dots: level ? DOTS[level - 1] : "",
                    label: _t("%(day)s %(hour)s: %(lost)s of %(offered)s calls lost", {
                        day: names[weekday],
                        hour: `${hour}:00`,
                        lost: cell.lost,
                        offered: cell.offered,
                    }),
                };
            }),
        }));
    }

    onKeydown(ev) {
        const [row, column] = this.stop;
        const [down, right] = ARROWS[ev.key] || [0, 0];
        const to =
            ev.key === "Home" ? [row, 0] : ev.key === "End" ? [row, this.columns.length - 1] : [row + down, column + right];
        const cell = (to[0] !== row || to[1] !== column) && this.table.el.querySelector(`[data-cell="${to.join("-")}"]`);
        if (cell) {
            ev.preventDefault();
            this.focus(...to);
            cell.focus();
        }
    }

    focus(row, column) {
        Object.assign(this.state, { row, column });
    }
}
