import { Activity } from "@mail/core/web/activity";
import { ActivityListPopoverItem } from "@mail/core/web/activity_list_popover_item";
import { useService } from "@web/core/utils/hooks";
import { patch } from "@web/core/utils/patch";
import { canCall, usePlaceCall } from "./place_call";

/** Odoo's own activity of type Call is a button for whoever has a phone on a PBX. */
const callButton = () => ({
    setup() {
        super.setup();
        this.canCall = canCall();
        if (this.canCall) {
            this.callOrm = useService("orm");
            this.call = usePlaceCall();
        }
    },

    get hasCallButton() {
        return this.canCall && this.props.activity.activity_category === "phonecall" && this.props.activity.state !== "done";
    },

    onClickCall() {
        this.call.place(() => this.callOrm.call("mail.activity", "action_call", [[this.props.activity.id]]));
    },
});

patch(Activity.prototype, callButton());
patch(ActivityListPopoverItem.prototype, callButton());
