import { Activity } from "@mail/core/web/activity";
import { ActivityListPopoverItem } from "@mail/core/web/activity_list_popover_item";
import { useService } from "@web/core/utils/hooks";
import { patch } from "@web/core/utils/patch";
import { session } from "@web/session";
import { usePlaceCall } from "@crm_telephony/call_control/place_call";

/** Odoo's own activity of type Call is a button for whoever uses telephony, with a phone on a PBX or with their own device. */
const callButton = () => ({
    setup() {
        super.setup();
        if (session.telephony) {
            this.callOrm = useService("orm");
            this.call = usePlaceCall();
        }
    },

    get hasCallButton() {
        return session.telephony && this.props.activity.activity_category === "phonecall" && this.props.activity.state !== "done";
    },

    onClickCall() {
        this.call.place(() => this.callOrm.call("mail.activity", "action_call", [[this.props.activity.id]]));
    },
});

patch(Activity.prototype, callButton());
patch(ActivityListPopoverItem.prototype, callButton());
