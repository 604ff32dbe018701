import { Component } from "@odoo/owl";
import { CopyButton } from "@web/core/copy_button/copy_button";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

/** Shows the notifications that people enter in the PBX by hand: event, whole address and body, each copied with one click. */
export class SetupBodiesField extends Component {
    static template = "crm_telephony.SetupBodiesField";
    static components = { CopyButton };
    static props = { ...standardFieldProps };

    get rows() {
        return this.props.record.data[this.props.name] || [];
    }

    get words() {
        return { copy: _t("Copy"), copied: _t("Copied") };
    }
}

export const setupBodiesField = {
    component: SetupBodiesField,
    displayName: _t("Notifications to copy"),
    supportedTypes: ["json", "jsonb"],
};

registry.category("fields").add("telephony_setup_bodies", setupBodiesField);
