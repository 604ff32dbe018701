import { Component, xml } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

/**
 * Returns minutes as people say them: 0.2 → "under a minute", 12 → "12 min", 185 → "3 h 05 min".
 *
 * @param {number | false} minutes
 * @returns {string}
 */
export function formatMinutes(minutes) {
    if (minutes === false || minutes === undefined || minutes === null) {
        return "";
    }
    const whole = Math.round(minutes);
    if (!whole) {
        return _t("under a minute");
    }
    if (whole < 60) {
        return _t("%s min", whole);
    }
    return _t("%(hours)s h %(minutes)s min", {
        hours: Math.floor(whole / 60),
        minutes: String(whole % 60).padStart(2, "0"),
    });
}

/** Shows minutes as people say them, read-only. */
export class MinutesField extends Component {
    static template = xml`<span class="o_telephony_minutes text-nowrap" t-out="text"/>`;
    static props = { ...standardFieldProps };

    get text() {
        return formatMinutes(this.props.record.data[this.props.name]);
    }
}

export const minutesField = {
    component: MinutesField,
    displayName: _t("Minutes"),
    supportedTypes: ["integer", "float"],
};

registry.category("fields").add("telephony_minutes", minutesField);
// cells of lists, pivots and graphs
registry.category("formatters").add("telephony_minutes", formatMinutes);
