import { Component } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { formatClock } from "@crm_telephony/clock/clock_field";

/** A caller who waits longer (s) is shown in red. */
export const LONG_WAIT = 30;
/** Lost calls of a day (%) that are worth a warning, and that are too many; */
const LOST_WARNING = 10;
const LOST_DANGER = 20;
/** of fewer calls a share says nothing. */
const LOST_LEAST = 10;

/** The figures on top of the live board; `level` colours what needs somebody. */
export class LiveFigures extends Component {
    static template = "crm_telephony.LiveFigures";
    static props = {
        board: Object,
        /** seconds since the board was told */
        age: Number,
    };

    get figures() {
        return [this.waiting, this.ringing, this.talking, this.free, this.late, this.lost];
    }

    count(...phases) {
        return this.props.board.calls.filter((call) => phases.includes(call.phase)).length;
    }

    get waiting() {
        const waiting = this.props.board.calls.filter((call) => call.phase === "waiting");
        const longest = Math.max(-1, ...waiting.map((call) => call.seconds + this.props.age));
        return {
            id: "waiting",
            label: _t("Waiting now"),
            value: waiting.length,
            note: longest >= 0 ? _t("longest %s", formatClock(longest)) : "",
            level: longest >= LONG_WAIT ? "danger" : longest >= 0 ? "warning" : "",
        };
    }

    get ringing() {
        return { id: "ringing", label: _t("Ringing now"), value: this.count("ringing", "dialling") };
    }

    get talking() {
        const { more } = this.props.board;
        const onLine = this.count("on_line");
        return {
            id: "talking",
            label: _t("Talking now"),
            value: this.count("talking", "on_line"),
            note: more ? _t("%s more calls not shown", more) : onLine ? _t("%s perhaps still dialling", onLine) : "",
        };
    }

    get free() {
        const present = this.props.board.people.filter((person) => person.state !== "away");
        const free = present.filter((person) => person.state === "free" && !person.dnd).length;
        return {
            id: "free",
            label: _t("Free now"),
            value: free,
            note: _t("of %s at work", present.length),
            level: present.length && !free ? "warning" : "",
        };
    }

    get late() {
        const { late, open } = this.props.board.debts;
        return {
            id: "late",
            label: _t("Late callbacks"),
            value: late,
            note: _t("of %s open", open),
            level: late ? "danger" : "",
        };
    }

    get lost() {
        const { today } = this.props.board;
        const share = today.inbound ? Math.round((100 * today.lost) / today.inbound) : 0;
        return {
            id: "lost",
            label: _t("Lost today"),
            value: today.inbound ? `${share}%` : "–",
            note: _t("%(lost)s of %(inbound)s calls", today),
            level: today.inbound < LOST_LEAST ? "" : share >= LOST_DANGER ? "danger" : share >= LOST_WARNING ? "warning" : "",
        };
    }
}
