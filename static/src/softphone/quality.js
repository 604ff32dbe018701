/** How often (ms) a talk is measured. */
export const EVERY = 5_000;
/** A microphone whose energy grows by less in that time is silent. */
const SILENCE = 1e-6;
const BAD_LOSS = 5;

/**
 * Returns an estimate of how a line sounds, from 1 to 4.41: the short E-model of ITU-T G.107 for G.711 with packet loss
 * concealment.
 *
 * @param {number} loss in percent
 * @param {number} delay one way, in ms
 */
export function mos(loss, delay = 0) {
    const impairment = (95 * loss) / (loss + 25.1);
    const lateness = 0.024 * delay + (delay > 177.3 ? 0.11 * (delay - 177.3) : 0);
    const r = Math.max(0, Math.min(93.2 - impairment - lateness, 100));
    return Math.max(1, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6);
}

/** Reads what a browser knows of a talk's sound out of its reports. */
export function read(reports) {
    const all = [...reports.values()];
    const of = (type) => all.find((report) => report.type === type && (report.kind || "audio") === "audio") || {};
    const inbound = of("inbound-rtp");
    const remote = of("remote-inbound-rtp");
    const pair = all.find((report) => report.type === "candidate-pair" && report.nominated) || {};
    const local = all.find((report) => report.id === pair.localCandidateId) || {};
    return {
        received: inbound.packetsReceived || 0,
        lost: inbound.packetsLost || 0,
        jitter: (inbound.jitter || 0) * 1000,
        lossOut: (remote.fractionLost || 0) * 100,
        rtt: (remote.roundTripTime ?? pair.currentRoundTripTime ?? 0) * 1000,
        energy: of("media-source").totalAudioEnergy,
        codec: (all.find((report) => report.id === inbound.codecId)?.mimeType || "").replace("audio/", ""),
        relay: local.candidateType === "relay",
    };
}

/** Measures one talk. */
export class Quality {
    constructor() {
        this.samples = [];
        this.lossOut = 0;
    }

    /**
     * Takes what was read now.
     *
     * @param {ReturnType<typeof read>} now
     * @param {{ isMuted: boolean, isHeld: boolean }} call
     * @returns {"" | "no_sound" | "silent_microphone" | "bad_in" | "bad_out"} what to tell the user
     */
    add(now, { isMuted, isHeld }) {
        const { before } = this;
        this.before = now;
        if (!before) {
            return "";
        }
        const received = now.received - before.received;
        const lost = Math.max(now.lost - before.lost, 0);
        const lossIn = received + lost > 0 ? (100 * lost) / (received + lost) : 0;
        if (isHeld) {
            return "";
        }
        this.samples.push({ ...now, lossIn, mos: mos(Math.max(lossIn, now.lossOut), now.rtt / 2 + now.jitter) });
        if (!received) {
            return "no_sound";
        }
        if (!isMuted && now.energy !== undefined && now.energy - before.energy < SILENCE) {
            return "silent_microphone";
        }
        return now.lossOut >= BAD_LOSS ? "bad_out" : lossIn >= BAD_LOSS ? "bad_in" : "";
    }

    /** Returns what the server keeps of it, undefined if the talk was too short to be measured. */
    report() {
        const { samples } = this;
        if (!samples.length) {
            return undefined;
        }
        const average = (name) => samples.reduce((sum, sample) => sum + sample[name], 0) / samples.length;
        const rounded = (value) => Math.round(value * 100) / 100;
        return {
            mos_avg: rounded(average("mos")),
            mos_min: rounded(Math.min(...samples.map((sample) => sample.mos))),
            loss_in: rounded(average("lossIn")),
            loss_out: rounded(average("lossOut")),
            jitter: rounded(average("jitter")),
            rtt: rounded(average("rtt")),
            codec: samples.at(-1).codec,
            relay: samples.at(-1).relay,
        };
    }
}
