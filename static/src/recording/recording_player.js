import { Component, useState } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { useService } from "@web/core/utils/hooks";
import { formatClock } from "@crm_telephony/clock/clock_field";

/** One recording, or the reason why there is nothing to hear. Nothing is fetched before the person presses play. */
export class RecordingPlayer extends Component {
    static template = "crm_telephony.RecordingPlayer";
    static props = {
        recording: {
            type: Object,
            shape: {
                id: Number,
                state: String,
                url: { type: [String, Boolean] },
                duration: { type: Number },
                error: { type: [String, Boolean] },
                source: { type: [String, Boolean] },
                "*": true,
            },
        },
        autoplay: { type: Boolean, optional: true },
    };

    setup() {
        this.orm = useService("orm");
        const { state, error } = this.props.recording;
        this.failure = useState({ text: state === "failed" ? error || _t("Cannot be played.") : "" });
    }

    get duration() {
        return formatClock(this.props.recording.duration || false);
    }

    /** The route has noted on the recording what went wrong at the other end. */
    async onError() {
        this.failure.text = _t("Cannot be played.");
        const [recording] = await this.orm.read("telephony.recording", [this.props.recording.id], ["error"]);
        this.failure.text = recording?.error || this.failure.text;
    }

    onPlaying() {
        this.failure.text = "";
    }
}

/** @returns {Object[]} props.recording of each record of a recording_ids field */
export function recordingsOf(list) {
    return list.records.map(({ resId, data }) => ({
        id: resId,
        state: data.state,
        url: data.player_url,
        duration: data.duration,
        error: data.error,
        source: data.source_url,
    }));
}

export const RECORDING_FIELDS = [
    { name: "state", type: "selection", selection: [] },
    { name: "player_url", type: "char" },
    { name: "duration", type: "integer" },
    { name: "error", type: "char" },
    { name: "source_url", type: "char" },
];
