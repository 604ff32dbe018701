import { Component } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { formatInteger } from "@web/views/fields/formatters";
import { formatClock } from "@crm_telephony/clock/clock_field";
import { pivotOf } from "@crm_telephony/figures/counted_list";
import { countCell, FigureTable, plainCell } from "@crm_telephony/figures/figure_table";
import { formatShare } from "@crm_telephony/figures/figure_words";

/** What tabs of the figures are given. */
export const TAB_PROPS = {
    /** what `telephony.report.get_tab` tells */
    figures: Object,
    /** see figures.js */
    scope: Object,
    /** called with the calls to show */
    open: Function,
    /** called with {weekday, hour}, the name of a count of the server's, and the list without its domain */
    openHour: Function,
    /** called with what has changed in the scope */
    change: Function,
};

/** Whose phones rang, who picked up, and who called. By name: who wants a ranking clicks on a head. */
export class PeopleTab extends Component {
    static template = "crm_telephony.PeopleTab";
    static components = { FigureTable };
    static props = TAB_PROPS;

    get columns() {
        return [
            { name: "rang", label: _t("Rang"), help: _t("Offered calls in which their phone rang.") },
            { name: "picked_up", label: _t("Picked up"), help: _t("Of these, calls that they answered.") },
            { name: "share", label: _t("Picked up, share"), help: _t("Picked up of rang. In a group only one of several phones can answer.") },
            {
                name: "lost_beside_free",
                label: _t("Lost beside a free phone"),
                help: _t("Lost calls in which their phone rang while they neither talked nor dialled."),
            },
            { name: "ring_seconds", label: _t("Time to pick up"), help: _t("Mean time from the first ring of their phone to their answer.") },
            { name: "talk", label: _t("Talk"), help: _t("Time that they talked in calls of both directions. A transferred call counts for each by their part.") },
            { name: "contacts", label: _t("Contacts"), help: _t("Talks that were not short.") },
            { name: "short", label: _t("Short talks"), help: _t("Talks under the threshold for a contact.") },
            { name: "attempts", label: _t("Calls out"), help: _t("Calls that they placed, those logged by hand included.") },
            { name: "attempts_answered", label: _t("Of these answered"), help: _t("Calls out in which somebody answered.") },
            { name: "acw", label: _t("Work after a call"), help: _t("Mean time until the result was saved, of so many calls.") },
        ];
    }

    /** Phones and calls are two tables: a call that rang on five phones is one call. */
    get pivots() {
        const { phones, calls, period } = this.props.figures;
        const phoneMeasures = ["rang_count", "picked_up_count", "picked_up_rate", "lost_beside_free_count", "ring_seconds", "talk_seconds"];
        const callMeasures = ["contact_count", "short_rate", "outbound_count", "outbound_answered_count", "talk_seconds"];
        return {
            phones: pivotOf(_t("Phones"), phones, phoneMeasures, "user_id", { model: "telephony.call.leg", span: period }),
            calls: pivotOf(_t("Calls"), calls, callMeasures, "user_id"),
        };
    }

    get rows() {
        return this.props.figures.people.map((person) => ({
            key: person.user_id,
            name: person.name,
            isMuted: !person.active,
            cells: this.cellsOf(person),
        }));
    }

    cellsOf(person) {
        const { rang, picked_up, ring_seconds, talk_inbound, talk_outbound, acw_seconds, acw_count } = person;
        const labels = Object.fromEntries(this.columns.map(({ name, label }) => [name, label]));
        const count = (name, more = person[name]) => countCell(`${person.name}: ${labels[name]}`, more);
        const acw = plainCell(acw_count.value ? acw_seconds / acw_count.value : null, formatClock);
        return {
            ...Object.fromEntries(
                ["rang", "picked_up", "lost_beside_free", "contacts", "short", "attempts", "attempts_answered"].map((name) => [name, count(name)])
            ),
            share: {
                text: formatShare({ n: picked_up.value, d: rang.value }, 0),
                value: rang.value ? picked_up.value / rang.value : null,
            },
            ring_seconds: plainCell(ring_seconds, formatClock),
            talk: plainCell(talk_inbound + talk_outbound, formatClock),
            acw: {
                ...count("acw", acw_count),
                ...acw,
                text: acw.value === null ? acw.text : _t("%(time)s of %(calls)s", { time: acw.text, calls: formatInteger(acw_count.value) }),
            },
        };
    }
}
