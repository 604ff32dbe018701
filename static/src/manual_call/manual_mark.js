import { Component } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

/** Marks a call that was logged by hand. */
export class ManualMark extends Component {
    static template = "crm_telephony.ManualMark";
    static props = { ...standardFieldProps };
}

registry.category("fields").add("telephony_manual", {
    component: ManualMark,
    displayName: _t("Logged by hand"),
    supportedTypes: ["boolean"],
});
