import { Component, onWillUpdateProps, useState } from "@odoo/owl";
import { deserializeDateTime } from "@web/core/l10n/dates";
import { _t } from "@web/core/l10n/translation";
import { useService } from "@web/core/utils/hooks";
import { formatClock } from "@crm_telephony/clock/clock_field";
import { useBusy, useNow } from "@crm_telephony/hooks";
import { TalkPlayer } from "@crm_telephony/recording/talk_player";

const ICONS = { pending: "fa-hourglass-half", deleted: "fa-trash-o", refused: "fa-ban" };

/** One recording, what can be done with it, or the reason why there is nothing to hear. */
export class RecordingPlayer extends Component {
    static template = "crm_telephony.RecordingPlayer";
    static components = { TalkPlayer };
    static props = {
        /** `player` of telephony.recording, or with `isFolded` its `_player_line` */
        recording: {
            type: Object,
            shape: { id: Number, state: String, url: [String, { value: false }], duration: Number, "*": true },
        },
        /** shows only a button, which opens the player and plays */
        isFolded: { type: Boolean, optional: true },
        autoplay: { type: Boolean, optional: true },
    };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.guard = useBusy();
        this.ticker = useNow(60_000);
        this.state = useState({ failure: "" });
        this.take(this.props.recording);
        Object.assign(this.state, { isFolded: Boolean(this.props.isFolded), autoplay: Boolean(this.props.autoplay) });
        onWillUpdateProps(({ recording }) => {
            // a folded line knows less than the open player
            if (recording !== this.props.recording && (this.state.isFolded || !this.props.isFolded)) {
                this.take(recording);
            }
        });
    }

    take(recording) {
        const { state, error } = recording;
        Object.assign(this.state, { recording, failure: state === "failed" ? error || _t("Cannot be played.") : "" });
    }

    get recording() {
        return this.state.recording;
    }

    get icon() {
        return ICONS[this.recording.state];
    }

    get duration() {
        return formatClock(this.recording.duration || false);
    }

    /** Until when it is there unless somebody keeps it. */
    get goesAway() {
        const { keep_until: until } = this.recording;
        return until && deserializeDateTime(until) > this.ticker.now
            ? _t("Deleted %(when)s unless somebody keeps it.", { when: deserializeDateTime(until).toRelative({ base: this.ticker.now }) })
            : "";
    }

    get swapLabel() {
        return this.recording.agent_channel === "unknown" ? _t("The Upper Side Is Ours") : _t("Swap Sides");
    }

    onFailure(text) {
        this.state.failure = text;
    }

    unfold() {
        return this.guard.run(async () => {
            await this.reload();
            Object.assign(this.state, { isFolded: false, autoplay: true });
        });
    }

    async reload() {
        const [record] = await this.orm.read("telephony.recording", [this.recording.id], ["player"]);
        if (record) {
            this.take(record.player);
        }
    }

    /** Runs a method of the recording, and what it answers. */
    run(method) {
        return this.guard.run(async () => {
            const action = await this.orm.call("telephony.recording", method, [[this.recording.id]]);
            if (action?.type) {
                await this.action.doAction(action, { onClose: () => this.reload() });
            }
            await this.reload();
        });
    }
}
