import { Component, xml } from "@odoo/owl";
import { formatDateTime } from "@web/core/l10n/dates";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { standardFieldProps } from "@web/views/fields/standard_field_props";
import { useNow } from "@crm_telephony/hooks";

const MINUTE = 60_000;

/** How long ago something was, in short: "12 min. ago". The exact time is in the title. */
export class AgoField extends Component {
    static template = xml`<span class="text-nowrap" t-att-title="exact" t-out="text"/>`;
    static props = { ...standardFieldProps };

    setup() {
        this.ticker = useNow(MINUTE);
    }

    get moment() {
        return this.props.record.data[this.props.name];
    }

    get exact() {
        return this.moment ? formatDateTime(this.moment) : "";
    }

    get text() {
        return this.moment ? this.moment.toRelative({ base: this.ticker.now, style: "short" }) : "";
    }
}

export const agoField = {
    component: AgoField,
    displayName: _t("How long ago"),
    supportedTypes: ["datetime"],
};

registry.category("fields").add("telephony_ago", agoField);
