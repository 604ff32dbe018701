import { Component, useRef, useState } from "@odoo/owl";
import { localization } from "@web/core/l10n/localization";
import { _t } from "@web/core/l10n/translation";
import { formatPercentage } from "@web/views/fields/formatters";
import { formatShare } from "@crm_telephony/figures/figure_words";

const { Info } = luxon;

const DOTS = "░▒▓█";
/** Where an arrow key leads: rows, columns. */
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** Returns how dark a cell is: 0 without calls, 1 to 4 by the steps that its share has reached, the last of which it must exceed. */
export function darkness({ n, d }, steps) {
    const share = n / d;
    return d ? [0, ...steps].filter((step, place) => (place === steps.length ? share > step : share >= step)).length : 0;
}

/** A share of the calls of each hour of the week. It is one stop for the Tab key; arrows lead to the cells. */
export class HeatMap extends Component {
    static template = "crm_telephony.HeatMap";
    static props = {
        title: String,
        /** [{weekday, hour, and two counts}] of the hours that have calls; weekday 0 is Monday */
        hours: Array,
        /** which of an hour's counts is divided by which */
        part: String,
        whole: String,
        /** three shares, from each of which on a cell has the next darker colour and the next fuller dots */
        steps: Array,
        /** returns a cell in words: called with {day, hour, n, d} */
        tell: Function,
        /** called with a cell that has calls */
        open: Function,
        /** what stands between title and table */
        slots: { type: Object, optional: true },
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
        const { part, whole, steps, tell } = this.props;
        const known = new Map(this.props.hours.map((cell) => [`${cell.weekday} ${cell.hour}`, cell]));
        const [names, shortNames] = [Info.weekdays("long"), Info.weekdays("short")];
        return Array.from({ length: 7 }, (_, place) => (place + localization.weekStart - 1) % 7).map((weekday) => ({
            weekday,
            name: shortNames[weekday],
            cells: this.columns.map((hour) => {
                const cell = known.get(`${weekday} ${hour}`) || { weekday, hour };
                const share = { n: cell[part] || 0, d: cell[whole] || 0 };
                const level = darkness(share, steps);
                return {
                    cell,
                    hour,
                    ...share,
                    level,
                    text: formatShare(share, 0),
                    dots: level ? DOTS[level - 1] : "",
                    label: tell({ day: names[weekday], hour: `${hour}:00`, ...share }),
                };
            }),
        }));
    }

    get key() {
        const [first, second, third] = this.props.steps.map((step) => formatPercentage(step, { digits: [false, 0] }));
        return _t("░ under %(first)s · ▒ %(first)s to %(second)s · ▓ %(second)s to %(third)s · █ over %(third)s. Fewer than 20 calls are told as a fraction.", {
            first,
            second,
            third,
        });
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
