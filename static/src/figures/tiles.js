import { formatCurrency } from "@web/core/currency";
import { _t } from "@web/core/l10n/translation";
import { formatFloat } from "@web/core/utils/numbers";
import { formatInteger, formatPercentage } from "@web/views/fields/formatters";
import { formatClock } from "@crm_telephony/clock/clock_field";
import { countChange, meanChange, shareChange } from "@crm_telephony/figures/change";
import { formatShare, labelled, LEAST, listOf, NOTHING, ofWhole } from "@crm_telephony/figures/figure_words";

/** What the service level may be counted of; the first is ours. */
export function serviceLevels() {
    return [
        ["service_level", _t("of offered, less short abandons")],
        ["service_level_offered", _t("of offered")],
        ["service_level_answered", _t("of answered")],
        ["service_level_answered_and_abandoned", _t("of answered and abandoned")],
        ["service_level_answered_and_abandoned_not_short", _t("of answered and abandoned, less short abandons")],
    ];
}

/** How the amount of a change is told. */
const AMOUNTS = {
    points: (by) => _t("%s points", formatFloat(Math.abs(by) * 100, { digits: [false, 1] })),
    seconds: (by) => formatClock(Math.abs(by)),
    percent: (by) => formatPercentage(Math.abs(by), { digits: [false, 0] }),
};

/**
 * Returns a change in words.
 *
 * @param {import("@crm_telephony/figures/change").Change | null} change
 * @param {"points" | "seconds" | "percent"} unit
 * @param {"less" | "more"} [better] which way is the good one, if one is
 * @returns {{ text: string, words: string, isClear: boolean, isGood: boolean | undefined } | null}
 */
export function tellChange(change, unit, better) {
    if (!change) {
        return null;
    }
    if (!change.isClear) {
        return { text: _t("not clear"), words: _t("A change from the time before is not clear"), isClear: false };
    }
    const amount = AMOUNTS[unit](change.by);
    const isLess = change.by < 0;
    return {
        text: `${isLess ? "▼" : "▲"} ${amount}`,
        words: isLess ? _t("%s less than before", amount) : _t("%s more than before", amount),
        isClear: true,
        isGood: better && isLess === (better === "less"),
    };
}

/** Returns a tile with what follows from its facts: its colour, and the sentence that a screen reader says. */
export function tile(facts) {
    const { label, value, part, change, target } = facts;
    const isMissed = target?.isMet === false;
    return {
        notes: [],
        ...facts,
        target: target && [target.text, isMissed ? _t("missed") : target.isMet ? _t("met") : ""].filter(Boolean).join(" · "),
        // red is kept for what is both bad and hardly chance
        level: !change?.isClear ? "" : change.isGood ? "success" : change.isGood === false && isMissed ? "danger" : "",
        sentence: [`${label}: ${value}`, part, change?.words, target?.text, isMissed && _t("missed")].filter(Boolean).join(". "),
    };
}

const wholePercent = (percent) => formatPercentage(percent / 100, { digits: [false, 0] });

/** Returns a target for a share; of few calls nobody says whether it is met. */
function shareTarget(text, { n, d }, isMet) {
    return { text, isMet: d < LEAST ? undefined : isMet((100 * n) / d) };
}

/**
 * Returns the tiles of the figures.
 *
 * @param {object} board what `telephony.report.get_board` tells
 * @param {object | null} before what its `get_before` tells, once it does
 * @param {string} level which of the service levels is shown
 * @returns {object[]} `open` is what a click opens; a note that opens something has one of its own
 */
export function makeTiles(board, before, level) {
    const { counts, shares, times, callers, owed, settings } = board;
    const note = (name) => ({ text: labelled(listOf(board, name)), open: listOf(board, name) });
    const definition = (name) => ({ label: counts[name].label, help: counts[name].help });
    const change = (name, better) => before && tellChange(shareChange(shares[name], before.shares[name]), "points", better);

    /** What tiles of a share have in common. */
    const share = (id, name, better) => ({
        id,
        value: formatShare(shares[name]),
        part: ofWhole(shares[name]),
        change: change(name, better),
        definitions: [definition(shares[name].part), definition(shares[name].whole)],
        open: listOf(board, shares[name].part),
    });

    const lostCallers = ({ callers }) => ({ n: callers.debts_lost.value, d: callers.callers });
    const answers = ({ times, counts }) => ({ mean: times.answer_mean, deviation: times.answer_deviation, count: counts.answered.value });
    const inHours = shares.lost_call_rate_in_hours;
    const { n: lost, d: called } = lostCallers(board);
    return [
        tile({
            id: "lost_callers",
            label: _t("Lost Callers"),
            value: formatShare({ n: lost, d: called }),
            part: ofWhole({ n: lost, d: called }),
            change: before && tellChange(shareChange(lostCallers(board), lostCallers(before)), "points", "less"),
            target: shareTarget(
                _t("Target: at most %s", wholePercent(settings.target_lost_callers)),
                { n: lost, d: called },
                (percent) => percent <= settings.target_lost_callers
            ),
            notes: [
                { text: `${counts.calls_of_callers.label}: ${formatInteger(called)}`, open: { ...listOf(board, "calls_of_callers"), groupBy: "customer_number", count: called } },
                ...(counts.hidden.value ? [{ text: _t("+ %s hidden", formatInteger(counts.hidden.value)), open: listOf(board, "hidden") }] : []),
            ],
            definitions: [
                {
                    label: _t("Lost Callers"),
                    help: _t("Callers who got no answer, and with whom nobody has talked since. Each counts once, however often they called."),
                },
                definition("calls_of_callers"),
                definition("hidden"),
            ],
            open: { name: callers.debts_lost.label, model: "telephony.callback", domain: callers.debts_lost.domain, count: lost },
        }),
        tile({
            ...share("lost_calls", "lost_call_rate", "less"),
            label: _t("Lost Calls"),
            notes: [
                note("offered"),
                ...(inHours.d
                    ? [{ text: _t("In working hours: %(share)s", { share: formatShare(inHours) }), open: listOf(board, "lost_in_hours") }]
                    : []),
                ...(counts.blocked.value
                    ? [{ text: _t("+ %s could not get in", formatInteger(counts.blocked.value)), open: listOf(board, "blocked") }]
                    : []),
            ],
        }),
        tile({
            id: "answer",
            label: _t("Time to Answer"),
            value: formatClock(times.answer_mean) || NOTHING,
            part: counts.answered.value
                ? _t("median %(median)s, 9 of 10 within %(p90)s", {
                      median: formatClock(times.answer_median),
                      p90: formatClock(times.answer_p90),
                  })
                : "",
            change: before && tellChange(meanChange(answers(board), answers(before)), "seconds", "less"),
            target: {
                text: _t("Target: at most %s", formatClock(settings.target_wait_seconds)),
                isMet: counts.answered.value < LEAST ? undefined : times.answer_mean <= settings.target_wait_seconds,
            },
            notes: [note("answered")],
            definitions: [
                {
                    label: _t("Time to Answer"),
                    help: _t("Mean time from the moment when a phone or queue took the caller, to the answer. The menu does not count."),
                },
                definition("answered"),
            ],
            open: { ...listOf(board, "answered"), orderBy: "wait_seconds" },
        }),
        tile({
            ...share("service_level", level, "more"),
            label: _t("Service Level"),
            part: [_t("within %s s", settings.service_seconds), ofWhole(shares[level])].filter(Boolean).join(" · "),
            target: shareTarget(
                _t("Target: at least %s", wholePercent(settings.service_percent)),
                shares[level],
                (percent) => percent >= settings.service_percent
            ),
            notes: [note(shares[level].whole)],
        }),
        tile({
            ...share("short_talks", "short_talk_share", "less"),
            label: _t("Short Talks"),
            target: shareTarget(
                _t("Target: at most %s", wholePercent(settings.target_short_talks)),
                shares.short_talk_share,
                (percent) => percent <= settings.target_short_talks
            ),
            notes: [note("talked")],
        }),
        tile({
            id: "owed",
            label: _t("Still Owed Now"),
            value: formatInteger(owed.value),
            part: owed.money ? formatCurrency(owed.money, owed.currency_id, { humanReadable: true }) : "",
            notes: owed.late ? [{ text: _t("%s late", formatInteger(owed.late)), open: owedList(owed.late_domain, owed.late) }] : [],
            definitions: [{ label: _t("Still Owed Now"), help: _t("Callbacks that are open at this moment, whatever the period and the filters.") }],
            open: owedList(owed.domain, owed.value),
        }),
    ];
}

/** Returns the callback board with these callbacks. */
function owedList(domain, count) {
    return { name: _t("Callbacks"), model: "telephony.callback", views: ["kanban", "list", "form"], domain, count };
}

/** Returns how the number of offered calls has changed, in words. */
export function offeredChange(board, before) {
    return before && tellChange(countChange(board.counts.offered.value, before.counts.offered.value), "percent");
}
