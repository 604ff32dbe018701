import { Component, xml } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

/**
 * Returns seconds as a clock: 65 → "1:05", 3700 → "1:01:40".
 *
 * @param {number | false} seconds
 * @returns {string}
 */
export function formatClock(seconds) {
    if (seconds === false || seconds === undefined || seconds === null) {
        return "";
    }
    const whole = Math.round(seconds);
    const pad = (number) => String(number).padStart(2, "0");
    const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
    return hours ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`;
}

/** Shows seconds as a clock, read-only, and nothing for 0: a call without talk has no time to show. */
export class ClockField extends Component {
    static template = xml`<span class="o_telephony_clock" t-out="text"/>`;
    static props = { ...standardFieldProps };

    get text() {
        return formatClock(this.props.record.data[this.props.name] || false);
    }
}

export const clockField = {
    component: ClockField,
    displayName: _t("Clock"),
    supportedTypes: ["integer", "float"],
};

registry.category("fields").add("telephony_clock", clockField);
// totals of lists, pivots and graphs
registry.category("formatters").add("telephony_clock", formatClock);
