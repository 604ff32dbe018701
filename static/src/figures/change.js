/** Of so many standard deviations is an interval that holds the truth 95 times of 100. */
const Z = 1.96;

/**
 * A change from the period before.
 *
 * @typedef {{ by: number, isClear: boolean }} Change `isClear` says that it is hardly chance
 */

/** Returns the bounds between which the true share lies (Wilson). */
function wilson({ n, d }) {
    const share = n / d;
    const middle = share + Z ** 2 / (2 * d);
    const half = Z * Math.sqrt((share * (1 - share)) / d + Z ** 2 / (4 * d ** 2));
    return [middle - half, middle + half].map((bound) => bound / (1 + Z ** 2 / d));
}

/**
 * Returns the bounds between which the true difference of two shares lies (Newcombe).
 *
 * @param {{ n: number, d: number }} now
 * @param {{ n: number, d: number }} before
 * @returns {[number, number]} 0.1 is ten points
 */
export function newcombe(now, before) {
    const [p, q] = [now.n / now.d, before.n / before.d];
    const [[pLow, pHigh], [qLow, qHigh]] = [wilson(now), wilson(before)];
    return [p - q - Math.hypot(p - pLow, qHigh - q), p - q + Math.hypot(pHigh - p, q - qLow)];
}

/**
 * Returns by how much a share has changed.
 *
 * @param {{ n: number, d: number }} now
 * @param {{ n: number, d: number }} before
 * @returns {Change | null} null if there is nothing to compare
 */
export function shareChange(now, before) {
    if (!now.d || !before.d) {
        return null;
    }
    const [low, high] = newcombe(now, before);
    return { by: now.n / now.d - before.n / before.d, isClear: low > 0 || high < 0 };
}

/**
 * Returns by what part of the former count a count has changed.
 *
 * @param {number} now
 * @param {number} before
 * @returns {Change | null} null if there is nothing to compare
 */
export function countChange(now, before) {
    return before ? { by: (now - before) / before, isClear: Math.abs(now - before) >= 2 * Math.sqrt(now + before) } : null;
}

/**
 * Returns by how much a mean has changed.
 *
 * @param {{ mean: number | null, deviation: number | null, count: number }} now `deviation` is null of fewer than two
 * @param {{ mean: number | null, deviation: number | null, count: number }} before
 * @returns {Change | null} null if there is nothing to compare
 */
export function meanChange(now, before) {
    if (!now.count || !before.count) {
        return null;
    }
    const by = now.mean - before.mean;
    const isKnown = now.deviation !== null && before.deviation !== null;
    const error = Math.hypot(now.deviation / Math.sqrt(now.count), before.deviation / Math.sqrt(before.count));
    return { by, isClear: isKnown && by !== 0 && Math.abs(by) >= Z * error };
}
