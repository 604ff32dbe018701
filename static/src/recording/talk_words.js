import { Component, useEffect, useRef, useState } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { useService } from "@web/core/utils/hooks";
import { formatClock } from "@crm_telephony/clock/clock_field";
import { useBusy } from "@crm_telephony/hooks";

/** The sound is begun so much (s) before a line, because some formats begin late. */
const EARLIER = 0.2;

/**
 * Returns which line is spoken at a second: the last one that has begun, as long as no long silence follows it.
 *
 * @param {{ start: number, end: number }[]} lines in the order of time
 * @param {number} time
 * @returns {number} its index, -1 for none
 */
export function lineAt(lines, time) {
    const index = lines.findLastIndex(({ start }) => start <= time + EARLIER);
    return index >= 0 && time <= lines[index].end + 2 ? index : -1;
}

/** What was said, line by line, in time with the sound: the line that is heard is lit, a click on a line plays it. */
export class TalkWords extends Component {
    static template = "crm_telephony.TalkWords";
    static props = {
        recordingId: Number,
        /** what `get_words` of telephony.recording returns */
        words: Object,
        /** names of the sides: ours, then theirs; empty if both are on one channel */
        names: Array,
        /** channel that is ours: 0 or 1, -1 if nobody knows */
        ours: Number,
        time: Number,
        seek: Function,
        onChange: Function,
    };

    setup() {
        this.orm = useService("orm");
        this.root = useRef("root");
        this.guard = useBusy();
        this.state = useState({ edited: -1, text: "", wanted: "" });
        useEffect(
            () => {
                this.root.el?.querySelector(".o_telephony_words_now")?.scrollIntoView({ block: "nearest" });
            },
            () => [this.now]
        );
    }

    get now() {
        return lineAt(this.props.words.lines, this.props.time);
    }

    get lines() {
        const wanted = this.state.wanted.trim().toLowerCase();
        return this.props.words.lines
            .map((line, index) => ({ ...line, index, clock: formatClock(Math.floor(line.start)) || "0:00", ...this.sideOf(line) }))
            .filter(({ text }) => !wanted || text.toLowerCase().includes(wanted));
    }

    sideOf({ channel }) {
        const { names, ours } = this.props;
        if (channel > 1 || !names.length) {
            return { name: "", side: "" };
        }
        const lane = ours === 1 ? 1 - channel : channel;
        return { name: names[lane], side: ours < 0 ? "" : lane ? "theirs" : "ours" };
    }

    play(line) {
        this.props.seek(Math.max(line.start - EARLIER, 0));
    }

    edit(line) {
        Object.assign(this.state, { edited: line.index, text: line.text });
    }

    correct() {
        return this.guard.run(async () => {
            const { start, channel, text } = this.props.words.lines[this.state.edited];
            const args = [[this.props.recordingId], start, channel, this.state.text, text];
            this.props.onChange(await this.orm.call("telephony.recording", "correct_words", args));
            this.state.edited = -1;
        });
    }

    get correctTitle() {
        return _t("Correct this line");
    }
}
