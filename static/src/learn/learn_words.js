import { _t } from "@web/core/l10n/translation";

/** What a field of a captured request can be, by the name that the server knows. */
export function targetWords() {
    return {
        call: _t("Id of the call"),
        direction: _t("Direction"),
        caller: _t("Caller"),
        called: _t("Called number"),
        outside: _t("Outside party, in both directions"),
        ours: _t("Our number, in both directions"),
        extension: _t("Phone"),
        queue: _t("Queue"),
        at: _t("Time of the event"),
        started_at: _t("Start of the call"),
        answered_at: _t("Time of the answer"),
        ended_at: _t("End of the call"),
        talk_seconds: _t("Talk"),
        wait_seconds: _t("Wait"),
        total_seconds: _t("Whole duration"),
        outcome: _t("Outcome"),
        recording_url: _t("Address of the recording"),
        recording_ref: _t("Name of the recording"),
    };
}

/** What a kind of request can tell. */
export function eventWords() {
    return {
        ringing: _t("A call begins, or a phone rings"),
        answered: _t("Somebody answered"),
        transferred: _t("The call was transferred"),
        leg_ended: _t("One phone stopped ringing or talking"),
        ended: _t("The call is over"),
        recording: _t("There is a recording"),
        ignore: _t("Nothing about a call: leave it out"),
    };
}

/** What a request is written in. */
export function kindWords() {
    return { json: "JSON", form: _t("form"), query: _t("in the address"), xml: "XML", jwt: "JWT", empty: _t("empty") };
}
