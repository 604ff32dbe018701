import { Component } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { useService } from "@web/core/utils/hooks";
import { formatInteger } from "@web/views/fields/formatters";
import { formatClock } from "@crm_telephony/clock/clock_field";
import { countChange, meanChange, shareChange } from "@crm_telephony/figures/change";
import { formatShare, formatSpan, LEAST, listOf, NOTHING, ofWhole } from "@crm_telephony/figures/figure_words";
import { TAB_PROPS } from "@crm_telephony/figures/people_tab";
import { tellChange } from "@crm_telephony/figures/tiles";

const { DateTime } = luxon;

/** How many weeks on each side are compared, unless somebody chooses another number. */
export const WEEKS = 4;
const CHOICES = [1, 2, 4, 8];

/**
 * Returns the figures of both sides of a milestone in words.
 *
 * @param {object} told what `telephony.report.get_around` tells
 * @returns {{ name: string, rows: object[] }[]} parts of the table; a row has `label`, `help`, `before` and `after`: {text, part,
 *     list}, and `change`
 */
export function compareSides({ before, after, won_open_days: openDays }) {
    const { counts } = after;
    const counted = (side, name) => ({ ...listOf(side, name), span: side.period });
    const debts = (side, name) => {
        const { label, domain, value } = side.callers[name];
        return { name: label, model: "telephony.callback", domain, count: value, span: side.period };
    };
    const row = (label, help, cell, change) => ({ label, help, before: cell(before), after: cell(after), change });
    const tooFew = () => ({ text: _t("too few"), words: _t("Fewer than 20 on one side: a change would say nothing."), isClear: false });
    /** @param {(side: object) => { n: number, d: number }} of */
    const share = (label, help, of, list, better) =>
        row(
            label,
            help,
            (side) => ({ text: formatShare(of(side)), part: of(side).d < LEAST ? "" : ofWhole(of(side)), list: of(side).n && list(side) }),
            of(before).d < LEAST || of(after).d < LEAST ? tooFew() : tellChange(shareChange(of(after), of(before)), "points", better)
        );
    const rate = (name, better, label) => {
        const { part } = after.shares[name];
        return share(label || counts[part].label, counts[part].help, (side) => side.shares[name], (side) => counted(side, part), better);
    };
    const debtShare = (label, help, part, whole, better) =>
        share(label, help, (side) => ({ n: side.callers[part].value, d: side.callers[whole].value ?? side.callers[whole] }), (side) => debts(side, part), better);
    const count = (name, better) =>
        row(
            counts[name].label,
            counts[name].help,
            (side) => ({ text: formatInteger(side.counts[name].value), list: side.counts[name].value && counted(side, name) }),
            tellChange(countChange(counts[name].value, before.counts[name].value), "percent", better)
        );
    const number = (label, help, name) => row(label, help, (side) => ({ text: formatInteger(side[name]) }), null);
    const answers = ({ times, counts: its }) => ({ mean: times.answer_mean, deviation: times.answer_deviation, count: its.answered.value });
    const won = share(_t("Won deals"), _t("First calls whose deal was won in time. A deal older than the call does not count."), (side) => side.won, () => null, "more");
    return [
        {
            name: "",
            rows: [
                debtShare(
                    _t("Lost Callers"),
                    _t("Callers who got no answer, and with whom nobody has talked since. Each counts once, however often they called."),
                    "debts_lost",
                    "callers",
                    "less"
                ),
                rate("lost_call_rate", "less"),
                rate("lost_call_rate_in_hours", "less"),
                count("blocked", "less"),
                row(
                    _t("Time to Answer"),
                    _t("Mean time from the moment when a phone or queue took the caller, to the answer. The menu does not count."),
                    (side) => ({ text: formatClock(side.times.answer_mean) || NOTHING, list: side.counts.answered.value && counted(side, "answered") }),
                    Math.min(answers(before).count, answers(after).count) < LEAST ? tooFew() : tellChange(meanChange(answers(after), answers(before)), "seconds", "less")
                ),
                rate("service_level", "more", _t("Service Level")),
                rate("short_talk_share", "less"),
                debtShare(
                    _t("Called Back Within 15 Minutes"),
                    _t("Callbacks of these calls whose first attempt came within 15 working minutes."),
                    "debts_tried_soon",
                    "debts_opened",
                    "more"
                ),
                debtShare(_t("Made Good"), _t("Callbacks of these calls after which somebody talked with the caller."), "debts_served", "debts_opened", "more"),
                { ...won, ...(openDays && { change: { text: _t("not over: %s days", openDays), words: _t("For the latest first calls deals may still be won."), isClear: false } }) },
            ],
        },
        {
            name: _t("What else moved"),
            rows: [
                count("offered"),
                count("first_calls"),
                count("attempts"),
                number(_t("People"), _t("Employees who took or placed a call."), "people"),
                number(_t("Most Calls at Once"), _t("Calls with the outside that one PBX carried at the same time, whatever the filters."), "lines"),
            ],
        },
    ];
}

/** The same figures before and after a day on which something changed. */
export class MilestonesTab extends Component {
    static template = "crm_telephony.MilestonesTab";
    static props = TAB_PROPS;

    setup() {
        this.action = useService("action");
    }

    get choices() {
        return this.props.figures.milestones.map(({ id, name, day }) => [id, `${formatSpan({ first: day, last: day })}: ${name}`]);
    }

    get weeks() {
        const { weeks } = this.props.figures;
        return [...new Set([...CHOICES, weeks])].sort((a, b) => a - b).map((count) => [count, _t("weeks on each side: %s", count)]);
    }

    get parts() {
        return compareSides(this.props.figures);
    }

    /** Which days are compared. */
    get windows() {
        return [this.props.figures.before, this.props.figures.after].map(({ period }) => formatSpan(period)).join(" → ");
    }

    get openness() {
        const { open_days: days } = this.props.figures;
        return days ? _t("The time after is not over, days still to come: %s. Until then both sides are counted for the same length of time.", days) : "";
    }

    get notYet() {
        const begins = DateTime.fromISO(this.props.figures.begins).toLocaleString(DateTime.DATE_MED);
        return _t("There will be something to compare after this day: %s", begins);
    }

    get heads() {
        return [
            { name: "before", label: _t("Before") },
            { name: "after", label: _t("After") },
            { name: "change", label: _t("Change") },
        ];
    }

    classOf({ isClear, isGood }) {
        return !isClear ? "o_telephony_unclear" : isGood === undefined ? "" : isGood ? "o_telephony_better" : "o_telephony_worse";
    }

    choose({ target }) {
        this.props.change({ [target.name]: Number(target.value) });
    }

    enter() {
        return this.action.doAction("crm_telephony.telephony_milestone_action");
    }
}
