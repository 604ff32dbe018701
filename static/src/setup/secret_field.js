import { useState } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { CharField, charField } from "@web/views/fields/char/char_field";

/** A credential, shown as dots. Whoever may edit it can make it visible, to check what they have typed or pasted. */
export class SecretField extends CharField {
    static template = "crm_telephony.SecretField";

    setup() {
        super.setup();
        this.shown = useState({ value: false });
    }

    get inputType() {
        return this.shown.value ? "text" : "password";
    }

    get toggleTitle() {
        return this.shown.value ? _t("Hide") : _t("Show");
    }

    toggle() {
        this.shown.value = !this.shown.value;
    }
}

export const secretField = {
    ...charField,
    component: SecretField,
    displayName: _t("Credential"),
    supportedTypes: ["char"],
};

registry.category("fields").add("telephony_secret", secretField);
