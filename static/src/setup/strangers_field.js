import { Component } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { standardFieldProps } from "@web/views/fields/standard_field_props";
import { useBusy } from "@crm_telephony/hooks";

/** Endpoints that nobody has entered, what each is taken for, and one click to say what it is. */
export class StrangersField extends Component {
    static template = "crm_telephony.StrangersField";
    static props = { ...standardFieldProps };

    setup() {
        this.orm = useService("orm");
        this.guard = useBusy();
    }

    get rows() {
        return this.props.record.data[this.props.name] || [];
    }

    words(row) {
        return row.is_trunk ? _t("taken for a trunk") : _t("taken for a phone");
    }

    say(method, endpoint) {
        const { record } = this.props;
        return this.guard.run(async () => {
            // what else was typed is kept: the answer is written behind it
            if (await record.save()) {
                await this.orm.call(record.resModel, method, [[record.resId], endpoint]);
                await record.load();
            }
        });
    }
}

export const strangersField = {
    component: StrangersField,
    displayName: _t("Endpoints that are not entered"),
    supportedTypes: ["json", "jsonb"],
};

registry.category("fields").add("telephony_strangers", strangersField);
