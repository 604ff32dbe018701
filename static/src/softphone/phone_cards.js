import { Component, useState } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { useService } from "@web/core/utils/hooks";
import { formatClock } from "@crm_telephony/clock/clock_field";
import { useNow } from "@crm_telephony/hooks";
import { PhoneControls } from "@crm_telephony/softphone/phone_controls";
import { lineWords, problemWords, stateWords } from "@crm_telephony/softphone/phone_words";

/** A line that is away for less (ms) is not talked about. */
const SHORT_LOSS = 3_000;
const PHASES = { ringing: "ringing", dialling: "ringing", talking: "talking", ended: "ended" };

/**
 * The calls of the browser phone that have no card: colleagues' ones, and those of which the server has not told yet. Above them
 * stands what keeps the phone from working. They stand among the cards.
 */
export class PhoneCards extends Component {
    static template = "crm_telephony.PhoneCards";
    static components = { PhoneControls };
    static props = {};

    setup() {
        this.softphone = useService("softphone");
        this.telephony = useService("telephony");
        this.phone = useState(this.softphone.state);
        this.cards = useState(this.telephony.state);
        this.ticker = useNow(1_000);
    }

    get calls() {
        const shown = new Set(this.cards.calls.map((call) => call.id));
        return this.phone.calls.filter((call) => !shown.has(call.callId));
    }

    nameOf({ name, number }) {
        return name || number || _t("Hidden number");
    }

    numberOf({ name, number }) {
        return name ? number : "";
    }

    wordsOf(call) {
        return stateWords(call);
    }

    phaseOf({ state }) {
        return PHASES[state];
    }

    clockOf({ state, since }) {
        return state === "talking" ? formatClock(Math.max(Math.floor((this.ticker.now - since) / 1000), 0)) : "";
    }

    /** What keeps the phone from working, and what can be done about it. */
    get alert() {
        const { line, why, lostAt, isSoundBlocked } = this.phone;
        if (lostAt && ["lost", "connecting"].includes(line) && this.ticker.now - lostAt > SHORT_LOSS) {
            const isTalking = this.phone.calls.some((call) => call.state === "talking");
            return {
                text: isTalking
                    ? _t("No connection to the PBX. The talk goes on; hold, keys and transfer wait until it is back.")
                    : _t("No connection to the PBX: nobody reaches you in this browser. It is tried again all the time."),
            };
        }
        if (["refused", "problem"].includes(line)) {
            return { text: lineWords(this.phone), command: "again", label: _t("Try again") };
        }
        if (line === "ready" && why) {
            return { text: _t("The talk could not be taken up again. %s", problemWords(why)) };
        }
        if (line === "ready" && isSoundBlocked) {
            return { text: _t("The browser keeps this page silent until you click in it."), command: "sound", label: _t("Let it ring here") };
        }
        return undefined;
    }

    /** The talk that another page had, and that goes on here. */
    get resumed() {
        return this.phone.isLeader && this.phone.calls.find((call) => call.isResumed && call.state === "talking");
    }

    act(command) {
        if (command === "sound") {
            this.softphone.unblock();
        } else {
            this.softphone.run(command);
        }
    }
}
