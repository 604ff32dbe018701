/** Below this part of the loudest point nobody speaks, and below this loudness (of 1) neither. */
const QUIET = 0.05;
const NOISE = 0.01;
/** How long (s) nobody speaks where a player that skips silence jumps, and what it leaves of it at both ends. */
const SHORTEST_SILENCE = 2;
const LEFT_OF_SILENCE = 0.4;

/**
 * Returns how loud a recording is, channel by channel, in as many points as the server has measured.
 *
 * @param {string} peaks base64 of one byte a point, channel after channel
 * @param {number} channels
 * @returns {Float32Array[]} 0 to 1
 */
export function lanesOf(peaks, channels) {
    const bytes = Uint8Array.from(atob(peaks), (letter) => letter.charCodeAt(0));
    const points = Math.floor(bytes.length / channels);
    return Array.from({ length: channels }, (_, index) =>
        Float32Array.from(bytes.subarray(index * points, (index + 1) * points), (byte) => byte / 255)
    );
}

/**
 * Returns the lanes louder, all by as much, so that a quiet recording is seen too.
 *
 * @param {Float32Array[]} lanes
 */
export function amplified(lanes) {
    const most = Math.max(loudestOf(lanes), NOISE);
    return lanes.map((lane) => lane.map((point) => point / most));
}

/**
 * Returns the parts of a recording, as seconds from and to, that may be left out when silence is skipped.
 *
 * @param {Float32Array[]} lanes
 * @param {number} seconds how long the recording is
 * @returns {[number, number][]} in the order of time
 */
export function silencesOf(lanes, seconds) {
    const points = lanes[0]?.length || 0;
    const limit = Math.max(loudestOf(lanes) * QUIET, NOISE);
    const isSilent = (index) => lanes.every((lane) => lane[index] < limit);
    const silences = [];
    for (let start = 0, end; start < points; start = end + 1) {
        for (end = start; end < points && isSilent(end); end++);
        const [from, to] = [start, end].map((index) => (index * seconds) / points);
        if (to - from >= SHORTEST_SILENCE) {
            silences.push([from + LEFT_OF_SILENCE, to - LEFT_OF_SILENCE]);
        }
    }
    return silences;
}

const loudestOf = (lanes) => lanes.reduce((most, lane) => lane.reduce((a, b) => Math.max(a, b), most), 0);
