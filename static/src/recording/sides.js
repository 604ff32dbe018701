/**
 * Plays both channels of a sound, or one of them, in both ears. The browser decodes as it plays: a talk of an hour takes no more
 * memory than one of a minute.
 */
export class Sides {
    /** @param {HTMLAudioElement} audio plays through these sides from now on */
    constructor(audio) {
        this.context = new AudioContext();
        const splitter = this.context.createChannelSplitter(2);
        this.gains = [0, 1].map((channel) => {
            const gain = this.context.createGain();
            splitter.connect(gain, channel);
            gain.connect(this.context.destination);
            return gain;
        });
        this.context.createMediaElementSource(audio).connect(splitter);
    }

    /** @param {number | false} only the channel that alone is heard */
    hear(only) {
        this.context.resume();
        this.gains.forEach(({ gain }, channel) => {
            gain.value = only === false || only === channel ? 1 : 0;
        });
    }

    close() {
        this.context.close();
    }
}
