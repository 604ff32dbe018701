import { patch } from "@web/core/utils/patch";
import { useService } from "@web/core/utils/hooks";
import { PhoneField } from "@web/views/fields/phone/phone_field";
import { canCall, usePlaceCall } from "./place_call";

/** Whoever has a phone on a PBX calls with it from every phone number; for others the number stays a tel: link. */
patch(PhoneField.prototype, {
    setup() {
        super.setup();
        this.canCall = canCall();
        if (this.canCall) {
            this.orm = useService("orm");
            this.call = usePlaceCall();
        }
    },

    onClickCall(ev) {
        if (!this.canCall) {
            return;
        }
        ev.preventDefault();
        ev.stopPropagation();
        const { record, name } = this.props;
        this.call.place(() =>
            this.orm.call("telephony.account", "place_call", [record.data[name], record.resModel, record.resId || false])
        );
    },
});
