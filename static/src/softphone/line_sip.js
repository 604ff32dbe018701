/* global crmTelephonySip */

import { registry } from "@web/core/registry";
import { everySecond, Watch, WatchedSocket } from "@crm_telephony/softphone/watch";

/** How long (ms) a call waits for more ways of the sound, once there is one. A dead STUN server would hold it for 40 s. */
const ICE_WAIT = 800;
/** A connection that broke is put together again after this time (ms); a shorter gap heals by itself. */
const ICE_RESTART = 2_000;
const KEY_GAP = 80;
const KEY_LENGTH = 120;
const NEVER = 86_400;
/** What the codes of SIP mean to people, see `ENDS` of phone_words.js. */
const REASONS = {
    404: "unknown_number", 408: "no_answer", 480: "no_answer", 484: "unknown_number", 486: "busy", 487: "cancelled",
    488: "codec", 600: "busy", 603: "declined", 606: "codec",
};

/** Returns the text of a header that may have been sent by anybody, without what no number or name holds. */
function clean(text, longest = 80) {
    // eslint-disable-next-line no-control-regex
    return String(text || "").replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "").slice(0, longest);
}

/** Returns the number of who calls, "" if they hide it. */
function numberOf(uri) {
    const number = clean(uri?.user, 40);
    return /^\+?[\d*#]+$/.test(number) ? number : "";
}

/** One call of this phone. Its owner reads the fields; `line.changed` tells of their changes. */
class SipCall {
    constructor(line, session, facts) {
        Object.assign(this, {
            line, session, isHeld: false, isMuted: false, isResumed: false, why: "", since: Date.now(), number: "", name: "", reconnects: 0, ...facts,
        });
        this.id = facts.id || `${Date.now()}-${Math.random().toString(36).slice(2)}`;
        this.bind();
    }

    bind() {
        const { session } = this;
        const hear = (peer) => this.hear(peer.peerconnection || peer);
        if (session.connection) {
            hear(session.connection);
        } else {
            session.on("peerconnection", hear);
        }
        session.on("icecandidate", ({ candidate, ready }) => this.gather(candidate, ready));
        session.on("progress", ({ originator, response }) => {
            if (originator === "remote") {
                this.isRingingThere = true;
                this.hasEarlySound = Boolean(response?.body);
                this.line.changed(this);
            }
        });
        session.on("accepted", ({ originator }) => {
            if (originator === "remote") {
                this.talk();
            }
        });
        session.on("confirmed", () => this.talk());
        session.on("ended", (event) => this.end(event));
        session.on("failed", (event) => this.end(event));
        // nobody may move this talk elsewhere but its own user
        session.on("refer", ({ reject }) => reject());
        session.on("replaces", ({ reject }) => reject());
    }

    talk() {
        if (this.state !== "talking" && this.state !== "ended") {
            this.state = "talking";
            this.since = this.resumedSince || Date.now();
            this.line.changed(this);
        }
    }

    end({ cause, message, originator }) {
        if (this.state === "ended") {
            return;
        }
        const code = message?.status_code;
        const reason = message?.getHeader?.("Reason") || "";
        this.why = /cause=200|completed elsewhere/i.test(reason)
            ? "elsewhere"
            : originator === "local" && cause === "Canceled"
              ? ""
              : cause === "Incompatible SDP"
                ? "codec"
                : cause === "Connection Error" || cause === "Dialog Error"
                  ? "connection"
                  : REASONS[code] || (code >= 400 ? "failed" : "");
        this.wasTalk = this.state === "talking";
        this.isEndedByUs = originator === "local";
        this.state = "ended";
        clearTimeout(this.iceTimer);
        clearTimeout(this.gatherTimer);
        this.stream?.getTracks().forEach((track) => track.stop());
        this.stopSound?.();
        this.line.forget(this);
    }

    // -- the sound

    hear(peer) {
        this.peer = peer;
        peer.addEventListener("track", ({ track }) => {
            this.stopSound?.();
            this.remote = new MediaStream([track]);
            this.stopSound = this.line.play(this.remote);
        });
        peer.addEventListener("iceconnectionstatechange", () => {
            clearTimeout(this.iceTimer);
            if (["disconnected", "failed"].includes(peer.iceConnectionState)) {
                this.iceTimer = setTimeout(() => this.restartIce(), ICE_RESTART);
            }
        });
    }

    /** Sends the offer as soon as the ways of the sound are known that are wanted. */
    gather(candidate, ready) {
        const { servers, policy } = this.line.grant.ice;
        const urls = servers.flatMap((server) => server.urls);
        const kinds = (this.kinds ||= new Set());
        kinds.add(candidate.type || / typ (\w+)/.exec(candidate.candidate)?.[1]);
        const wanted = [
            policy !== "relay" && "host",
            policy !== "relay" && urls.some((url) => url.startsWith("stun")) && "srflx",
            urls.some((url) => url.startsWith("turn")) && "relay",
        ].filter(Boolean);
        clearTimeout(this.gatherTimer);
        if (wanted.every((kind) => kinds.has(kind))) {
            ready();
        } else {
            this.gatherUntil ||= Date.now() + ICE_WAIT;
            this.gatherTimer = setTimeout(ready, Math.max(this.gatherUntil - Date.now(), 0));
        }
    }

    restartIce() {
        if (this.line.isUp && this.state === "talking" && this.session.isReadyToReOffer()) {
            this.session.renegotiate({ rtcOfferConstraints: { iceRestart: true } });
        }
    }

    /** Tells the PBX where we are after a new connection: else it looks for us at the old one, and its hang-up never comes. */
    refresh() {
        if (this.state !== "talking" || !this.session.isReadyToReOffer()) {
            return;
        }
        if (["connected", "completed"].includes(this.peer?.iceConnectionState)) {
            this.session.renegotiate({ useUpdate: true });
        } else {
            this.restartIce();
        }
    }

    // -- what people do

    async answer() {
        if (this.state !== "ringing" || this.isAnswering) {
            return;
        }
        this.isAnswering = true;
        try {
            this.stream = await this.line.openMicrophone();
        } finally {
            this.isAnswering = false;
        }
        if (this.state !== "ringing") {
            this.stream.getTracks().forEach((track) => track.stop());
            return;
        }
        this.session.answer({ mediaStream: this.stream, pcConfig: this.line.pcConfig });
    }

    /** @param {number} [code] 480: this phone does not take it, others may; 486: it is busy */
    decline(code = 480) {
        if (this.state === "ringing") {
            this.session.terminate({ status_code: code });
        }
    }

    hangUp() {
        if (this.state !== "ended") {
            this.session.terminate();
        }
    }

    mute(isMuted) {
        this.session[isMuted ? "mute" : "unmute"]({ audio: true });
        this.isMuted = isMuted;
        this.line.changed(this);
    }

    /**
     * Puts the customer on hold or takes them back. What is shown follows the PBX's answer.
     *
     * JsSIP's own `hold` hangs up if the PBX refuses; so the offer is made here.
     */
    hold(isHeld) {
        this.line.needConnection();
        const { session } = this;
        if (this.state !== "talking" || this.isHeld === isHeld || !session.isReadyToReOffer()) {
            return Promise.resolve();
        }
        const say = () => {
            session._localHold = isHeld;
            session[isHeld ? "_onhold" : "_onunhold"]("local");
        };
        return new Promise((resolve, reject) => {
            say();
            session._sendReinvite({
                eventHandlers: {
                    succeeded: () => {
                        this.isHeld = isHeld;
                        this.line.changed(this);
                        resolve();
                    },
                    failed: async () => {
                        session._localHold = !isHeld;
                        session[isHeld ? "_onunhold" : "_onhold"]("local");
                        await this.peer.setLocalDescription({ type: "rollback" }).catch(() => {});
                        this.line.changed(this);
                        reject(new Error("hold_refused"));
                    },
                },
            });
        });
    }

    keys(keys) {
        this.line.needConnection();
        const tones = keys.replace(/[^\d*#A-D,]/gi, "").slice(0, 64);
        if (tones && this.state === "talking") {
            this.session.sendDTMF(tones, {
                transportType: "RFC2833", duration: KEY_LENGTH, interToneGap: KEY_GAP,
            });
        }
    }

    /**
     * Passes the customer on to a number, or joins them with the other party of `consultation`. Our side is hung up only when the
     * PBX says that it worked, so that a transfer that fails leaves the customer with us.
     */
    async pass(number, consultation) {
        this.line.needConnection();
        const target = consultation ? consultation.session.remote_identity.uri.toString() : this.line.address(number);
        await new Promise((resolve, reject) => {
            const fail = ({ status_line: line, response } = {}) =>
                reject(Object.assign(new Error("pass_failed"), { code: line?.status_code || response?.status_code }));
            this.session.refer(target, {
                ...(consultation && { extraHeaders: [], replaces: consultation.session }),
                eventHandlers: { accepted: resolve, failed: fail, requestFailed: fail },
            });
            setTimeout(() => reject(new Error("pass_failed")), 15_000);
        });
        this.hangUp();
    }

    /** Returns what takes this talk up again from another page. Whoever knows it has the talk. */
    token() {
        const { call_id, local_tag, remote_tag } = this.session._dialog?.id || {};
        const { id, since, number, name, direction, isHeld, isMuted, consultOf, inConference } = this;
        return call_id && {
            call_id, local_tag, remote_tag, id, since, number, name, direction, isHeld, isMuted, consultOf, inConference,
        };
    }

    get sipCallId() {
        return this.session._request?.call_id || "";
    }

    stats() {
        return this.peer?.getStats();
    }

    useMicrophone(stream) {
        this.stream?.getTracks().forEach((old) => old.stop());
        this.stream = stream;
        return this.send(stream);
    }

    /** Lets the other side hear a sound instead of the one that was sent till now. */
    send(stream) {
        const [track] = stream.getAudioTracks();
        track.enabled = !this.isMuted && !this.isHeld;
        return this.peer?.getSenders().find(({ track }) => track?.kind === "audio")?.replaceTrack(track);
    }
}

/** A phone by SIP over a websocket. Nothing else in the client knows SIP. */
export class SipLine {
    /**
     * @param {Object} wiring
     * @param {Object} wiring.grant what the server gave, see `_grant` of models/softphone/extension.py
     * @param {() => Promise<MediaStream>} wiring.openMicrophone
     * @param {(stream: MediaStream) => () => void} wiring.play lets a call be heard, until it is stopped
     * @param {(state: string, why?: string) => void} wiring.onState "connecting", "ready", "lost" or "refused"
     * @param {(call: SipCall) => void} wiring.onCall somebody calls
     * @param {(call: SipCall) => void} wiring.onChange a call has changed or is over
     */
    constructor({ grant, openMicrophone, play, onState, onCall, onChange }) {
        Object.assign(this, { grant, openMicrophone, play, onState, onCall, onChange, calls: new Set() });
        this.isRegistered = false;
        this.refusals = 0;
    }

    get isUp() {
        return this.isRegistered && this.socket.isConnected();
    }

    get pcConfig() {
        const { servers, policy } = this.grant.ice;
        return { iceServers: servers, iceTransportPolicy: policy };
    }

    start() {
        const { grant } = this;
        this.socket = new WatchedSocket(grant.url);
        const secret = grant.ha1 ? { ha1: grant.ha1, realm: grant.realm } : { password: grant.password };
        const ua = (this.ua = new crmTelephonySip.UA({
            ...secret,
            sockets: [this.socket],
            uri: `sip:${grant.login}@${grant.domain}`,
            authorization_user: grant.login,
            display_name: grant.name,
            register_expires: 300,
            session_timers: false,
            // the socket itself connects again
            connection_recovery_min_interval: NEVER - 1,
            connection_recovery_max_interval: NEVER,
        }));
        this.watch = new Watch({
            socket: this.socket,
            ping: () => ua.sendOptions(`sip:${grant.domain}`),
            isTalking: () => this.calls.size > 0,
            isRegistered: () => this.isRegistered,
        });
        ua.on("connected", () => this.watch.connected(performance.now()));
        ua.on("disconnected", () => {
            this.isRegistered = false;
            this.calls.forEach((call) => call.reconnects++);
            this.onState("lost");
        });
        ua.on("registered", () => {
            const isNew = !this.isRegistered;
            this.isRegistered = true;
            this.refusals = 0;
            this.onState("ready");
            if (isNew) {
                this.calls.forEach((call) => call.refresh());
            }
        });
        ua.on("registrationFailed", ({ response, cause }) => this.refused(response?.status_code, cause));
        ua.on("newRTCSession", ({ session, originator }) => {
            if (originator === "remote") {
                const { uri, display_name: name } = session.remote_identity;
                const number = numberOf(uri);
                const call = new SipCall(this, session, {
                    direction: "inbound", state: "ringing", number, name: clean(name) === number ? "" : clean(name),
                });
                this.calls.add(call);
                this.onCall(call);
            }
        });
        this.onState("connecting");
        this.stopTicks = everySecond((now) => this.watch.tick(now));
        this.wake = () => this.socket.hurry();
        window.addEventListener("online", this.wake);
        ua.start();
    }

    stop() {
        this.stopTicks?.();
        window.removeEventListener("online", this.wake);
        this.isRegistered = false;
        this.ua?.stop();
    }

    /** A wrong password is not tried again and again, because PBXs lock out who does that. */
    refused(code, cause) {
        this.isRegistered = false;
        if ([401, 403, 404, 407].includes(code) || cause === "Authentication Error") {
            this.stop();
            this.onState("refused", code === 404 ? "unknown_phone" : "wrong_password");
        }
    }

    /** @throws {Error} no request may be sent now: JsSIP would hang up, and the PBX keep the customer */
    needConnection() {
        if (!this.isUp) {
            throw new Error("no_connection");
        }
    }

    address(number) {
        return `sip:${number.replace(/[^\d*#+\w.-]/g, "")}@${this.grant.domain}`;
    }

    async dial(number, { nonce, stream: given, ...facts } = {}) {
        this.needConnection();
        const stream = given || (await this.openMicrophone());
        return this.invite(number, nonce ? [`X-Telephony-Dial: ${nonce}`] : [], stream, { number, ...facts });
    }

    /** Takes up a talk that another page had. */
    async resume(token) {
        const { call_id: id, local_tag: local, remote_tag: remote, since, isHeld, isMuted, ...facts } = token;
        const stream = await this.openMicrophone();
        const replaces = `Replaces: ${id};to-tag=${remote};from-tag=${local}`;
        const call = this.invite(this.grant.number, [replaces], stream, { ...facts, isResumed: true, resumedSince: since });
        call.whenTalking = async () => {
            if (isMuted) {
                call.mute(true);
            }
            if (isHeld) {
                await call.hold(true);
            }
        };
        return call;
    }

    invite(number, extraHeaders, mediaStream, facts) {
        const session = this.ua.call(this.address(number), {
            mediaStream, extraHeaders, pcConfig: this.pcConfig, mediaConstraints: { audio: true, video: false },
        });
        const call = new SipCall(this, session, { direction: "outbound", state: "dialling", stream: mediaStream, ...facts });
        this.calls.add(call);
        this.onChange(call);
        return call;
    }

    changed(call) {
        if (call.state === "talking" && call.whenTalking) {
            const { whenTalking } = call;
            call.whenTalking = undefined;
            whenTalking().catch(() => {});
        }
        this.onChange(call);
    }

    forget(call) {
        this.calls.delete(call);
        this.onChange(call);
    }
}

registry.category("crm_telephony.lines").add("sip", SipLine);
