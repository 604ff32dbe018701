import { Component, useState } from "@odoo/owl";
import { useService } from "@web/core/utils/hooks";

/** Who a caller is that nobody knows yet, as the user types it: kept with the call, for the card changes with its phases. */
export class NewCaller extends Component {
    static template = "crm_telephony.NewCaller";
    static props = { call: Object, isBusy: Boolean, onCreate: Function };

    setup() {
        this.telephony = useService("telephony");
        this.call = useState(this.props.call);
        this.draft = useState({ name: "", company: "", ...this.call.caller });
    }

    get canCreateContact() {
        return Boolean(this.call.number || this.draft.name.trim() || this.draft.company.trim());
    }

    onInput() {
        this.telephony.keep(this.call.id);
        this.call.caller = { ...this.draft };
        this.telephony.remember(this.call);
    }
}
