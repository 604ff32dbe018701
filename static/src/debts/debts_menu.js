import { Component, onWillDestroy, useState } from "@odoo/owl";
import { Dropdown } from "@web/core/dropdown/dropdown";
import { useDropdownState } from "@web/core/dropdown/dropdown_hooks";
import { deserializeDateTime, formatDateTime } from "@web/core/l10n/dates";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { user } from "@web/core/user";
import { useChildRef, useService } from "@web/core/utils/hooks";
import { session } from "@web/session";
import { usePlaceCall } from "@crm_telephony/call_control/place_call";
import { DIRECTION_ICONS } from "@crm_telephony/call_direction/call_direction_field";
import { dueDecoration, dueText } from "@crm_telephony/callback_due/callback_due_field";
import { DialField } from "@crm_telephony/dial_field/dial_field";
import { formAction } from "@crm_telephony/form_action";
import { formatMinutes } from "@crm_telephony/minutes/minutes_field";

const { DateTime } = luxon;

/**
 * The telephone in the systray: a field to call anybody, the callbacks that the user owes with the most urgent ones to click
 * on, and the user's last calls.
 */
export class DebtsMenu extends Component {
    static template = "crm_telephony.DebtsMenu";
    static components = { DialField, Dropdown };
    static props = {};

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.dropdown = useDropdownState();
        this.placing = usePlaceCall();
        this.menu = useChildRef();
        this.state = useState({ ...session.telephony.debts, debts: [], recent: false, tab: "callbacks", isSearching: false, now: DateTime.now() });
        const telephony = useService("telephony");
        this.preferences = useState(telephony.state.preferences);
        onWillDestroy(telephony.onDebts(() => this.load()));
    }

    get title() {
        const { open, late } = this.state;
        if (!open) {
            return _t("Nobody waits for your call");
        }
        return late
            ? _t("%(open)s callbacks, %(late)s of them late", { open, late })
            : _t("%(open)s callbacks", { open });
    }

    get toggleTitle() {
        return this.preferences.dnd ? _t("Do not disturb. %s", this.title) : this.title;
    }

    /** All tabs hear of it over the bus, this one too. */
    switchDnd() {
        return this.orm.write("res.users", [user.userId], { telephony_dnd: !this.preferences.dnd });
    }

    async load() {
        const answer = await this.orm.silent.call("telephony.callback", "get_my_debts", []);
        for (const debt of answer.debts) {
            debt.due_at = deserializeDateTime(debt.due_at);
        }
        Object.assign(this.state, answer, { now: DateTime.now() });
    }

    async beforeOpen() {
        this.state.isSearching = false;
        await Promise.all([this.load(), this.state.tab === "recent" && this.loadRecent()]);
    }

    /** It holds a field, a list and a switch, which no menu may have. */
    onOpened() {
        this.menu.el.setAttribute("role", "dialog");
        this.menu.el.setAttribute("aria-label", _t("Telephone"));
    }

    async loadRecent() {
        const calls = await this.orm.silent.call("telephony.dial", "recent_calls", []);
        for (const call of calls) {
            call.start_at = deserializeDateTime(call.start_at);
        }
        this.state.recent = calls;
    }

    show(tab) {
        this.state.tab = tab;
        if (tab === "recent") {
            this.loadRecent();
        }
    }

    /** Arrows go from tab to tab, as in every list of tabs. */
    onTabKeydown(ev) {
        if (["ArrowLeft", "ArrowRight"].includes(ev.key)) {
            this.show(this.state.tab === "recent" ? "callbacks" : "recent");
            const other = ev.target.closest("[role=tablist]").querySelector("[role=tab]:not([tabindex='0'])");
            other.focus();
        }
    }

    directionLabel(call) {
        if (call.is_lost) {
            return _t("Lost call");
        }
        return call.direction === "inbound" ? _t("Inbound call") : _t("Outbound call");
    }

    directionIcon(call) {
        return DIRECTION_ICONS[call.direction];
    }

    callAgain(call) {
        this.dropdown.close();
        return this.placing.placeTo(call.number, "telephony.call", call.id);
    }

    callTo(number, resModel, resId) {
        this.dropdown.close();
        return this.placing.placeTo(number, resModel, resId);
    }

    openCall(call) {
        this.dropdown.close();
        this.action.doAction(formAction("telephony.call", call.id));
    }

    due(debt) {
        return debt.late_minutes
            ? _t("late by %s", formatMinutes(debt.late_minutes))
            : dueText(debt.due_at, this.state.now);
    }

    about(debt) {
        return debt.deal || (debt.name === debt.display ? _t("Unknown caller") : debt.display);
    }

    dueClass(debt) {
        return dueDecoration(debt.due_at, this.state.now);
    }

    exact(moment) {
        return formatDateTime(moment);
    }

    callLabel(call) {
        return _t("Call %s", call.name || call.display);
    }

    async call(debt) {
        this.dropdown.close();
        await this.action.doActionButton({
            type: "object",
            name: "action_call",
            resModel: "telephony.callback",
            resId: debt.id,
            resIds: [debt.id],
        });
    }

    open(debt) {
        this.dropdown.close();
        this.action.doAction("crm_telephony.telephony_callback_action", {
            viewType: "form",
            props: { resId: debt.id },
        });
    }

    openAll() {
        this.dropdown.close();
        this.action.doAction("crm_telephony.telephony_callback_action", {
            additionalContext: { search_default_mine: 1, search_default_open: 1, search_default_current: 0 },
            clearBreadcrumbs: true,
        });
    }
}

if (session.telephony) {
    registry
        .category("systray")
        .add("crm_telephony.debts_menu", { Component: DebtsMenu }, { sequence: 22 });
}
