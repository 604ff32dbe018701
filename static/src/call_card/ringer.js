import { browser } from "@web/core/browser/browser";

const EVERY = 4000;
const TONES = [440, 480];

/**
 * Plays a ringing tone that the browser makes itself, so that nothing is downloaded. It stays silent where the browser allows no
 * sound before the user has touched the page, or has none at all.
 */
export class Ringer {
    start() {
        this.stop();
        try {
            this.audio = new window.AudioContext();
        } catch {
            return;
        }
        this.ring();
        this.timer = browser.setInterval(() => this.ring(), EVERY);
    }

    async ring() {
        const { audio } = this;
        try {
            await audio.resume();
            if (audio !== this.audio || audio.state !== "running") {
                return;
            }
            const volume = audio.createGain();
            volume.gain.setValueAtTime(0, audio.currentTime);
            for (const begin of [0, 0.8]) {
                volume.gain.linearRampToValueAtTime(0.06, audio.currentTime + begin + 0.05);
                volume.gain.setValueAtTime(0.06, audio.currentTime + begin + 0.4);
                volume.gain.linearRampToValueAtTime(0, audio.currentTime + begin + 0.5);
            }
            volume.connect(audio.destination);
            for (const frequency of TONES) {
                const tone = audio.createOscillator();
                tone.frequency.value = frequency;
                tone.connect(volume);
                tone.start();
                tone.stop(audio.currentTime + 1.5);
            }
        } catch {
            // blocked: the phone itself rings anyway
        }
    }

    stop() {
        browser.clearInterval(this.timer);
        this.audio?.close().catch(() => {});
        this.audio = undefined;
    }
}
