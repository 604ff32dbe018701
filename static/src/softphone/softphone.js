import { reactive } from "@odoo/owl";
import { browser } from "@web/core/browser/browser";
import { Leader } from "@crm_telephony/softphone/leader";
import { LineTest } from "@crm_telephony/softphone/line_test";
import { Mixer } from "@crm_telephony/softphone/mixer";
import { Outbox } from "@crm_telephony/softphone/outbox";
import { paired } from "@crm_telephony/softphone/pairing";
import { EVERY, Quality, read } from "@crm_telephony/softphone/quality";

/** How long (ms) the phone shows how a call ended that has no card. */
const ENDED_STAYS = 6_000;
/** A card that has not come so long (ms) after the ring is asked for. */
const CARD_WAIT = 1_500;
/** After so long (ms) the server is asked again for the phone when it could not be reached. */
const CLAIM_AGAIN = 10_000;
/** So does a report of a talk's sound come again (ms). */
const REPORT_AGAIN = 60_000;
/** The browser that is the phone has so long (ms) to hand its talks over. */
const MOVE_WAIT = 4_000;
/** A talk that was left so long ago (ms) is not taken up again: the PBX has ended it. */
const TOKEN_AGE = 30_000;
/** How a call ended that nobody took, by its direction and the phone's reason. */
const OUTCOMES = {
    inbound: { other: "missed" },
    outbound: { busy: "busy", unknown_number: "failed", codec: "failed", failed: "failed", connection: "failed", other: "no_answer" },
};
const TOKENS = "crm_telephony.talks";
/** What a call shows to all tabs. */
const SHOWN = [
    "id", "direction", "number", "name", "state", "since", "isHeld", "isMuted", "isResumed", "why", "hasEarlySound", "consultOf",
    "trouble", "callId", "wasTalk", "inConference",
];

/**
 * The phone of this user in this browser. In one tab, the leader, it has the line to the PBX and the sound; in the others it shows
 * the same and hands on what is clicked.
 */
export class Softphone {
    /**
     * @param {Object} wiring
     * @param {{ claim: Function, renew: Function, report: Function, gone: Function }} wiring.server
     * @param {(kind: string) => Function | undefined} wiring.lineOf the class of a line
     * @param {LockManager} wiring.locks
     * @param {BroadcastChannel} wiring.channel
     * @param {string} wiring.lockName
     * @param {Storage} wiring.storage of this tab
     * @param {Storage} wiring.lasting of this browser
     * @param {string} wiring.browserId
     * @param {import("@crm_telephony/softphone/devices").Devices} wiring.devices
     * @param {import("@crm_telephony/softphone/sounds").Sounds} wiring.sounds
     * @param {{ calls: Object[], preferences: Object }} wiring.telephony the cards of this user
     * @param {() => void} wiring.askForCards
     * @param {(what: string, call?: Object) => void} wiring.onNews "ring", "ring_over", "ready", "not_ready"
     */
    constructor(wiring) {
        Object.assign(this, { mix: (calls) => new Mixer(calls) }, wiring);
        this.state = reactive({
            isLeader: false,
            line: "off",
            why: "",
            holder: false,
            number: "",
            pbx: "",
            calls: [],
            isSoundBlocked: false,
            lostAt: 0,
            test: false,
        });
        const { locks, channel, lockName: name } = this;
        this.tokens = [];
        this.live = new Map();
        this.qualities = new Map();
        this.outbox = new Outbox({ storage: this.lasting, key: `${name}.told`, send: (event) => this.server.event(this.lease, event) });
        this.leader = new Leader({
            locks, channel, name,
            onLead: () => this.lead(),
            onDeposed: () => this.step(),
            onState: ({ view, tokens }) => this.follow(view, tokens),
            onCommand: (command, args) => this[`do_${command}`](...args),
        });
        this.sounds.onBlocked = () => this.show({ isSoundBlocked: true });
        this.devices.onChange(() => this.sounds.reroute());
    }

    start() {
        this.leader.start();
    }

    /** Does what was clicked, in whichever tab. */
    ask(command, ...args) {
        return this.leader.ask(command, args);
    }

    get isReady() {
        return this.state.line === "ready";
    }

    /** Runs when the user does something in this tab, in browsers where that tab has to be the phone. Never while anybody talks. */
    used() {
        const isQuiet = this.state.line === "ready" && !this.state.calls.some((call) => call.state !== "ended");
        if (isQuiet && !this.state.isLeader) {
            this.leader.steal();
        }
    }

    // -- being the leader, or not

    follow(view, tokens) {
        const wasReady = this.isReady;
        this.storage.removeItem(TOKENS); // the leader has the talks
        this.tokens = tokens;
        Object.assign(this.state, view, { isLeader: false });
        this.tellReadiness(wasReady);
    }

    lead() {
        this.state.isLeader = true;
        const kept = this.readTokens();
        const left = kept.length ? kept : this.tokens;
        this.toResume = left.filter(({ savedAt }) => Date.now() - savedAt < TOKEN_AGE);
        this.state.calls = [];
        return this.claim();
    }

    /** Another tab has taken our place: it has the line now. */
    step() {
        this.stopLine();
        this.live.clear();
        Object.assign(this.state, { isLeader: false, calls: [] });
    }

    readTokens() {
        try {
            return JSON.parse(this.storage.getItem(TOKENS)) || [];
        } catch {
            return [];
        }
    }

    async claim(takeOver = false) {
        browser.clearTimeout(this.claiming);
        this.show({ line: "connecting", why: "", holder: false });
        let grant;
        try {
            grant = await this.server.claim(this.browserId, takeOver);
        } catch (error) {
            const said = error.data?.message; // the server's own words
            this.show({ line: said ? "problem" : "lost", why: said || "" });
            if (!said) {
                this.claiming = browser.setTimeout(() => this.claim(takeOver), CLAIM_AGAIN);
            }
            return;
        }
        if (grant.busy) {
            this.toResume = [];
            this.show({ line: "elsewhere", holder: grant.busy });
            return;
        }
        const Line = this.lineOf(grant.kind);
        if (!Line) {
            this.show({ line: "problem", why: "kind" });
            return;
        }
        this.lease = grant.lease;
        this.claimedAt = Date.now();
        browser.clearInterval(this.renewing);
        this.renewing = browser.setInterval(() => this.renew(), grant.renew_seconds * 1000);
        this.show({ number: grant.number, pbx: grant.pbx });
        this.line = new Line({
            grant,
            openMicrophone: () => this.devices.openMicrophone(),
            play: (stream) => this.sounds.hear(stream),
            onState: (state, why) => this.onLine(state, why),
            onCall: (call) => this.onCall(call),
            onChange: (call) => this.onChange(call),
        });
        this.line.start();
        if (grant.tells) {
            this.outbox.flush(); // what a page before could not tell
        }
    }

    /** Keeps the phone, or hears that another browser has it. A server that cannot be reached takes nothing away. */
    async renew() {
        const { ice, lost } = await this.server.renew(this.lease).catch(() => ({}));
        if (ice && this.line) {
            this.line.grant.ice = ice; // logins of TURN servers end
        } else if (lost !== undefined) {
            this.yieldTo(lost);
        }
    }

    /** Another browser is the phone: this one stops, after its talk. */
    yieldTo(label) {
        if (!this.line) {
            return;
        }
        this.successor = { label, since: "", in_call: false };
        if (!this.live.size) {
            this.stopLine();
            this.show({ line: "elsewhere", holder: this.successor });
            this.successor = undefined;
        }
    }

    stopLine() {
        browser.clearInterval(this.renewing);
        this.line?.stop();
        this.line = undefined;
        this.sounds.play("");
    }

    onLine(state, why = "") {
        if (state === "refused" && this.line.grant.once && Date.now() - this.claimedAt > CLAIM_AGAIN) {
            this.stopLine(); // the PBX has forgotten a password that was good: it was started anew
            this.claim();
            return;
        }
        if (state === "ready") {
            this.show({ line: "ready", why: "", lostAt: 0 });
            const { toResume } = this;
            this.toResume = [];
            toResume?.forEach((token) => this.resume(token));
        } else {
            this.show({ line: state, why, lostAt: this.state.lostAt || Date.now() });
        }
    }

    async resume(token) {
        try {
            await this.line.resume(token);
        } catch (error) {
            this.show({ why: error.message });
        }
    }

    // -- calls

    onCall(call) {
        if (this.telephony.preferences.dnd) {
            call.decline(480); // other phones of the extension ring on
            return;
        }
        if (this.live.size && this.devices.chosen.waiting === false) {
            call.decline(486);
            return;
        }
        this.live.set(call.id, call);
        this.tellEvent(call);
        browser.setTimeout(() => {
            if (this.live.has(call.id) && !this.view(call).callId) {
                this.askForCards();
            }
        }, CARD_WAIT);
        this.update();
        this.onNews("ring", this.view(call));
    }

    onChange(call) {
        this.tellEvent(call);
        if (call.state === "ended") {
            this.onEnded(call);
        } else {
            this.live.set(call.id, call);
            if (call.state === "talking" && !this.qualities.has(call.id)) {
                this.measure(call);
                this.confer(); // a conference that another page had
            }
        }
        this.update();
    }

    /** Tells the server what a call does, where its PBX tells nothing. What is told twice is kept once there. */
    tellEvent(call) {
        const event = { ringing: "ringing", dialling: "ringing", talking: "answered", ended: "ended" }[call.state];
        if (!this.line?.grant.tells || !event || call.toldEvent === event || call.consultOf || call.isResumed) {
            return;
        }
        const wasAnswered = call.toldEvent === "answered";
        const isElsewhere = event === "ended" && call.why === "elsewhere";
        call.toldEvent = event;
        call.eventId ||= call.sipCallId || call.id; // the same after a reload
        this.outbox.add({
            call: call.eventId,
            event: isElsewhere ? "void" : event,
            direction: call.direction,
            number: call.number,
            outcome: event !== "ended" ? "" : wasAnswered ? "answered" : OUTCOMES[call.direction][call.why] || OUTCOMES[call.direction].other,
        });
    }

    onEnded(call) {
        const wasHere = this.live.delete(call.id);
        for (const other of this.live.values()) {
            if (other.consultOf === call.id) {
                other.consultOf = undefined;
                other.trouble = call.isEndedByUs ? "" : "customer_gone";
            }
        }
        if (call.inConference) {
            this.endConference();
        }
        if (call.isMoved) {
            call.why = "moved";
        }
        this.tellQuality(call);
        if (wasHere && !(call.why === "elsewhere")) {
            this.over = [...(this.over || []), call];
            browser.setTimeout(() => {
                this.over = this.over.filter((other) => other !== call);
                this.update();
            }, ENDED_STAYS);
        }
        if (this.successor && !this.live.size) {
            this.yieldTo(this.successor.label);
        }
    }

    view(call) {
        return Object.fromEntries(SHOWN.map((name) => [name, call[name]]));
    }

    /** Shows what the calls are doing now: in all tabs, by sounds, and to a page that may take them up. */
    update() {
        const calls = [...this.live.values(), ...(this.over || [])];
        const pairs = paired(calls, this.telephony.calls);
        for (const call of calls) {
            call.callId = pairs.get(call.id) ?? call.callId;
        }
        this.tokens = [...this.live.values()]
            .map((call) => call.state === "talking" && call.token?.())
            .filter(Boolean)
            .map((token) => ({ ...token, savedAt: Date.now() }));
        if (this.tokens.length) {
            this.storage.setItem(TOKENS, JSON.stringify(this.tokens));
        } else if (!this.toResume?.length) {
            this.storage.removeItem(TOKENS);
        }
        this.show({ calls: calls.map((call) => this.view(call)) });
        this.sound();
    }

    sound() {
        const calls = [...this.live.values()];
        const isTalking = calls.some((call) => call.state === "talking");
        const isRinging = calls.some((call) => call.state === "ringing");
        const isDialling = calls.some((call) => call.state === "dialling" && call.isRingingThere && !call.hasEarlySound);
        this.sounds.play(isRinging ? (isTalking ? "waiting" : "ring") : isDialling ? "dialling" : "");
        if (this.wasRinging && !isRinging) {
            this.onNews("ring_over");
        }
        this.wasRinging = isRinging;
    }

    show(values) {
        const wasReady = this.isReady;
        Object.assign(this.state, values);
        const { isLeader, ...view } = this.state;
        this.leader.tell({ view: JSON.parse(JSON.stringify(view)), tokens: this.tokens });
        this.tellReadiness(wasReady);
    }

    tellReadiness(wasReady) {
        if (wasReady !== this.isReady) {
            this.onNews(this.isReady ? "ready" : "not_ready");
        }
    }

    /** Takes the news of the cards: they may belong to calls of the phone. */
    onCards() {
        if (this.state.isLeader && (this.live.size || this.over?.length)) {
            this.update();
        }
    }

    /** @returns {Object} the call of this id. A call that is over has nothing to be done with */
    find(id) {
        const call = this.live.get(id);
        if (!call) {
            throw new Error("call_over");
        }
        return call;
    }

    /** Puts all other talks on hold, because one talks to one. */
    async only(call) {
        for (const other of this.live.values()) {
            if (other !== call && other.state === "talking" && !other.isHeld) {
                await other.hold(true);
            }
        }
    }

    // -- commands, in the leader

    async do_dial(number, nonce, name = "") {
        if (!this.line) {
            throw new Error("no_connection");
        }
        if (this.isDialling || [...this.live.values()].some((call) => call.state === "dialling")) {
            return; // a double click
        }
        this.isDialling = true;
        try {
            await this.only();
            await this.line.dial(number, { nonce, name });
        } finally {
            this.isDialling = false;
        }
    }

    async do_answer(id) {
        const call = this.find(id);
        await this.only(call);
        await call.answer();
    }

    do_decline(id) {
        this.find(id).decline(480);
    }

    do_hangUp(id) {
        this.find(id).hangUp();
    }

    do_hold(id, isHeld) {
        return this.find(id).hold(isHeld);
    }

    do_mute(id, isMuted) {
        const call = this.find(id);
        if (call.inConference) {
            this.conference.mute(isMuted); // not the other party's voice
            this.conferring.forEach((other) => (other.isMuted = isMuted));
            this.update();
        } else {
            call.mute(isMuted);
        }
    }

    do_keys(id, keys) {
        this.find(id).keys(keys);
    }

    /** Passes the customer on at once. If that fails they are back with us, if they are still there. */
    async do_pass(id, number) {
        const call = this.find(id);
        try {
            await call.pass(number);
        } catch (error) {
            if (this.live.has(id) && call.isHeld) {
                await call.hold(false).catch(() => {});
            }
            throw this.live.has(id) ? error : new Error("customer_lost");
        }
    }

    /** Asks a colleague first: the customer waits. */
    async do_ask(id, number) {
        const call = this.find(id);
        await this.only();
        try {
            const consultation = await this.line.dial(number, {});
            consultation.consultOf = call.id;
            this.update();
        } catch (error) {
            await call.hold(false).catch(() => {});
            throw error;
        }
    }

    /** Joins the customer with the colleague who was asked. */
    async do_join(id) {
        const consultation = this.find(id);
        const call = this.find(consultation.consultOf);
        await call.pass("", consultation);
    }

    /** Talks to the other one of two. */
    async do_swap(id) {
        const call = this.find(id);
        await this.only(call);
        await call.hold(false);
    }

    /** Ends the talk with the colleague, and goes back to the customer. */
    async do_back(id) {
        const consultation = this.find(id);
        const call = this.live.get(consultation.consultOf);
        consultation.hangUp();
        await call?.hold(false);
    }

    // -- three in one talk

    get conferring() {
        return [...this.live.values()].filter((call) => call.inConference && call.state === "talking");
    }

    /** Lets the customer and the colleague who was asked hear each other, through this browser. */
    async do_confer(id) {
        const consultation = this.find(id);
        const call = this.find(consultation.consultOf);
        for (const held of [call, consultation].filter(({ isHeld }) => isHeld)) {
            await held.hold(false);
        }
        call.inConference = consultation.inConference = true;
        this.confer();
        this.update();
    }

    confer() {
        const calls = this.conferring;
        if (calls.length === 2 && !this.conference) {
            this.conference = this.mix(calls);
        }
    }

    /** One of the two is gone: the other hears our microphone alone again. */
    endConference() {
        this.conference?.stop();
        this.conference = undefined;
        for (const call of this.live.values()) {
            if (call.inConference) {
                call.inConference = false;
                call.consultOf = undefined;
                if (call.isMuted) {
                    call.mute(true);
                }
            }
        }
    }

    // -- from browser to browser

    /** Becomes the phone in place of another browser, with its talks. One that does not answer keeps them. */
    async do_move() {
        const answer = new Promise((resolve) => {
            this.onTalks = resolve;
            browser.setTimeout(() => resolve([]), MOVE_WAIT);
        });
        await this.server.askToMove(this.browserId);
        const talks = await answer;
        this.toResume = talks.map((token) => ({ ...token, savedAt: Date.now() }));
        this.stopLine();
        await this.claim(true);
    }

    /** Gives its talks to the browser that is to be the phone. They end here when they go on there. */
    async handOver(browserId) {
        if (this.state.isLeader && this.line) {
            this.update();
            await this.server.handOver(this.lease, browserId, this.tokens);
            this.live.forEach((call) => (call.isMoved = true));
            browser.setTimeout(() => this.live.forEach((call) => (call.isMoved = false)), 2 * MOVE_WAIT); // it stayed here
        }
    }

    async do_takeOver() {
        this.stopLine();
        await this.claim(true);
    }

    async do_again() {
        this.stopLine();
        await this.claim();
    }

    /** Uses the devices that were chosen just now, in a talk too. */
    async do_devices() {
        this.sounds.reroute();
        for (const call of this.live.values()) {
            if (call.state === "talking") {
                await call.useMicrophone?.(await this.devices.openMicrophone());
            }
        }
        if (this.conference) {
            this.conference.stop();
            this.conference = this.mix(this.conferring);
        }
    }

    /** Tests the line, in the leader because it has it. All tabs see how far it is. */
    async do_test() {
        if (this.live.size) {
            throw new Error("test_in_talk");
        }
        if (!this.state.test?.isRunning) {
            await new LineTest(this).run((test) => this.show({ test }));
        }
    }

    // -- how it sounds

    measure(call) {
        const quality = new Quality();
        const sample = async () => {
            const reports = await call.stats?.();
            if (reports && call.state === "talking") {
                const trouble = quality.add(read(reports), call);
                if (trouble !== (call.trouble || "") && call.trouble !== "customer_gone") {
                    call.trouble = trouble;
                    this.update();
                    this.tellTrouble(trouble);
                }
            }
        };
        this.qualities.set(call.id, { quality, timer: browser.setInterval(sample, EVERY) });
        sample();
    }

    /** Tells supervisors while it happens, that people hear each other badly. */
    tellTrouble(trouble) {
        this.server.trouble(this.lease, trouble).catch(() => {}); // the next change tells it again
    }

    tellQuality(call) {
        const measured = this.qualities.get(call.id);
        if (!measured) {
            return;
        }
        browser.clearInterval(measured.timer);
        this.qualities.delete(call.id);
        if (call.trouble && call.trouble !== "customer_gone") {
            this.tellTrouble("");
        }
        const report = measured.quality.report();
        if (report) {
            const { since, sipCallId, id, isResumed, reconnects } = call;
            const seconds = Math.round((Date.now() - since) / 1000);
            this.report(since, {
                ...report, seconds, sip_call_id: sipCallId || id, resumed: isResumed, reconnects: reconnects || 0,
            });
        }
    }

    /** Tells the server how a talk sounded, as soon as it can be reached. */
    async report(since, values) {
        try {
            await this.server.report({ ...values, seconds_ago: Math.round((Date.now() - since) / 1000) });
        } catch (error) {
            if (!error.data) {
                browser.setTimeout(() => this.report(since, values), REPORT_AGAIN);
            }
        }
    }

    /** Runs when this page goes away. */
    leave() {
        if (this.state.isLeader && this.line) {
            this.server.gone(this.lease, [...this.live.values()].some((call) => call.state === "talking"));
        }
    }
}
