import { Component } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { DIRECTION_ICONS } from "@crm_telephony/call_direction/call_direction_field";
import { outcomeDecoration } from "@crm_telephony/call_outcome/call_outcome_field";
import { formatClock } from "@crm_telephony/clock/clock_field";
import { RecordingPlayer } from "@crm_telephony/recording/recording_player";

/** A call as a line of a chatter: what happened, with whom, what came of it, and the recording for who may listen. */
export class CallLine extends Component {
    static template = "crm_telephony.CallLine";
    static components = { RecordingPlayer };
    static props = { call: Object, author: { type: String, optional: true } };

    get icon() {
        return DIRECTION_ICONS[this.props.call.direction];
    }

    get outcome() {
        const { outcome, outcome_label, is_short } = this.props.call;
        if (!outcome) {
            return _t("End unknown");
        }
        return is_short ? _t("Short talk") : outcome_label;
    }

    get decoration() {
        const { outcome, is_short } = this.props.call;
        return outcomeDecoration(outcome, is_short);
    }

    get duration() {
        const { outcome, talk_seconds, wait_seconds } = this.props.call;
        if (outcome === "answered") {
            return _t("talk %(clock)s", { clock: formatClock(talk_seconds) });
        }
        return wait_seconds ? _t("wait %(clock)s", { clock: formatClock(wait_seconds) }) : "";
    }

    /** Who talked, where the head of the message does not say it. */
    get user() {
        const { user } = this.props.call;
        return user === this.props.author ? "" : user;
    }
}
