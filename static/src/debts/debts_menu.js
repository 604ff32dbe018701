import { Component, onWillDestroy, useState } from "@odoo/owl";
import { Dropdown } from "@web/core/dropdown/dropdown";
import { useDropdownState } from "@web/core/dropdown/dropdown_hooks";
import { deserializeDateTime, formatDateTime } from "@web/core/l10n/dates";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { user } from "@web/core/user";
import { useService } from "@web/core/utils/hooks";
import { session } from "@web/session";

import { dueDecoration, dueText } from "../callback_due/callback_due_field";
import { formatMinutes } from "../minutes/minutes_field";

const { DateTime } = luxon;

/** What the user owes, in the systray: how many callbacks, how many of them late, and the most urgent ones to click on. */
export class DebtsMenu extends Component {
    static template = "crm_telephony.DebtsMenu";
    static components = { Dropdown };
    static props = {};

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.dropdown = useDropdownState();
        this.state = useState({ ...session.telephony.debts, debts: [], isLoaded: false, now: DateTime.now() });
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
        Object.assign(this.state, answer, { isLoaded: true, now: DateTime.now() });
    }

    due(debt) {
        return debt.late_minutes
            ? _t("late by %s", formatMinutes(debt.late_minutes))
            : dueText(debt.due_at, this.state.now);
    }

    about(debt) {
        return debt.deal || (debt.name === debt.number ? _t("Unknown caller") : debt.number);
    }

    dueClass(debt) {
        return dueDecoration(debt.due_at, this.state.now);
    }

    exact(debt) {
        return formatDateTime(debt.due_at);
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
