import { Component } from "@odoo/owl";

/** One call. */
export class CallCard extends Component {
    static template = "crm_telephony.CallCard";
    static props = { call: Object, onClose: Function };
}
