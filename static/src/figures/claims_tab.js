import { Component } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { claimList, pivotOf } from "@crm_telephony/figures/counted_list";
import { countCell, FigureTable, plainCell } from "@crm_telephony/figures/figure_table";
import { formatHour, formatShare } from "@crm_telephony/figures/figure_words";
import { HeatMap } from "@crm_telephony/figures/heat_map";
import { TAB_PROPS } from "@crm_telephony/figures/people_tab";
import { formatMinutes } from "@crm_telephony/minutes/minutes_field";

const DAY = 24 * 60;
/** From which shares of reached customers on an hour is darker. */
const REACHED_STEPS = [0.1, 0.25, 0.5];

/** Returns minutes in words; of more than two days only the days. */
export function formatSilence(minutes) {
    return minutes > 2 * DAY ? _t("%s days", Math.round(minutes / DAY)) : formatMinutes(minutes);
}

/** Returns the hour at which a customer answers in words, null if none is known; as text 9 would come after 10. */
function answersAt(hour) {
    return hour === null ? null : `${String(hour).padStart(2, "0")}:00`;
}

/** What was said to be done, beside what the log knows. */
export class ClaimsTab extends Component {
    static template = "crm_telephony.ClaimsTab";
    static components = { FigureTable, HeatMap };
    static props = TAB_PROPS;
    reachedSteps = REACHED_STEPS;

    get claimColumns() {
        return this.props.figures.evidence.map(([name, label]) => ({ name, label }));
    }

    get claimRows() {
        const { claims, evidence } = this.props.figures;
        return claims.map((person) => ({
            key: person.user_id,
            name: person.name,
            cells: Object.fromEntries(
                evidence.map(([name, label]) => {
                    const cell = countCell(label, person[name]);
                    return [name, { ...cell, ...(cell.list && { list: claimList(`${person.name}: ${label}`, person[name]) }) }];
                })
            ),
        }));
    }

    get pivots() {
        const { claimed, calls } = this.props.figures;
        const context = { active_test: false, pivot_view_ref: "crm_telephony.telephony_claim_view_pivot" };
        const claims = claimList(_t("Call activities marked done"), { domain: claimed });
        return {
            claims: { ...claims, views: ["pivot", "list"], context: { ...claims.context, ...context } },
            attempts: pivotOf(_t("Calls out"), calls, ["outbound_count", "outbound_answered_count", "talk_seconds"], "customer_number"),
        };
    }

    get attemptColumns() {
        return [
            { name: "attempts", label: _t("Calls out"), help: _t("Calls to this number, those logged by hand included.") },
            { name: "by_hand", label: _t("By hand"), help: _t("Of these, calls that somebody only typed in.") },
            { name: "reached_at_attempt", label: _t("Reached at call"), help: _t("Which of the calls was the first real talk.") },
            { name: "answers_at", label: _t("Answers at"), help: _t("The hour at which they really talked with us most often, from the second talk on.") },
            { name: "distinct_hours", label: _t("Hours"), help: _t("In how many different hours somebody called.") },
            { name: "distinct_days", label: _t("Days"), help: _t("On how many different days somebody called.") },
            { name: "longest_silence_minutes", label: _t("Longest silence"), help: _t("The longest time between two of the calls.") },
            { name: "last_outcome", label: _t("Last outcome"), help: _t("How the last of the calls ended.") },
        ];
    }

    /** The hours of the week at which most customers were reached. */
    get bestHours() {
        return this.props.figures.answering.best.map((hour) => ({
            hour,
            text: `${formatHour(hour)}: ${formatShare({ n: hour.reached, d: hour.dialled }, 0)}`,
        }));
    }

    get noBestHour() {
        return _t("In no hour of the week customers were called %s times. Choose a longer period to see when they answer.", this.props.figures.answering.least);
    }

    /** Opens the calls of an hour in which a customer was reached; where none was, all calls out. */
    openCalled(hour) {
        return hour.reached
            ? this.props.openHour(hour, "reached", { name: _t("Reached"), count: hour.reached })
            : this.props.openHour(hour, "dialled", { name: _t("Calls out"), count: hour.dialled });
    }

    tellReached({ day, hour, n, d }) {
        return _t("%(day)s %(hour)s: reached in %(reached)s of %(dialled)s calls", { day, hour, reached: n, dialled: d });
    }

    get attemptRows() {
        const { attempts, outcomes } = this.props.figures;
        const words = Object.fromEntries(outcomes);
        return attempts.map((customer) => ({
            key: customer.number,
            name: customer.name,
            cells: {
                attempts: countCell(customer.name, { value: customer.attempts, domain: customer.domain }),
                by_hand: plainCell(customer.by_hand),
                reached_at_attempt: plainCell(customer.reached_at_attempt),
                answers_at: plainCell(answersAt(customer.answers_at), (text) => text),
                distinct_hours: plainCell(customer.distinct_hours),
                distinct_days: plainCell(customer.distinct_days),
                longest_silence_minutes: plainCell(customer.attempts > 1 ? customer.longest_silence_minutes : null, formatSilence),
                last_outcome: plainCell(words[customer.last_outcome], (word) => word),
            },
        }));
    }
}
