import { Component, onWillUnmount, useState, xml } from "@odoo/owl";
import { browser } from "@web/core/browser/browser";
import { formatDateTime } from "@web/core/l10n/dates";
import { is24HourFormat } from "@web/core/l10n/time";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { capitalize } from "@web/core/utils/strings";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

const { DateTime } = luxon;
const MINUTE = 60_000;

/** When a callback falls due, from now: "In 12 minutes", "Tomorrow 09:00". What is closed shows its plain time. */
export class CallbackDueField extends Component {
    static template = xml`<span class="o_telephony_due text-nowrap" t-att-class="decoration" t-att-title="exact" t-out="text"/>`;
    static props = { ...standardFieldProps };

    setup() {
        this.state = useState({ now: DateTime.now() });
        const timer = browser.setInterval(() => (this.state.now = DateTime.now()), MINUTE);
        onWillUnmount(() => browser.clearInterval(timer));
    }

    get due() {
        return this.props.record.data[this.props.name];
    }

    get isOpen() {
        return this.props.record.data.state === "open";
    }

    get exact() {
        return this.due ? formatDateTime(this.due) : "";
    }

    get minutes() {
        return this.due.diff(this.state.now, "minutes").minutes;
    }

    get text() {
        if (!this.due || !this.isOpen) {
            return this.exact;
        }
        const { now } = this.state;
        if (Math.abs(this.minutes) < 60) {
            return capitalize(this.due.toRelative({ base: now }));
        }
        const day = capitalize(this.due.toRelativeCalendar({ base: now, unit: "days" }));
        if (this.due < now.startOf("day")) {
            return day;
        }
        return `${day} ${this.due.toFormat(is24HourFormat() ? "HH:mm" : "h:mm a")}`;
    }

    get decoration() {
        if (!this.due || !this.isOpen) {
            return "";
        }
        return this.minutes < 0 ? "text-danger fw-bold" : this.minutes < 15 ? "text-warning fw-bold" : "";
    }
}

export const callbackDueField = {
    component: CallbackDueField,
    displayName: _t("Due, from now"),
    supportedTypes: ["datetime"],
    fieldDependencies: [{ name: "state", type: "selection" }],
};

registry.category("fields").add("telephony_due", callbackDueField);
