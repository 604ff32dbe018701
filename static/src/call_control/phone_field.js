import { isMobileOS } from "@web/core/browser/feature_detection";
import { _t } from "@web/core/l10n/translation";
import { patch } from "@web/core/utils/patch";
import { PhoneField } from "@web/views/fields/phone/phone_field";
import { canCall, usePlaceCall } from "@crm_telephony/call_control/place_call";

/**
 * Whoever has a phone on a PBX calls with it from every phone number; for others the number stays a tel: link. So it does on
 * a mobile: who is on the road does not want the phone on his desk to ring, unless he says so with the button.
 */
patch(PhoneField.prototype, {
    setup() {
        super.setup();
        this.canCall = canCall();
        this.isLink = !this.canCall || isMobileOS();
        if (this.canCall) {
            this.call = usePlaceCall();
        }
    },

    get callTitle() {
        return this.isLink ? _t("Call with my phone at the PBX") : _t("Call");
    },

    onClickLink(ev) {
        if (!this.isLink) {
            this.onClickCall(ev);
        }
    },

    onClickCall(ev) {
        ev.preventDefault();
        ev.stopPropagation();
        const { record, name } = this.props;
        this.call.placeTo(record.data[name], record.resModel, record.resId);
    },
});
