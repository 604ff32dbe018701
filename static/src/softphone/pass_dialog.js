import { Component, onWillStart, useState } from "@odoo/owl";
import { Dialog } from "@web/core/dialog/dialog";
import { normalize } from "@web/core/l10n/utils";
import { useAutofocus, useService } from "@web/core/utils/hooks";
import { PHONE_COLORS, PHONE_STATES } from "@crm_telephony/call_control/transfer_dialog";

/** Asks to whom the browser phone passes its call on: a colleague, or any number. */
export class PassDialog extends Component {
    static template = "crm_telephony.PassDialog";
    static components = { Dialog };
    static props = {
        callId: { type: [Number, { value: undefined }], optional: true },
        pass: Function,
        close: Function,
    };

    setup() {
        this.orm = useService("orm");
        this.colors = PHONE_COLORS;
        this.labels = PHONE_STATES;
        this.state = useState({ colleagues: [], wanted: "" });
        useAutofocus({ refName: "search" });
        onWillStart(async () => {
            this.state.colleagues = await this.orm.silent
                .call("telephony.extension", "softphone_colleagues", [])
                .catch(() => []); // a number can be entered all the same
        });
    }

    get colleagues() {
        const wanted = normalize(this.state.wanted.trim());
        return this.state.colleagues.filter(
            ({ name, number }) => normalize(name).includes(wanted) || number.startsWith(wanted)
        );
    }

    /** The number that was typed, "" if it is a name. */
    get number() {
        const number = this.state.wanted.replace(/[\s().-]/g, "");
        return /^\+?[\d*#]{2,}$/.test(number) && !this.state.colleagues.some((colleague) => colleague.number === number) ? number : "";
    }

    avatar({ user_id }) {
        return `/web/image/res.users/${user_id}/avatar_128`;
    }

    pass(how, number) {
        this.props.close();
        return this.props.pass(how, number);
    }
}
