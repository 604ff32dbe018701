import { Component, onWillStart, useState } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { KeepLast } from "@web/core/utils/concurrency";
import { useService } from "@web/core/utils/hooks";
import { formatFloat } from "@web/core/utils/numbers";
import { formatInteger } from "@web/views/fields/formatters";
import { useSetupAction } from "@web/search/action_hook";
import { ControlPanel } from "@web/search/control_panel/control_panel";
import { standardActionServiceProps } from "@web/webclient/actions/action_service";
import { formatClock } from "@crm_telephony/clock/clock_field";
import { claimList, openCounted } from "@crm_telephony/figures/counted_list";
import { FigureTile } from "@crm_telephony/figures/figure_tile";
import { complaint } from "@crm_telephony/figures/figures";
import { formatHour, formatSpan, labelled, NOTHING, ofWhole } from "@crm_telephony/figures/figure_words";
import { tile } from "@crm_telephony/figures/tiles";
import { formatMinutes } from "@crm_telephony/minutes/minutes_field";

/**
 * Returns the tiles of the reader's own figures.
 *
 * @param {object} told what `telephony.report.get_mine` tells
 * @returns {object[]} as tiles.js makes them
 */
export function makeOwnTiles({ mine, callbacks, unproved, best_hours: hours, team }) {
    const calls = (name, { value, domain }) => ({ name, domain, count: value });
    const note = (list) => ({ text: labelled(list), open: list });
    const owed = (name, { value, domain }) => ({ name, domain, count: value, model: "telephony.callback", views: ["list", "kanban", "form"] });
    /** What tiles of a number have in common; the team's median stands under it. */
    const counted = (id, label, help, list, more = {}) =>
        tile({
            id,
            label,
            value: formatInteger(list.count),
            part: team && id in team ? _t("team median %s", formatFloat(team[id], { digits: [false, 1], trailingZeros: false })) : "",
            definitions: [{ label, help }],
            open: list,
            ...more,
        });
    const { opened, open, late, made_good: good, served_median: median } = callbacks;
    const [best, ...others] = hours.best.map((hour) => {
        const share = ofWhole({ n: hour.reached, d: hour.dialled });
        const open = calls(_t("Reached"), { value: hour.reached, domain: hour.domain });
        return { value: formatHour(hour), part: _t("reached in %s calls", share), text: `${formatHour(hour)}: ${share}`, open };
    });
    const goodList = owed(_t("Made Good"), good);
    return [
        counted("picked_up", _t("Picked Up"), _t("Calls that you answered of those in which your phone rang."), calls(_t("Picked Up"), mine.picked_up), {
            notes: [note(calls(_t("Rang"), mine.rang))],
        }),
        counted("contacts", _t("Contacts"), _t("Talks of both directions that were not short."), calls(_t("Contacts"), mine.contacts), {
            notes: [
                { text: _t("Talk: %s", formatClock(mine.talk_inbound + mine.talk_outbound)), open: calls(_t("Contacts"), mine.contacts) },
                note(calls(_t("Short talks"), mine.short)),
            ],
        }),
        counted("attempts", _t("Calls Out"), _t("Calls that you placed, those logged by hand included."), calls(_t("Calls Out"), mine.attempts), {
            notes: [note(calls(_t("Of these answered"), mine.attempts_answered))],
        }),
        counted("ring", _t("Time to Pick Up"), _t("Mean time from the first ring of your phone to your answer."), calls(_t("Picked Up"), mine.picked_up), {
            value: formatClock(mine.ring_seconds) || NOTHING,
        }),
        counted("callbacks", _t("My Callbacks"), _t("Callbacks of yours that are open at this moment, whatever the period."), owed(_t("My Callbacks"), open), {
            part: opened.value ? _t("made good %(good)s of %(opened)s", { good: formatInteger(good.value), opened: formatInteger(opened.value) }) : "",
            notes: [
                note(owed(_t("Late"), late)),
                ...(median === null ? [] : [{ text: _t("median %s until made good", formatMinutes(median)), open: goodList }]),
            ],
        }),
        counted(
            "lost_beside_free",
            _t("Rang While You Were Free"),
            _t("Lost calls in which your phone rang while you neither talked nor dialled."),
            calls(_t("Rang While You Were Free"), mine.lost_beside_free)
        ),
        counted(
            "unproved",
            _t("Done Without a Call Found"),
            _t("Call activities that you marked done although no call with the customer is in the log. If you called from another phone, log the call."),
            claimList(_t("Done Without a Call Found"), unproved),
            { part: unproved.value ? _t("Your supervisor sees these after 24 hours.") : "" }
        ),
        tile({
            id: "best_hours",
            label: _t("Best Hour to Call"),
            value: best?.value || NOTHING,
            part: best?.part || _t("An hour of the week needs %s calls out.", hours.least),
            notes: others,
            definitions: [
                {
                    label: _t("Best Hour to Call"),
                    help: _t("The hour of the week at which most of your calls out reached the customer, in the last %s weeks. Calls logged by hand do not count.", hours.weeks),
                },
            ],
            open: best?.open,
        }),
    ];
}

/** A salesperson's own figures, and the median of their team. */
export class MyFigures extends Component {
    static template = "crm_telephony.MyFigures";
    static components = { ControlPanel, FigureTile };
    static props = { ...standardActionServiceProps };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.controlPanelDisplay = {};
        this.lastAsked = new KeepLast();
        this.state = useState({ told: null, error: "", isLoading: false, period: this.props.state?.period || "this_week" });
        useSetupAction({ getLocalState: () => ({ period: this.state.period }) });
        onWillStart(() => {
            this.load(); // not awaited: the page shows where the figures will stand
        });
    }

    get periods() {
        return [
            ["this_week", _t("This week")],
            ["last_week", _t("Last week")],
            ["this_month", _t("This month")],
        ];
    }

    get tiles() {
        return makeOwnTiles(this.state.told);
    }

    get when() {
        return formatSpan(this.state.told.period);
    }

    get news() {
        const { told, isLoading, error } = this.state;
        return isLoading ? _t("The figures are being counted.") : told && !error ? _t("Figures of %s", this.when) : "";
    }

    async load() {
        this.state.isLoading = true;
        try {
            const told = await this.lastAsked.add(this.orm.silent.call("telephony.report", "get_mine", [this.state.period]));
            Object.assign(this.state, { told, error: "", isLoading: false });
        } catch (error) {
            Object.assign(this.state, { error: complaint(error), isLoading: false });
        }
    }

    choose(period) {
        this.state.period = period;
        this.load();
    }

    open(list) {
        return openCounted(this.action, this.state.told.period, list);
    }

    async logCall() {
        await this.action.doAction("crm_telephony.telephony_manual_call_action", { onClose: () => this.load() });
    }
}

registry.category("actions").add("crm_telephony.mine", MyFigures);
