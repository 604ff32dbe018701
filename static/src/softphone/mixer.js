/**
 * Lets two calls of the phone and its microphone hear each other: each call is sent the microphone and the other call. It is mixed
 * in the page, so the conference ends with it.
 */
export class Mixer {
    /** @param {Object[]} calls two talks, each with `stream` (our microphone), `remote` (what is heard) and `send` */
    constructor(calls) {
        this.calls = calls;
        const audio = (this.audio = new window.AudioContext());
        audio.resume();
        this.microphone = audio.createGain();
        this.stream = calls[0].stream.clone(); // muting a call silences the track that it sends
        this.stream.getTracks().forEach((track) => (track.enabled = true));
        audio.createMediaStreamSource(this.stream).connect(this.microphone);
        for (const call of calls) {
            const out = audio.createMediaStreamDestination();
            this.microphone.connect(out);
            const [other] = calls.filter((one) => one !== call);
            audio.createMediaStreamSource(other.remote).connect(out);
            call.send(out.stream);
        }
        this.mute(calls.some((call) => call.isMuted));
    }

    mute(isMuted) {
        this.microphone.gain.value = isMuted ? 0 : 1;
    }

    /** Sends each call that goes on the microphone alone again. */
    stop() {
        for (const call of this.calls) {
            if (call.state === "talking") {
                call.send(call.stream);
            }
        }
        this.stream.getTracks().forEach((track) => track.stop());
        this.audio.close();
    }
}
