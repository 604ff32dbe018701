import { Component } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { formatSelection } from "@web/views/fields/formatters";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

export const DIRECTION_ICONS = {
    inbound: "oi-arrow-down-left",
    outbound: "oi-arrow-up-right",
    internal: "oi-arrows-h",
};

/** Shows the direction of a call, and whether it was logged by hand. */
export class CallDirectionField extends Component {
    static template = "crm_telephony.CallDirectionField";
    static props = { ...standardFieldProps, withLabel: { type: Boolean, optional: true } };

    get icon() {
        return DIRECTION_ICONS[this.props.record.data[this.props.name]] || "oi-arrows-h";
    }

    get label() {
        const { record, name } = this.props;
        return formatSelection(record.data[name], { selection: record.fields[name].selection });
    }
}

export const callDirectionField = {
    component: CallDirectionField,
    displayName: _t("Call Direction"),
    supportedTypes: ["selection"],
    supportedOptions: [{ label: _t("Show the label"), name: "label", type: "boolean" }],
    extractProps: ({ options }) => ({ withLabel: Boolean(options.label) }),
    fieldDependencies: [{ name: "is_manual", type: "boolean" }],
};

registry.category("fields").add("telephony_direction", callDirectionField);
