import { Component, useState } from "@odoo/owl";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { CallCard } from "./call_card";

/** All calls of this user, one card each, above everything else. */
export class CallCards extends Component {
    static template = "crm_telephony.CallCards";
    static components = { CallCard };
    static props = {};

    setup() {
        this.telephony = useService("telephony");
        this.state = useState(this.telephony.state);
    }
}

registry.category("main_components").add("crm_telephony.CallCards", { Component: CallCards });
