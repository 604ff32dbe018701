import { browser } from "@web/core/browser/browser";

/** Each sound: its tones (Hz), when each burst begins and ends (s), how loud it is, and after how long (ms) it comes again. */
export const SOUNDS = {
    ring: { tones: [440, 480], bursts: [[0, 0.4], [0.6, 1]], volume: 0.12, every: 3_000, device: "ring" },
    // in a talk: one soft beep, because a ring in the ear hurts
    waiting: { tones: [440], bursts: [[0, 0.2]], volume: 0.03, every: 5_000, device: "speaker" },
    dialling: { tones: [425], bursts: [[0, 1]], volume: 0.05, every: 4_000, device: "speaker" },
    ended: { tones: [425], bursts: [[0, 0.15], [0.3, 0.45]], volume: 0.04, device: "speaker" },
};

/** A browser that lets a page sound says so within this time (ms). */
const ALLOWED_WITHIN = 500;

/** Makes the sounds of the phone, one at a time, so that nothing is downloaded. */
export class Sounds {
    /** @param {import("@crm_telephony/softphone/devices").Devices} devices */
    constructor(devices, { onBlocked = () => {} } = {}) {
        Object.assign(this, { devices, onBlocked, playing: "" });
    }

    /** Plays a sound until another one is asked for, "" for silence. */
    async play(name) {
        if (name === this.playing) {
            return;
        }
        this.stop();
        this.playing = name;
        if (!name) {
            return;
        }
        const sound = SOUNDS[name];
        try {
            const audio = (this.audio = new window.AudioContext());
            await this.devices.route(audio, sound.device);
            this.burst(audio, sound);
            if (sound.every) {
                this.timer = browser.setInterval(() => this.burst(audio, sound), sound.every);
            }
        } catch {
            this.onBlocked();
        }
    }

    async burst(audio, { tones, bursts, volume }) {
        try {
            // a browser that allows no sound yet answers only after a click
            const allowed = audio.resume().then(() => true);
            const tooLate = new Promise((resolve) => browser.setTimeout(() => resolve(false), ALLOWED_WITHIN));
            if (!(await Promise.race([allowed, tooLate]))) {
                this.onBlocked();
            }
            if (audio !== this.audio) {
                return;
            }
            const gain = audio.createGain();
            gain.connect(audio.destination);
            const now = audio.currentTime;
            gain.gain.setValueAtTime(0, now);
            for (const [begin, end] of bursts) {
                gain.gain.linearRampToValueAtTime(volume, now + begin + 0.03);
                gain.gain.setValueAtTime(volume, now + end - 0.03);
                gain.gain.linearRampToValueAtTime(0, now + end);
            }
            for (const frequency of tones) {
                const tone = audio.createOscillator();
                tone.frequency.value = frequency;
                tone.connect(gain);
                tone.start();
                tone.stop(now + bursts.at(-1)[1] + 0.1);
            }
        } catch {
            this.onBlocked();
        }
    }

    stop() {
        browser.clearInterval(this.timer);
        this.audio?.close().catch(() => {});
        this.audio = undefined;
        this.playing = "";
    }

    /**
     * Lets the other side of a call be heard.
     *
     * @param {MediaStream} stream
     * @returns {() => void} stops it
     */
    hear(stream) {
        const speaker = new Audio();
        speaker.autoplay = true;
        speaker.srcObject = stream;
        this.devices.route(speaker, "speaker");
        speaker.play().catch(() => this.onBlocked());
        this.speaker = speaker;
        return () => {
            speaker.pause();
            speaker.srcObject = null;
        };
    }

    /** Moves what is heard now to the loudspeaker that was chosen just now. */
    reroute() {
        if (this.speaker?.srcObject) {
            this.devices.route(this.speaker, "speaker");
        }
    }
}
