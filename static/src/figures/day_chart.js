import { Component, onWillStart, useEffect, useRef, useState } from "@odoo/owl";
import { loadBundle } from "@web/core/assets";
import { _t } from "@web/core/l10n/translation";
import { user } from "@web/core/user";
import { formatInteger } from "@web/views/fields/formatters";
import { formatShare, formatSpan, labelled, listOf } from "@crm_telephony/figures/figure_words";

/** What is stacked in a day's bar, from the bottom. Their colours are variables of figures.scss. */
const BARS = ["answered", "lost", "voicemail", "busy", "failed"];
const SHORT = { day: "numeric", month: "short" };

/** The calls of each day, or of each week of a long period, as bars with a line of the share that was lost; or as a table. */
export class DayChart extends Component {
    static template = "crm_telephony.DayChart";
    static props = {
        /** what `telephony.report.get_board` tells */
        board: Object,
        /** how the number of offered calls has changed, see tiles.js */
        change: { optional: true },
        /** called with the calls to show */
        open: Function,
        /** called with a milestone, to show what came before and after it */
        compare: Function,
    };

    setup() {
        this.canvas = useRef("canvas");
        this.state = useState({ isTable: false });
        onWillStart(() => loadBundle("web.chartjs_lib"));
        useEffect(
            (canvas) => {
                if (canvas) {
                    const chart = this.draw(canvas);
                    return () => chart.destroy();
                }
            },
            () => [this.canvas.el, this.props.board]
        );
    }

    /** The parts of the bars; what never happened is left out. */
    get bars() {
        return BARS.filter((name) => name === "answered" || name === "lost" || this.props.board.counts[name].value);
    }

    get totals() {
        return ["offered", ...this.bars].map((name) => {
            const list = listOf(this.props.board, name);
            return { name, list, text: labelled(list) };
        });
    }

    get rows() {
        return this.props.board.days.map((day) => ({
            key: day.first,
            label: formatSpan(day, SHORT),
            cells: ["offered", ...this.bars].map((name) => ({ name, text: formatInteger(day.counts[name]), list: this.listOfDay(day, name) })),
            share: formatShare({ n: day.counts.lost, d: day.counts.offered }),
        }));
    }

    /** What has changed in the company, with the place of its day among the bars. */
    get milestones() {
        const { milestones, days } = this.props.board;
        return milestones.map(({ id, day, name }) => ({
            id,
            place: days.findIndex(({ first, last }) => first <= day && day <= last),
            text: `${formatSpan({ first: day, last: day }, SHORT)}: ${name}`,
        }));
    }

    listOfDay(day, name) {
        const { name: label, domain } = listOf(this.props.board, name);
        return { name: label, span: day, domain: [...day.domain, ...domain], count: day.counts[name] };
    }

    label(name) {
        return this.props.board.counts[name].label;
    }

    draw(canvas) {
        const { days } = this.props.board;
        const style = getComputedStyle(canvas);
        const color = (name) => style.getPropertyValue(`--figures-${name}`).trim();
        const grid = { color: color("line") };
        const ticks = { color: color("muted") };
        const drawMilestones = ({ ctx, chartArea, scales }) => {
            ctx.save();
            Object.assign(ctx, { strokeStyle: color("text"), lineWidth: 1 });
            ctx.setLineDash([3, 3]);
            for (const { place } of this.milestones) {
                const x = scales.x.getPixelForValue(place);
                ctx.beginPath();
                ctx.moveTo(x, chartArea.top);
                ctx.lineTo(x, chartArea.bottom);
                ctx.stroke();
            }
            ctx.restore();
        };
        return new Chart(canvas, {
            plugins: [{ id: "milestones", afterDatasetsDraw: drawMilestones }],
            data: {
                labels: days.map((day) => formatSpan(day, SHORT)),
                datasets: [
                    {
                        type: "line",
                        name: "lost",
                        label: _t("Lost share (%)"),
                        yAxisID: "share",
                        data: days.map(({ counts }) => (counts.offered ? Math.round((1000 * counts.lost) / counts.offered) / 10 : null)),
                        borderColor: color("text"),
                        backgroundColor: color("text"),
                        borderWidth: 1.5,
                        pointRadius: 2.5,
                        spanGaps: true,
                    },
                    ...this.bars.map((name) => ({
                        type: "bar",
                        name,
                        label: this.label(name),
                        data: days.map((day) => day.counts[name]),
                        backgroundColor: color(name),
                        stack: "calls",
                    })),
                ],
            },
            options: {
                animation: false,
                locale: user.lang,
                maintainAspectRatio: false,
                interaction: { mode: "index", intersect: false },
                plugins: { legend: { labels: { color: color("text") } } },
                scales: {
                    x: { stacked: true, grid: { display: false }, ticks },
                    y: { stacked: true, beginAtZero: true, grid, ticks: { ...ticks, precision: 0 } },
                    share: { position: "right", min: 0, suggestedMax: 20, grid: { display: false }, ticks: { ...ticks, callback: (value) => `${value}%` } },
                },
                onHover: (ev, elements) => (canvas.style.cursor = elements.length ? "pointer" : ""),
                onClick: (ev, _elements, chart) => {
                    const [hit] = chart.getElementsAtEventForMode(ev, "nearest", { intersect: true }, false);
                    if (hit) {
                        this.props.open(this.listOfDay(days[hit.index], chart.data.datasets[hit.datasetIndex].name));
                    }
                },
            },
        });
    }
}
