import { Component } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { formatSelection } from "@web/views/fields/formatters";
import { standardFieldProps } from "@web/views/fields/standard_field_props";
import { formatClock } from "@crm_telephony/clock/clock_field";

const { DateTime } = luxon;

/**
 * The phones of a call as bars from its start to its end: ringing pale, talk solid. Where the PBX has told no times there is
 * nothing to draw: names and outcomes.
 */
export class CallTimelineField extends Component {
    static template = "crm_telephony.CallTimelineField";
    static props = { ...standardFieldProps };

    get legs() {
        return this.props.record.data[this.props.name].records.map(({ data, id }) => ({ ...data, id }));
    }

    /** [start, end] of the whole call; the end of a call that goes on is now. */
    get span() {
        const { start_at, ended_at, state } = this.props.record.data;
        const moments = this.legs
            .flatMap((leg) => [leg.start_at, leg.answered_at, leg.ended_at])
            .concat([start_at, ended_at, state === "ended" ? false : DateTime.now()])
            .filter(Boolean);
        return [DateTime.min(...moments), DateTime.max(...moments)];
    }

    get hasTimes() {
        const [start, end] = this.span;
        return start < end;
    }

    get seconds() {
        const [start, end] = this.span;
        return Math.max(end.diff(start, "seconds").seconds, 1);
    }

    get total() {
        return formatClock(this.seconds);
    }

    get rows() {
        return this.legs.map((leg) => {
            const bars = this.hasTimes ? this.bars(leg) : {};
            const talked = formatClock(bars.talk ? bars.talk.seconds : leg.talk_seconds || false);
            return { leg, ...bars, talked, outcome: this.outcome(leg) };
        });
    }

    bars(leg) {
        const [start, end] = this.span;
        const rang = leg.start_at || this.props.record.data.start_at || start;
        const answered = leg.answered_at;
        const over = answered ? leg.ended_at || end : this.endOfRinging(leg, rang, end);
        const ring = this.bar(rang, answered || over);
        const talk = answered ? this.bar(answered, over) : null;
        return { ring, talk, description: this.describe(leg, ring, talk) };
    }

    /**
     * Of a phone that was not taken. Where the PBX does not tell it, the phone counts as ringing to the end of the call;
     * it rang no longer than until another one was taken.
     */
    endOfRinging(leg, rang, end) {
        const { answered_at, ended_at } = this.props.record.data;
        const told = leg.ended_at && !(ended_at && leg.ended_at.equals(ended_at));
        const over = told ? leg.ended_at : end;
        return !told && answered_at && rang < answered_at ? DateTime.min(answered_at, over) : over;
    }

    /** Place and length of a bar, in percent of the call. */
    bar(from, to) {
        const [start] = this.span;
        const seconds = Math.max(to.diff(from, "seconds").seconds, 0);
        const left = (100 * from.diff(start, "seconds").seconds) / this.seconds;
        const width = Math.min((100 * seconds) / this.seconds, 100 - left);
        return { seconds, style: `left: ${left.toFixed(2)}%; width: ${width.toFixed(2)}%` };
    }

    outcome(leg) {
        const { fields } = this.props.record;
        return leg.outcome
            ? formatSelection(leg.outcome, { selection: fields.outcome.selection })
            : leg.answered_at
            ? _t("Talking")
            : _t("Ringing");
    }

    describe(leg, ring, talk) {
        const name = leg.user_id ? `${leg.extension} ${leg.user_id.display_name}` : leg.extension;
        return talk
            ? _t("%(name)s rang %(ring)s, talked %(talk)s", {
                  name,
                  ring: formatClock(ring.seconds),
                  talk: formatClock(talk.seconds),
              })
            : _t("%(name)s rang %(ring)s", { name, ring: formatClock(ring.seconds) });
    }
}

export const callTimelineField = {
    component: CallTimelineField,
    displayName: _t("Call Timeline"),
    supportedTypes: ["one2many"],
    fieldDependencies: [
        { name: "start_at", type: "datetime" },
        { name: "answered_at", type: "datetime" },
        { name: "ended_at", type: "datetime" },
        { name: "state", type: "selection" },
        { name: "outcome", type: "selection" },
    ],
    relatedFields: [
        { name: "extension", type: "char" },
        { name: "user_id", type: "many2one", relation: "res.users" },
        { name: "start_at", type: "datetime" },
        { name: "answered_at", type: "datetime" },
        { name: "ended_at", type: "datetime" },
        { name: "talk_seconds", type: "integer" },
        { name: "outcome", type: "selection", selection: [] },
    ],
};

registry.category("fields").add("telephony_timeline", callTimelineField);
