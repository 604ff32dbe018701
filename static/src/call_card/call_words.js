import { _t } from "@web/core/l10n/translation";

/**
 * What a call is doing, in words.
 *
 * @param {import("@crm_telephony/call_store/call_store").LiveCall} call
 * @returns {string}
 */
export function phaseLabel(call) {
    switch (call.phase) {
        case "ringing":
            return call.direction === "outbound" ? _t("Dialling") : _t("Incoming call");
        case "talking":
            if (call.may_be_answered) {
                return _t("On the line");
            }
            return call.is_shared ? _t("Talk at phone %s", call.extension) : _t("On the phone");
        case "ended":
            return call.outcome === "answered" || !call.outcome ? _t("Call ended") : OUTCOMES[call.outcome]();
        case "lost":
            return OUTCOMES[call.outcome]?.() || _t("Nobody took it");
        case "gone":
            return call.by ? _t("Taken by %s", call.by) : _t("No longer rings here");
    }
    return "";
}

const OUTCOMES = {
    no_answer: () => _t("No answer"),
    busy: () => _t("Busy"),
    failed: () => _t("Call failed"),
    voicemail: () => _t("Voicemail"),
    missed: () => _t("Missed call"),
    abandoned: () => _t("Hung up while waiting"),
};

/**
 * The best name that is known of the other side.
 *
 * @param {import("@crm_telephony/call_store/call_store").LiveCall} call
 * @returns {string}
 */
export function nameOf(call) {
    return call.card?.name || call.display || call.number || _t("Hidden number");
}
