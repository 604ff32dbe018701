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
 * The telephone in the systray: a field to call anybody, the number of the user's callbacks with the most urgent ones to click on,
 * and the user's last calls.
 */
export class TelephonySystray extends Component {
    static template = "crm_telephony.TelephonySystray";
    static components = { DialField, Dropdown };
    static props = {};

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.dropdown = useDropdownState();
        this.placing = usePlaceCall();
        this.menu = useChildRef();
        const { open, late } = session.telephony.callbacks;
        this.state = useState({
            open, late, callbacks: [], recent: false, tab: "callbacks", isSearching: false, now: DateTime.now(),
        });
        const telephony = useService("telephony");
        this.preferences = useState(telephony.state.preferences);
        onWillDestroy(telephony.onMyCallbacks(() => this.load()));
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

    /** What the browser phone shows here, if it was loaded. */
    get phonePanel() {
        return this.env.services.softphone && registry.category("crm_telephony.phone").get("Panel", undefined);
    }

    get toggleTitle() {
        return this.preferences.dnd ? _t("Do not disturb. %s", this.title) : this.title;
    }

    /** Switches Do Not Disturb; all tabs hear of it over the bus, this one too. */
    switchDnd() {
        return this.orm.write("res.users", [user.userId], { telephony_dnd: !this.preferences.dnd });
    }

    async load() {
        const answer = await this.orm.silent.call("telephony.callback", "get_my_callbacks", []);
        for (const callback of answer.callbacks) {
            callback.due_at = deserializeDateTime(callback.due_at);
        }
        Object.assign(this.state, answer, { now: DateTime.now() });
    }

    async beforeOpen() {
        this.state.isSearching = false;
        await Promise.all([this.load(), this.state.tab === "recent" && this.loadRecent()]);
    }

    /** Makes a dialog of the dropdown, because a menu may hold no field, list or switch. */
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

    /** Goes from tab to tab with the arrows, as in every list of tabs. */
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

    due(callback) {
        return callback.late_minutes
            ? _t("late by %s", formatMinutes(callback.late_minutes))
            : dueText(callback.due_at, this.state.now);
    }

    about(callback) {
        return callback.deal || (callback.name === callback.display ? _t("Unknown caller") : callback.display);
    }

    dueClass(callback) {
        return dueDecoration(callback.due_at, this.state.now);
    }

    exact(moment) {
        return formatDateTime(moment);
    }

    callLabel(call) {
        return _t("Call %s", call.name || call.display);
    }

    async call(callback) {
        this.dropdown.close();
        await this.action.doActionButton({
            type: "object",
            name: "action_call",
            resModel: "telephony.callback",
            resId: callback.id,
            resIds: [callback.id],
        });
    }

    open(callback) {
        this.dropdown.close();
        this.action.doAction("crm_telephony.telephony_callback_action", {
            viewType: "form",
            props: { resId: callback.id },
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
        .add("crm_telephony.systray", { Component: TelephonySystray }, { sequence: 22 });
}
