import { Component } from "@odoo/owl";
import { formatCurrency } from "@web/core/currency";
import { _t } from "@web/core/l10n/translation";
import { useService } from "@web/core/utils/hooks";
import { pivotOf } from "@crm_telephony/figures/counted_list";
import { countCell, FigureTable, plainCell } from "@crm_telephony/figures/figure_table";
import { formatShare } from "@crm_telephony/figures/figure_words";
import { TAB_PROPS } from "@crm_telephony/figures/people_tab";

/** What the advertising brought, from first calls to won deals. */
export class SourcesTab extends Component {
    static template = "crm_telephony.SourcesTab";
    static components = { FigureTable };
    static props = TAB_PROPS;

    setup() {
        this.action = useService("action");
    }

    get ways() {
        return [
            ["source", _t("Source")],
            ["campaign", _t("Campaign")],
            ["number", _t("Company number")],
        ];
    }

    get by() {
        return this.props.scope.by || "source";
    }

    get head() {
        return Object.fromEntries(this.ways)[this.by];
    }

    get columns() {
        return [
            { name: "offered", label: _t("Offered"), help: _t("Calls that reached a phone or a queue.") },
            { name: "lost", label: _t("Lost"), help: _t("Offered calls that were missed or abandoned.") },
            { name: "callers", label: _t("Callers"), help: _t("Numbers that called, each once.") },
            { name: "first_calls", label: _t("First calls"), help: _t("Calls of numbers that had never called before.") },
            { name: "contacts", label: _t("Contacts"), help: _t("Talks that were not short.") },
            { name: "won", label: _t("Won"), help: _t("First calls whose deal was won in time. A deal older than the call does not count.") },
            { name: "visits", label: _t("Visits"), help: _t("First calls after which a meeting took place, by the calendar: nobody knows who came.") },
            { name: "revenue", label: _t("Revenue"), help: _t("Expected revenue of the won deals.") },
            { name: "cost", label: _t("Cost"), help: _t("What was entered for the months of this period, by days.") },
            { name: "per_first", label: _t("Cost of a first call"), help: _t("Cost, divided by first calls.") },
            { name: "per_won", label: _t("Cost of a won deal"), help: _t("Cost, divided by won deals.") },
        ];
    }

    get rows() {
        const labels = Object.fromEntries(this.columns.map(({ name, label }) => [name, label]));
        const money = (amount) => formatCurrency(amount, this.props.figures.currency_id, { humanReadable: amount >= 1e6, ...(amount >= 100 && { digits: [16, 0] }) });
        return this.props.figures.sources.map((source) => {
            const { offered, lost, first_calls, won, cost } = source;
            const count = (name) => countCell(`${source.name}: ${labels[name]}`, source[name]);
            const per = (whole) => plainCell(typeof cost === "number" && whole ? cost / whole : null, money);
            return {
                key: source.id,
                name: source.name,
                isMuted: !source.id,
                cells: {
                    offered: count("offered"),
                    lost: {
                        ...count("lost"),
                        text: formatShare({ n: lost.value, d: offered.value }),
                        value: offered.value ? lost.value / offered.value : null,
                    },
                    callers: plainCell(source.callers),
                    first_calls: count("first_calls"),
                    contacts: count("contacts"),
                    won: plainCell(won),
                    visits: plainCell(source.visits),
                    revenue: plainCell(source.revenue || null, money),
                    cost: plainCell(cost, money),
                    per_first: per(first_calls.value),
                    per_won: per(won),
                },
            };
        });
    }

    get pivot() {
        const measures = ["offered_count", "lost_rate", "caller_count", "first_call_count", "contact_count"];
        return pivotOf(_t("Sources"), this.props.figures.calls, measures, `${this.by}_id`);
    }

    /** Says that some of the deals are still to come. */
    get openness() {
        const { won_days: days, open_days: open } = this.props.figures;
        return open
            ? _t("A deal counts if it is won within %(days)s days after the first call. For the latest calls %(open)s of these days are still to come.", { days, open })
            : _t("A deal counts if it is won within %s days after the first call.", days);
    }

    enterCosts() {
        return this.action.doAction("crm_telephony.telephony_source_cost_action");
    }
}
