import { _t } from "@web/core/l10n/translation";

const PROBLEMS = {
    no_connection: () => _t("There is no connection to the PBX right now. The talk itself goes on; try again in a moment."),
    call_over: () => _t("This call is over."),
    hold_refused: () => _t("The PBX refused to put the call on hold. The talk goes on."),
    pass_failed: () => _t("The transfer did not work. The customer is still with you."),
    customer_lost: () => _t("The transfer did not work, and the customer is no longer there. Call them back."),
    microphone_denied: () =>
        _t("The browser may not use the microphone. Click on the sign left of the address, allow the microphone, and try again."),
    microphone_none: () => _t("No microphone was found. Plug in a headset, and try again."),
    microphone_busy: () => _t("Another program uses the microphone. Close it there, and try again."),
    insecure: () => _t("Browsers give the microphone to https pages only. Open Odoo by its https address."),
    test_in_talk: () => _t("The line cannot be tested during a call. Test it afterwards."),
    silent: () => _t("The tab that is your phone does not answer."),
};

/** Returns why something could not be done, in words. */
export function problemWords(code) {
    return PROBLEMS[code]?.() || _t("The phone could not do that. Try again.");
}

const ENDS = {
    busy: () => _t("Busy"),
    no_answer: () => _t("No answer"),
    declined: () => _t("Declined"),
    unknown_number: () => _t("The PBX does not know this number"),
    codec: () => _t("The PBX and this browser share no codec. Your administrator has to allow alaw and ulaw."),
    connection: () => _t("The connection was lost"),
    failed: () => _t("Call failed"),
    moved: () => _t("Goes on in your other browser"),
};

/** Returns what a call of the phone is doing, in words. */
export function stateWords(call) {
    if (call.state === "ringing") {
        return _t("Incoming call");
    }
    if (call.state === "dialling") {
        return _t("Dialling");
    }
    if (call.state === "ended") {
        return ENDS[call.why]?.() || _t("Call ended");
    }
    if (call.inConference && !call.isHeld) {
        return _t("All three talk");
    }
    return call.isHeld ? _t("On hold") : _t("On the phone");
}

const TROUBLES = {
    no_sound: () => _t("No sound arrives"),
    silent_microphone: () => _t("Your microphone is silent"),
    bad_out: () => _t("They hear you badly"),
    bad_in: () => _t("You hear them badly"),
    customer_gone: () => _t("The customer has hung up"),
};

/** Returns what is wrong with a talk, "" if nothing is. */
export function troubleWords(code) {
    return TROUBLES[code]?.() || "";
}

/** Returns what the line is, in words. */
export function lineWords({ line, why, holder, number }) {
    switch (line) {
        case "ready":
            return _t("This browser is phone %s", number);
        case "elsewhere":
            return holder.label ? _t("Your phone is open in %s", holder.label) : _t("Your phone is open elsewhere");
        case "refused":
            return why === "unknown_phone"
                ? _t("The PBX does not know your phone. Ask your telephony administrator.")
                : _t("The PBX refuses your phone's password. Ask your telephony administrator.");
        case "problem":
            return why === "kind" ? _t("This browser cannot be a phone of this PBX.") : why;
        case "lost":
            return _t("No connection to the PBX");
        default:
            return _t("Connecting to the PBX…");
    }
}
