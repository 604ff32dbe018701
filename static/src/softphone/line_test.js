/** How long (ms) each step may take. */
const WAITS = { socket: 5_000, register: 8_000, ice: 4_000, answer: 12_000, sound: 6_000, level: 1_500, look: 250 };
/** A microphone that gives less than that is silent, and so is an echo of our tone. */
const SILENCE = 1e-5;
/** What a step cannot be looked at without. */
const NEEDS = {
    microphone: ["page"], level: ["microphone"], certificate: ["address"], registration: ["address"], stun: ["address"], turn: ["address"],
    echo: ["registration", "microphone"], sound: ["echo"],
};
const ECHO_ENDS = { unknown_number: "echo_unknown", no_answer: "echo_silent", busy: "echo_silent", codec: "codec" };

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Returns whether something becomes true in time. */
async function becomes(isTrue, patience) {
    const end = Date.now() + patience;
    while (!(await isTrue())) {
        if (Date.now() > end) {
            return false;
        }
        await pause(WAITS.look);
    }
    return true;
}

/** Returns why a server for the way of the sound gives no way, "" if it does. */
async function askIceServer(server, kind) {
    const peer = new RTCPeerConnection({ iceServers: [server], iceTransportPolicy: kind === "relay" ? "relay" : "all" });
    let found, error, isOver;
    peer.addEventListener("icecandidate", ({ candidate }) => {
        isOver ||= !candidate;
        found ||= candidate?.type === kind;
    });
    peer.addEventListener("icecandidateerror", ({ errorCode }) => (error = error === 401 ? 401 : errorCode));
    peer.createDataChannel("test");
    await peer.setLocalDescription(await peer.createOffer());
    await becomes(() => found || isOver, WAITS.ice);
    peer.close();
    if (found || (kind === "srflx" && isOver && !error)) {
        return ""; // without an own address behind a router there is nothing to find out
    }
    return kind === "srflx" ? "no_stun" : error === 401 ? "turn_login" : "no_turn";
}

/** Returns how loud (energy) a microphone was in a second. */
async function loudness(stream) {
    const audio = new AudioContext();
    try {
        const analyser = audio.createAnalyser();
        audio.createMediaStreamSource(stream).connect(analyser);
        const samples = new Float32Array(analyser.fftSize);
        let most = 0;
        await becomes(() => {
            analyser.getFloatTimeDomainData(samples);
            most = Math.max(most, ...samples.map(Math.abs));
            return most > SILENCE;
        }, WAITS.level);
        return most;
    } finally {
        audio.close();
    }
}

/** Makes a tone that is sent in place of the microphone, so that nobody has to speak. */
function makeTone() {
    const audio = new AudioContext();
    const [tone, volume, out] = [audio.createOscillator(), audio.createGain(), audio.createMediaStreamDestination()];
    volume.gain.value = 0.2;
    tone.frequency.value = 440;
    tone.connect(volume).connect(out);
    tone.start();
    audio.resume();
    return { stream: out.stream, stop: () => audio.close() };
}

/** Looks at everything that a talk in the browser needs, one after the other, and says at which step it fails. */
export class LineTest {
    /** @param {import("@crm_telephony/softphone/softphone").Softphone} phone */
    constructor(phone) {
        this.phone = phone;
        this.said = "";
        this.outcomes = {};
    }

    /** @param {(test: { isRunning: boolean, rows: Object[] }) => void} onProgress */
    async run(onProgress) {
        const { echo, steps } = await this.phone.server.plan();
        this.echoNumber = echo;
        const rows = steps.map((step) => ({ ...step, state: "waiting", text: "" }));
        const show = (values) => onProgress({ isRunning: true, rows, ...values });
        try {
            for (const row of rows) {
                row.state = "running";
                show();
                row.state = this.outcomes[row.name] = await this.look(row.name);
                row.state = ["ok", "skipped"].includes(row.state) ? row.state : "failed";
            }
            show();
            const judged = await this.phone.server.tested(this.outcomes, this.said);
            show({ isRunning: false, rows: judged });
        } catch (error) {
            show({ isRunning: false });
            throw error;
        } finally {
            this.call?.hangUp();
            this.tone?.stop();
        }
    }

    async look(name) {
        if ((NEEDS[name] || []).some((other) => this.outcomes[other] !== "ok")) {
            return "skipped";
        }
        return (await this[name]()) || "ok";
    }

    page() {
        return window.isSecureContext && navigator.mediaDevices ? "" : "insecure";
    }

    async microphone() {
        if (document.featurePolicy?.allowsFeature("microphone") === false) {
            return "microphone_policy";
        }
        try {
            this.stream = await this.phone.devices.openMicrophone();
            return "";
        } catch (error) {
            return error.message;
        }
    }

    async level() {
        const level = await loudness(this.stream);
        this.stream.getTracks().forEach((track) => track.stop());
        return level > SILENCE ? "" : "microphone_silent";
    }

    /** Odoo's server finds out why an address does not answer: a browser is not told. */
    async address() {
        const { state, line } = this.phone;
        if (state.line === "elsewhere") {
            return "elsewhere";
        }
        if (!line?.grant) {
            this.said = state.why;
            return "set_up";
        }
        if (state.line === "ready") {
            return "";
        }
        const socket = new WebSocket(line.grant.url, "sip");
        const isOpen = await becomes(() => socket.readyState !== WebSocket.CONNECTING, WAITS.socket);
        const outcome = isOpen && socket.readyState === WebSocket.OPEN ? "" : "blocked";
        socket.close();
        return outcome;
    }

    certificate() {
        return ""; // else there was no connection
    }

    async registration() {
        const { phone } = this;
        if (await becomes(() => phone.isReady || phone.state.line === "refused", WAITS.register)) {
            return phone.isReady ? "" : phone.state.why;
        }
        return "no_register";
    }

    iceServer(kind) {
        return this.phone.line.grant.ice.servers.find(({ urls }) => urls.some((url) => url.startsWith(kind)));
    }

    stun() {
        const server = this.iceServer("stun");
        return server ? askIceServer(server, "srflx") : "skipped";
    }

    turn() {
        const server = this.iceServer("turn");
        return server ? askIceServer(server, "relay") : "skipped";
    }

    async echo() {
        if (!this.echoNumber) {
            return "skipped";
        }
        this.tone = makeTone();
        this.call = await this.phone.line.dial(this.echoNumber, { stream: this.tone.stream });
        await becomes(() => ["talking", "ended"].includes(this.call.state), WAITS.answer);
        if (this.call.state === "ended") {
            return ECHO_ENDS[this.call.why] || "echo_failed";
        }
        return this.call.state === "talking" ? "" : "echo_silent";
    }

    async sound() {
        const heard = async () => {
            const reports = [...(await this.call.stats()).values()];
            return reports.find(({ type, kind }) => type === "inbound-rtp" && kind === "audio") || {};
        };
        const isBack = await becomes(async () => (await heard()).totalAudioEnergy > SILENCE, WAITS.sound);
        if (isBack) {
            return "";
        }
        return (await heard()).packetsReceived ? "not_heard" : "no_sound";
    }
}
