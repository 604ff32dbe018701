import { _t } from "@web/core/l10n/translation";
import { formatInteger, formatPercentage } from "@web/views/fields/formatters";

const { DateTime, Info, Interval } = luxon;

/** A share of fewer than so many is told as a fraction and not judged, because its per cents would say nothing. */
export const LEAST = 20;
/** What is told of nothing. */
export const NOTHING = "–";

/**
 * Returns a share in words: {n: 61, d: 492} → "12.4%", {n: 5, d: 14} → "5/14", {n: 0, d: 0} → "–".
 *
 * @param {{ n: number, d: number }} share
 * @param {number} [decimals]
 * @returns {string}
 */
export function formatShare({ n, d }, decimals = 1) {
    if (!d) {
        return NOTHING;
    }
    return d < LEAST ? `${n}/${d}` : formatPercentage(n / d, { digits: [false, decimals] });
}

/**
 * Returns whole days in words: one day, or from the first to the last.
 *
 * @param {{ first: string, last: string }} span ISO dates, both included
 * @param {object} [format] as luxon takes it
 * @returns {string}
 */
export function formatSpan({ first, last }, format = DateTime.DATE_MED) {
    const [begin, end] = [DateTime.fromISO(first), DateTime.fromISO(last)];
    return first === last ? begin.toLocaleString(format) : Interval.fromDateTimes(begin, end).toLocaleString(format);
}

/** Returns a share in full words, "" of nothing: {n: 61, d: 492} → "61 of 492". */
export function ofWhole({ n, d }) {
    return d ? _t("%(n)s of %(d)s", { n: formatInteger(n), d: formatInteger(d) }) : "";
}

/** Returns an hour of the week in words: {weekday: 1, hour: 11} → "Tue 11–12". */
export function formatHour({ weekday, hour }) {
    return `${Info.weekdays("short")[weekday]} ${hour}–${hour + 1}`;
}

/**
 * Returns what a click on a count opens: the very calls that it counted.
 *
 * @param {object} board what `telephony.report.get_board` tells
 * @param {string} name of one of its counts
 * @returns {{ name: string, domain: Array, count: number }}
 */
export function listOf(board, name) {
    const { label, domain, value } = board.counts[name];
    return { name: label, domain, count: value };
}

/** Returns a count with its name: "Offered: 1,500". */
export function labelled({ name, count }) {
    return `${name}: ${formatInteger(count)}`;
}
