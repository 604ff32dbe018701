import { Component, xml } from "@odoo/owl";
import { formatDateTime, toLocaleDateTimeString } from "@web/core/l10n/dates";
import { is24HourFormat } from "@web/core/l10n/time";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { capitalize } from "@web/core/utils/strings";
import { standardFieldProps } from "@web/views/fields/standard_field_props";
import { useNow } from "@crm_telephony/hooks";

const MINUTE = 60_000;

/**
 * When something falls due, from now: "In 12 minutes", "Tomorrow 09:00". What is late tells the moment: how late it is,
 * is said in working minutes.
 *
 * @param {DateTime} due
 * @param {DateTime} now
 * @returns {string}
 */
export function dueText(due, now) {
    if (due >= now && due.diff(now, "minutes").minutes < 60) {
        return capitalize(due.toRelative({ base: now }));
    }
    const day = capitalize(due.toRelativeCalendar({ base: now, unit: "days" }));
    if (due < now.startOf("day")) {
        return day;
    }
    return `${day} ${due.toFormat(is24HourFormat() ? "HH:mm" : "h:mm a")}`;
}

/**
 * Red when late, yellow shortly before.
 *
 * @param {DateTime} due
 * @param {DateTime} now
 * @returns {string} classes
 */
export function dueDecoration(due, now) {
    const { minutes } = due.diff(now, "minutes");
    return minutes < 0 ? "text-danger fw-bold" : minutes < 15 ? "text-warning fw-bold" : "";
}

/** When a callback falls due. What is closed shows its plain time. */
export class CallbackDueField extends Component {
    static template = xml`<span class="o_telephony_due text-nowrap" t-att-class="decoration" t-att-title="exact" t-out="text"/>`;
    static props = { ...standardFieldProps };

    setup() {
        this.ticker = useNow(MINUTE);
    }

    get due() {
        return this.props.record.data[this.props.name];
    }

    get isRunning() {
        return this.due && this.props.record.data.state === "open";
    }

    get exact() {
        return this.due ? formatDateTime(this.due) : "";
    }

    get text() {
        return this.isRunning ? dueText(this.due, this.ticker.now) : toLocaleDateTimeString(this.due);
    }

    get decoration() {
        return this.isRunning ? dueDecoration(this.due, this.ticker.now) : "";
    }
}

export const callbackDueField = {
    component: CallbackDueField,
    displayName: _t("Due, from now"),
    supportedTypes: ["datetime"],
    fieldDependencies: [{ name: "state", type: "selection" }],
};

registry.category("fields").add("telephony_due", callbackDueField);
