/** Numbers with the same last digits, so many, are one number: PBXs add exit codes and drop country codes. */
const SAME_DIGITS = 7;

const digits = (number) => (number || "").replace(/\D/g, "").slice(-SAME_DIGITS);

function isSame(phoneCall, call) {
    if (phoneCall.direction !== call.direction || !["ringing", "talking"].includes(call.phase) || call.is_shared) {
        return false;
    }
    return digits(phoneCall.number) === digits(call.number);
}

/**
 * Says which call of the phone is which call in the log. The phone hears of a call from the PBX, the cards hear of it from the
 * server, and either may be first. A pair stays one, because numbers may be corrected.
 *
 * @param {{ id: string, direction: string, number: string, callId?: number }[]} phoneCalls
 * @param {import("@crm_telephony/call_store/call_store").LiveCall[]} calls
 * @returns {Map<string, number>} id of the phone's call → id of telephony.call
 */
export function paired(phoneCalls, calls) {
    const pairs = new Map();
    const taken = new Set();
    const pair = (phoneCall, call) => {
        pairs.set(phoneCall.id, call.id);
        taken.add(call.id);
    };
    for (const phoneCall of phoneCalls) {
        const known = calls.find((call) => call.id === phoneCall.callId);
        if (known) {
            pair(phoneCall, known);
        }
    }
    for (const phoneCall of phoneCalls.filter(({ id, state }) => !pairs.has(id) && state !== "ended")) {
        const call = calls.find((call) => !taken.has(call.id) && isSame(phoneCall, call));
        if (call) {
            pair(phoneCall, call);
        }
    }
    return pairs;
}
