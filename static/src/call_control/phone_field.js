import { isMobileOS } from "@web/core/browser/feature_detection";
import { _t } from "@web/core/l10n/translation";
import { patch } from "@web/core/utils/patch";
import { PhoneField } from "@web/views/fields/phone/phone_field";
import { canCall, usePlaceCall } from "@crm_telephony/call_control/place_call";

/**
 * Makes every phone number call with the user's phone on a PBX. For users without one the number stays a tel: link. So it does
 * on a mobile, because on the road nobody wants the phone on their desk to ring; the button beside the link rings it.
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
