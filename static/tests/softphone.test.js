import { beforeEach, describe, expect, test } from "@odoo/hoot";
import { queryAllTexts } from "@odoo/hoot-dom";
import { advanceTime, animationFrame, mockDate, tick } from "@odoo/hoot-mock";
import { reactive } from "@odoo/owl";
import { contains, getService, makeMockEnv, mockService, mountWithCleanup, onRpc, patchWithCleanup } from "@web/../tests/web_test_helpers";
import { defineMailModels } from "@mail/../tests/mail_test_helpers";
import { assets } from "@web/core/assets";
import { session } from "@web/session";
import { PATIENCE } from "@crm_telephony/softphone/leader";
import { paired } from "@crm_telephony/softphone/pairing";
import { PhoneControls } from "@crm_telephony/softphone/phone_controls";
import { mos, Quality } from "@crm_telephony/softphone/quality";
import { Softphone } from "@crm_telephony/softphone/softphone";
import { DEADLINES, pauseAfter, PING_EVERY, Watch } from "@crm_telephony/softphone/watch";

describe.current.tags("desktop");
defineMailModels();

const NUMBER = "+77771234567";

/** What the lines, the server and the sounds were told, in order. */
let steps;
let isServerDown, kept;
let preferences, storages, chosen, calls;

beforeEach(() => {
    mockDate("2026-03-10 12:00:00", 0);
    [steps, preferences, chosen, storages] = [[], { dnd: false }, {}, []];
    calls = reactive([]);
    [isServerDown, kept] = [false, new Map()];
});

/** Locks as browsers give them to the tabs of one site. */
class FakeLocks {
    queue = [];

    async request(name, { steal }, work) {
        const entry = { work };
        if (steal && this.holder) {
            this.holder.reject(new DOMException("stolen", "AbortError"));
            this.holder = undefined;
            this.queue.unshift(entry);
        } else {
            this.queue.push(entry);
        }
        const over = new Promise((resolve, reject) => Object.assign(entry, { resolve, reject }));
        this.next();
        return over;
    }

    next() {
        if (!this.holder && this.queue.length) {
            const entry = (this.holder = this.queue.shift());
            Promise.resolve(entry.work()).then(() => this.free(entry));
        }
    }

    free(entry) {
        if (this.holder === entry) {
            this.holder = undefined;
            entry.resolve();
            this.next();
        }
    }
}

/** The channel by which the tabs of one site hear each other. */
class FakeChannels {
    ports = new Set();

    open() {
        const port = new EventTarget();
        port.postMessage = (data) => {
            for (const other of this.ports) {
                if (other !== port) {
                    Promise.resolve().then(() =>
                        other.dispatchEvent(new MessageEvent("message", { data: structuredClone(data) }))
                    );
                }
            }
        };
        port.close = () => this.ports.delete(port);
        this.ports.add(port);
        return port;
    }
}

class FakeCall {
    constructor(line, facts) {
        Object.assign(this, {
            line, id: `p${++FakeCall.count}`, name: "", number: "", isHeld: false, isMuted: false, why: "", since: Date.now(), ...facts,
        });
    }

    become(values) {
        Object.assign(this, values);
        this.line.onChange(this);
    }

    async answer() {
        steps.push(`answer ${this.id}`);
        this.become({ state: "talking" });
    }

    decline(code) {
        steps.push(`decline ${code}`);
        this.become({ state: "ended" });
    }

    hangUp() {
        steps.push(`hang up ${this.id}`);
        this.become({ state: "ended", isEndedByUs: true });
    }

    async hold(isHeld) {
        if (this.line.refusesHold) {
            throw new Error("hold_refused");
        }
        steps.push(`${isHeld ? "hold" : "unhold"} ${this.id}`);
        this.become({ isHeld });
    }

    mute(isMuted) {
        this.become({ isMuted });
    }

    keys(keys) {
        steps.push(`keys ${keys}`);
    }

    async pass(number, consultation) {
        if (this.line.refusesPass) {
            throw new Error("pass_failed");
        }
        steps.push(`pass ${this.id} to ${consultation ? consultation.id : number}`);
        this.hangUp();
    }

    token() {
        const { id, number, direction, isHeld, isMuted, since } = this;
        return { id, number, direction, isHeld, isMuted, since };
    }
}

/** A line that tells what it was told, and to which the tests tell what a PBX would. */
class FakeLine {
    static open = [];

    constructor(wiring) {
        Object.assign(this, wiring);
    }

    start() {
        FakeLine.open.push(this);
        steps.push("line");
        this.onState("ready");
    }

    stop() {
        FakeLine.open = FakeLine.open.filter((line) => line !== this);
    }

    async dial(number, facts) {
        steps.push(`dial ${number} ${facts.nonce || ""}`.trim());
        return this.begin({ direction: "outbound", state: "dialling", number, name: facts.name || "" });
    }

    async resume(token) {
        steps.push(`resume ${token.id}`);
        return this.begin({ ...token, state: "talking", isResumed: true });
    }

    begin(facts) {
        const call = new FakeCall(this, facts);
        this.onChange(call);
        return call;
    }

    ring(facts = {}) {
        const call = new FakeCall(this, { direction: "inbound", state: "ringing", number: NUMBER, ...facts });
        this.onCall(call);
        return call;
    }
}

function makeTabs(count, { claim } = {}) {
    FakeLine.open = [];
    FakeCall.count = 0;
    const [locks, channels] = [new FakeLocks(), new FakeChannels()];
    const make = (place) => {
        const storage = (storages[place] ||= new Map());
        const phone = new Softphone({
            server: {
                claim: claim || (async () => ({ kind: "fake", number: "101", pbx: "PBX", lease: "L", renew_seconds: 150 })),
                renew: async () => ({}),
                report: async () => steps.push("report"),
                trouble: async (lease, trouble) => steps.push(`trouble ${trouble}`),
                event: async (lease, { event, outcome, number }) => {
                    if (isServerDown) {
                        throw new TypeError("no net");
                    }
                    steps.push(`tell ${event} ${outcome || number}`);
                    return 204;
                },
                askToMove: async (browserId) => steps.push(`ask to move to ${browserId}`),
                handOver: async (lease, browserId, talks) => steps.push(`hand ${talks.map(({ id }) => id)} over to ${browserId}`),
                gone: (lease, isTalking) => steps.push(`gone ${isTalking}`),
            },
            lineOf: (kind) => (kind === "fake" ? FakeLine : undefined),
            locks, channel: channels.open(), lockName: "phone",
            storage: {
                getItem: (key) => storage.get(key) ?? null,
                setItem: (key, value) => storage.set(key, value),
                removeItem: (key) => storage.delete(key),
            },
            browserId: "b",
            lasting: { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) },
            devices: { chosen, onChange() {}, openMicrophone: async () => ({}) },
            sounds: {
                play(sound) {
                    if (sound && sound !== this.playing) {
                        steps.push(`sound ${sound}`);
                    }
                    this.playing = sound;
                },
                hear: () => () => {},
                reroute() {},
            },
            telephony: { calls, preferences },
            askForCards: () => steps.push("ask for cards"),
            onNews: () => {},
            mix(calls) {
                steps.push(`mix ${calls.map(({ id }) => id).join(" ")}`);
                return { mute: (isMuted) => steps.push(`mix muted ${isMuted}`), stop: () => steps.push("mix over") };
            },
        });
        phone.start();
        return phone;
    };
    const phones = Array.from({ length: count }, (_, place) => make(place));
    const line = () => FakeLine.open.at(-1);
    /** A tab goes away, as far as the others can tell. */
    const close = (phone) => {
        phone.stopLine();
        phone.leader.isLeader = false;
        phone.leader.channel.close();
        locks.free(locks.holder);
    };
    return { phones, line, close, make };
}

/** Until all that was said has arrived everywhere. */
async function settle() {
    for (let turn = 0; turn < 10; turn++) {
        await tick();
    }
    await advanceTime(250);
}

const states = (phone) => phone.state.calls.map(({ id, state }) => `${id} ${state}`);
const cardOf = (phone, id) => phone.state.calls.find((call) => call.callId === id)?.id;
const leaders = (phones) => phones.filter((phone) => phone.state.isLeader).length;

describe("tabs", () => {
    test("of five tabs one is the phone, and the next one when it goes", async () => {
        const { phones, close } = makeTabs(5);
        await settle();
        expect(leaders(phones)).toBe(1);
        expect(FakeLine.open.length).toBe(1);
        expect(phones.map((phone) => phone.state.line)).toEqual(Array(5).fill("ready"));
        close(phones[0]);
        await settle();
        expect(leaders(phones.slice(1))).toBe(1);
        expect(FakeLine.open.length).toBe(1);
        expect(steps).toEqual(["line", "line"]);
    });

    test("what is clicked in another tab is done in the phone's", async () => {
        const { phones, line } = makeTabs(2);
        await settle();
        const call = line().ring();
        await settle();
        expect(states(phones[1])).toEqual(["p1 ringing"]);
        await phones[1].ask("answer", call.id);
        await settle();
        expect(states(phones[1])).toEqual(["p1 talking"]);
        line().refusesHold = true;
        await expect(phones[1].ask("hold", call.id, true)).rejects.toThrow("hold_refused");
        await settle();
        expect(phones[1].state.calls[0].isHeld).toBe(false);
        await expect(phones[1].ask("answer", "none")).rejects.toThrow("call_over");
    });

    test("a tab that does not answer is replaced", async () => {
        const { phones } = makeTabs(2);
        await settle();
        phones[0].leader.hear = () => {};
        phones[0].leader.channel.close();
        const answer = phones[1].ask("dial", NUMBER);
        answer.catch(() => {});
        await advanceTime(PATIENCE);
        await expect(answer).rejects.toThrow("the phone's tab does not answer");
        phones[1].leader.steal();
        await settle();
        expect(phones.map((phone) => phone.state.isLeader)).toEqual([false, true]);
        expect(FakeLine.open.length).toBe(1);
    });

    test("another browser is the phone", async () => {
        const asked = [];
        const { phones } = makeTabs(1, {
            claim: async (browser, takeOver) => {
                asked.push(takeOver);
                return takeOver
                    ? { kind: "fake", number: "101", lease: "L", renew_seconds: 150 }
                    : { busy: { label: "Firefox on Linux", since: "", in_call: false } };
            },
        });
        await settle();
        expect(phones[0].state.line).toBe("elsewhere");
        expect(phones[0].state.holder.label).toBe("Firefox on Linux");
        await phones[0].ask("takeOver");
        expect(phones[0].state.line).toBe("ready");
        expect(asked).toEqual([false, true]);
    });

    test("who loses the phone in a talk talks on", async () => {
        const { phones, line } = makeTabs(1);
        await settle();
        const call = line().ring();
        await phones[0].ask("answer", call.id);
        phones[0].yieldTo("Firefox");
        expect(FakeLine.open.length).toBe(1);
        call.hangUp();
        await settle();
        expect(FakeLine.open.length).toBe(0);
        expect(phones[0].state.line).toBe("elsewhere");
    });

    test("the tab that is used becomes the phone, but not in a call", async () => {
        const { phones, line } = makeTabs(2);
        await settle();
        const call = line().ring();
        await settle();
        phones[1].used();
        await settle();
        expect(phones.map((phone) => phone.state.isLeader)).toEqual([true, false]);
        call.become({ state: "ended" });
        await settle();
        phones[1].used();
        await settle();
        expect(phones.map((phone) => phone.state.isLeader)).toEqual([false, true]);
        expect(FakeLine.open.length).toBe(1);
    });

    test("a talk moves from browser to browser", async () => {
        const { phones: [old], line } = makeTabs(1);
        await settle();
        const call = line().ring();
        await old.ask("answer", call.id);
        await old.handOver("other");
        expect(steps.at(-1)).toBe(`hand ${call.id} over to other`);
        call.become({ state: "ended" });
        expect(old.state.calls[0].why).toBe("moved");

        const { phones: [fresh] } = makeTabs(1, {
            claim: async (id, takeOver) =>
                takeOver ? { kind: "fake", number: "101", lease: "L", renew_seconds: 150 } : { busy: { label: "Chrome", in_call: true } },
        });
        await settle();
        const moving = fresh.ask("move");
        await tick();
        fresh.onTalks([{ id: "p7", number: NUMBER, direction: "inbound" }]);
        await moving;
        await settle();
        expect(steps).toInclude("resume p7");
        expect(fresh.state.line).toBe("ready");
    });

    test("a browser that does not answer keeps its talks", async () => {
        const asked = [];
        const { phones: [fresh] } = makeTabs(1, {
            claim: async (id, takeOver) => {
                asked.push(takeOver);
                return takeOver ? { kind: "fake", number: "101", lease: "L", renew_seconds: 150 } : { busy: { label: "Chrome" } };
            },
        });
        await settle();
        const moving = fresh.ask("move");
        await advanceTime(4_100);
        await moving;
        expect(asked).toEqual([false, true]);
    });

    test("a browser tells of its calls where the PBX tells nothing", async () => {
        const claim = async () => ({ kind: "fake", number: "101", lease: "L", renew_seconds: 150, tells: true });
        const { phones: [phone], line } = makeTabs(1, { claim });
        await settle();
        const call = line().ring();
        await phone.ask("answer", call.id);
        call.become({ trouble: "" });
        call.become({ state: "ended" });
        line().ring({ number: "1" }).become({ state: "ended", why: "elsewhere" });
        line().ring({ number: "2" }).become({ state: "ended" });
        line().begin({ direction: "outbound", state: "dialling", number: "3" }).become({ state: "ended", why: "busy" });
        await settle();
        const told = () => steps.filter((step) => step.startsWith("tell"));
        expect(told()).toEqual([
            `tell ringing ${NUMBER}`, `tell answered ${NUMBER}`, "tell ended answered", "tell ringing 1", "tell void missed",
            "tell ringing 2", "tell ended missed", "tell ringing 3", "tell ended busy",
        ]);
        isServerDown = true;
        line().ring({ number: "4" });
        await settle();
        expect(told().length).toBe(9);
        isServerDown = false;
        await advanceTime(10_100);
        await settle();
        expect(told().at(-1)).toBe("tell ringing 4");
    });

    test("a server that cannot be reached is asked again", async () => {
        let isUp = false;
        const { phones } = makeTabs(1, {
            claim: async () => {
                if (!isUp) {
                    throw new Error("no network");
                }
                return { kind: "fake", number: "101", lease: "L", renew_seconds: 150 };
            },
        });
        await settle();
        expect(phones[0].state.line).toBe("lost");
        isUp = true;
        await advanceTime(10_000);
        await settle();
        expect(phones[0].state.line).toBe("ready");
    });
});

describe("a talk survives its page", () => {
    test("the next tab takes it up", async () => {
        const { phones, line, close } = makeTabs(3);
        await settle();
        const call = line().ring();
        await phones[0].ask("answer", call.id);
        await phones[0].ask("mute", call.id, true);
        await settle();
        close(phones[0]);
        await settle();
        expect(steps.at(-1)).toBe("resume p1");
        expect(phones[1].state.calls.map(({ state, isMuted, isResumed }) => [state, isMuted, isResumed])).toEqual([["talking", true, true]]);
    });

    test("the same tab, loaded anew, takes it up", async () => {
        const { phones, line, close, make } = makeTabs(1);
        await settle();
        const call = line().ring();
        await phones[0].ask("answer", call.id);
        phones[0].leave();
        close(phones[0]);
        make(0);
        await settle();
        expect(steps.slice(-3)).toEqual(["gone true", "line", "resume p1"]);
    });

    test("but not one that is long over, and not one that was hung up", async () => {
        const { phones, line, close, make } = makeTabs(1);
        await settle();
        const call = line().ring();
        await phones[0].ask("answer", call.id);
        close(phones[0]);
        await advanceTime(31_000);
        const next = make(0);
        await settle();
        expect(steps.at(-1)).toBe("line");
        const other = line().ring();
        await next.ask("answer", other.id);
        await next.ask("hangUp", other.id);
        close(next);
        make(0);
        await settle();
        expect(steps.at(-1)).toBe("line");
    });
});

describe("calls", () => {
    async function one() {
        const { phones, line } = makeTabs(1);
        await settle();
        steps = [];
        return { phone: phones[0], line: line() };
    }

    test("rings, is answered once however often it is clicked, and stops to ring", async () => {
        const { phone, line } = await one();
        const call = line.ring();
        await Promise.all([phone.ask("answer", call.id)]);
        expect(steps).toEqual(["sound ring", "answer p1"]);
        call.hangUp();
        expect(states(phone)).toEqual(["p1 ended"]);
        await advanceTime(6_000);
        expect(states(phone)).toEqual([]);
    });

    test("do not disturb, and no second call if none may wait", async () => {
        const { phone, line } = await one();
        preferences.dnd = true;
        line.ring();
        preferences.dnd = false;
        const call = line.ring();
        await phone.ask("answer", call.id);
        chosen.waiting = false;
        line.ring();
        expect(steps).toEqual(["decline 480", "sound ring", "answer p2", "decline 486"]);
    });

    test("a second call rings softly, and its answer holds the first", async () => {
        const { phone, line } = await one();
        const first = line.ring();
        await phone.ask("answer", first.id);
        const second = line.ring({ number: "+77770000000" });
        await phone.ask("answer", second.id);
        expect(steps).toEqual(["sound ring", "answer p1", "sound waiting", "hold p1", "answer p2"]);
    });

    test("a colleague is asked first, then joined", async () => {
        const { phone, line } = await one();
        const call = line.ring();
        await phone.ask("answer", call.id);
        steps = [];
        await phone.ask("ask", call.id, "102");
        const consultation = phone.state.calls.find(({ consultOf }) => consultOf === call.id);
        phone.find(consultation.id).become({ state: "talking" });
        await phone.ask("swap", call.id);
        await phone.ask("swap", consultation.id);
        await phone.ask("join", consultation.id);
        expect(steps).toEqual([
            "hold p1", "dial 102", "hold p2", "unhold p1", "hold p1", "unhold p2", "pass p1 to p2", "hang up p1",
        ]);
    });

    test("back to the customer, and a customer who does not wait", async () => {
        const { phone, line } = await one();
        const call = line.ring();
        await phone.ask("answer", call.id);
        await phone.ask("ask", call.id, "102");
        await phone.ask("back", "p2");
        expect(steps.slice(-2)).toEqual(["hang up p2", "unhold p1"]);
        await phone.ask("ask", call.id, "102");
        call.become({ state: "ended" });
        const [consultation] = phone.state.calls.filter(({ state }) => state === "dialling");
        expect([consultation.consultOf, consultation.trouble]).toEqual([undefined, "customer_gone"]);
    });

    test("a transfer that fails leaves the customer with us", async () => {
        const { phone, line } = await one();
        const call = line.ring();
        await phone.ask("answer", call.id);
        await call.hold(true);
        line.refusesPass = true;
        await expect(phone.ask("pass", call.id, "102")).rejects.toThrow("pass_failed");
        expect([states(phone), call.isHeld]).toEqual([["p1 talking"], false]);
    });

    test("three in one talk", async () => {
        const { phone, line } = await one();
        const call = line.ring();
        await phone.ask("answer", call.id);
        await phone.ask("ask", call.id, "102");
        const [, colleague] = phone.live.values();
        colleague.become({ state: "talking" });
        await phone.ask("confer", colleague.id);
        expect([call.isHeld, colleague.isHeld]).toEqual([false, false]);
        await phone.ask("mute", call.id, true);
        expect(phone.state.calls.map(({ inConference, isMuted }) => [inConference, isMuted])).toEqual([[true, true], [true, true]]);
        expect(steps.slice(-2)).toEqual([`mix ${call.id} ${colleague.id}`, "mix muted true"]);
        colleague.become({ state: "ended" });
        expect(steps.at(-1)).toBe("mix over");
        expect(phone.state.calls.filter(({ inConference }) => inConference).map(({ id }) => id)).toEqual([colleague.id]);
        expect([call.inConference, call.isMuted, states(phone)[0]]).toEqual([false, true, `${call.id} talking`]);
    });

    test("supervisors are told of a bad line while it is one", async () => {
        const { phone, line } = await one();
        const call = line.ring();
        let received = 0;
        call.stats = async () => new Map([["a", { type: "inbound-rtp", kind: "audio", packetsReceived: received }]]);
        await phone.ask("answer", call.id);
        await advanceTime(5_100);
        await advanceTime(5_100);
        expect(phone.state.calls[0].trouble).toBe("no_sound");
        expect(steps.filter((step) => step.startsWith("trouble"))).toEqual(["trouble no_sound"]);
        received = 100;
        await advanceTime(5_100);
        call.become({ trouble: "no_sound" });
        call.become({ state: "ended" });
        expect(steps.filter((step) => step.startsWith("trouble"))).toEqual(["trouble no_sound", "trouble ", "trouble "]);
    });

    test("a double click dials once", async () => {
        const { phone } = await one();
        await Promise.all([phone.ask("dial", NUMBER, "5"), phone.ask("dial", NUMBER, "5")]);
        expect(steps.filter((step) => step.startsWith("dial"))).toEqual([`dial ${NUMBER} 5`]);
    });
});

describe("cards", () => {
    const card = (id, values) => ({ id, direction: "inbound", number: NUMBER, phase: "ringing", ...values });
    const phoneCall = (id, values) => ({ id, direction: "inbound", number: "87771234567", state: "ringing", ...values });

    test("card and call find each other, whichever comes first", async () => {
        const { phones, line } = makeTabs(1);
        await settle();
        line().ring();
        await advanceTime(1_500);
        expect(steps.at(-1)).toBe("ask for cards");
        calls.push(card(7));
        phones[0].onCards();
        expect(cardOf(phones[0], 7)).toBe("p1");
        calls.push(card(8, { number: "+77770000000" }));
        line().ring({ number: "+77770000000" });
        expect(cardOf(phones[0], 8)).toBe("p2");
    });

    test("two at once, hidden numbers, and what belongs to nobody here", () => {
        const pairs = (...args) => Object.fromEntries(paired(...args));
        expect(pairs([phoneCall("a"), phoneCall("b")], [card(1), card(2)])).toEqual({ a: 1, b: 2 });
        expect(pairs([phoneCall("a", { number: "" })], [card(1), card(2, { number: "" })])).toEqual({ a: 2 });
        expect(pairs([phoneCall("a")], [card(1, { direction: "outbound" })])).toEqual({});
        expect(pairs([phoneCall("a")], [card(1, { phase: "ended" })])).toEqual({});
        expect(pairs([phoneCall("a")], [card(1, { is_shared: true })])).toEqual({});
        expect(pairs([phoneCall("a", { callId: 3, number: "" })], [card(3, { phase: "ended" })])).toEqual({ a: 3 });
    });
});

describe("the connection", () => {
    function makeWatch() {
        const socket = { heardAt: 0, isUp: true, isConnected: () => socket.isUp, kill: (why) => steps.push(`dead: ${why}`), hurry: () => steps.push("hurry") };
        const now = { isTalking: false, isRegistered: true };
        const watch = new Watch({
            socket, ping: () => steps.push("ping"), isTalking: () => now.isTalking, isRegistered: () => now.isRegistered,
        });
        watch.connected(0);
        const run = (from, to) => {
            for (let at = from; at <= to; at += 1_000) {
                watch.tick(at);
            }
        };
        return { socket, watch, now, run };
    }

    test("a PBX that says nothing is asked twice, then the connection is dead", () => {
        const { run } = makeWatch();
        run(0, PING_EVERY.idle);
        expect(steps).toEqual([]);
        run(PING_EVERY.idle + 1_000, PING_EVERY.idle + 1_000 + 2 * (DEADLINES.ping + 1_000));
        expect(steps).toEqual(["ping", "ping", "dead: ping"]);
    });

    test("in a talk it is asked more often, and any answer counts", () => {
        const { socket, now, run } = makeWatch();
        now.isTalking = true;
        run(0, PING_EVERY.talking + 1_000);
        expect(steps).toEqual(["ping"]);
        socket.heardAt = PING_EVERY.talking + 1_100;
        run(PING_EVERY.talking + 2_000, PING_EVERY.talking + 10_000);
        expect(steps).toEqual(["ping"]);
    });

    test("a PBX that does not register us in time does not hear us", () => {
        const { now, run } = makeWatch();
        now.isRegistered = false;
        run(0, DEADLINES.register);
        expect(steps).toEqual([]);
        run(DEADLINES.register + 1_000, DEADLINES.register + 1_000);
        expect(steps).toEqual(["dead: register"]);
    });

    test("after a sleep the PBX is asked at once", () => {
        const { socket, watch } = makeWatch();
        watch.tick(0);
        socket.heardAt = 900;
        watch.tick(1_000);
        watch.tick(17_000);
        expect(steps).toEqual(["ping"]);
        socket.isUp = false;
        watch.tick(60_000);
        expect(steps).toEqual(["ping", "hurry"]);
    });

    test("the pauses between tries grow to some seconds, by chance not all the same", () => {
        expect([1, 2, 3, 4, 9].map((tries) => pauseAfter(tries, 0.5))).toEqual([1_000, 2_000, 4_000, 8_000, 8_000]);
        expect([pauseAfter(1, 0), pauseAfter(1, 1)]).toEqual([800, 1_200]);
    });
});

describe("the sound", () => {
    const sample = (packets, values) => ({
        received: packets, lost: 0, jitter: 1, lossOut: 0, rtt: 20, energy: packets, codec: "PCMA", relay: false, ...values,
    });
    const talk = { isMuted: false, isHeld: false };

    test("loss and delay make it worse", () => {
        const scores = [mos(0), mos(3), mos(12), mos(30)];
        expect(scores).toEqual([...scores].sort().reverse());
        expect(mos(0) > 4.3 && mos(12) < 3.3 && mos(100, 9_000) === 1).toBe(true);
        expect(mos(0, 400) < mos(0, 20)).toBe(true);
    });

    test("what is wrong is told while it happens", () => {
        const quality = new Quality();
        expect(quality.add(sample(0), talk)).toBe("");
        expect(quality.add(sample(250), talk)).toBe("");
        expect(quality.add(sample(450, { lost: 50 }), talk)).toBe("bad_in");
        expect(quality.add(sample(700, { lost: 50, lossOut: 10 }), talk)).toBe("bad_out");
        expect(quality.add(sample(950, { lost: 50, energy: 700 }), talk)).toBe("silent_microphone");
        expect(quality.add(sample(1200, { lost: 50, energy: 700 }), { ...talk, isMuted: true })).toBe("");
        expect(quality.add(sample(1200, { lost: 50 }), talk)).toBe("no_sound");
        expect(quality.add(sample(1200, { lost: 50 }), { ...talk, isHeld: true })).toBe("");
        const report = quality.report();
        expect(report.codec).toBe("PCMA");
        expect(report.mos_min < report.mos_avg).toBe(true);
        expect(new Quality().report()).toBe(undefined);
    });
});

describe("the screen", () => {
    /** A phone with these calls, and what it is told. */
    async function mountControls(call, values = {}) {
        const state = reactive({ line: "ready", calls: [{ id: "p1", direction: "inbound", number: NUMBER, since: Date.now(), ...call }], ...values });
        mockService("softphone", () => ({
            state, run: async (command, ...args) => steps.push([command, ...args].join(" ")), phone: { isReady: true },
        }));
        await makeMockEnv();
        await mountWithCleanup(PhoneControls, { props: { phoneCallId: "p1" }, noMainContainer: true });
        return state;
    }

    test("answer or decline, then what a talk can do", async () => {
        const state = await mountControls({ state: "ringing" });
        expect(".o_telephony_phone").toHaveAttribute("role", "alertdialog");
        await contains(".o_telephony_answer").click();
        state.calls[0].state = "talking";
        await animationFrame();
        for (const button of ["mute", "hold", "phone_hang_up"]) {
            await contains(`.o_telephony_${button}`).click();
        }
        expect(steps).toEqual(["answer p1", "mute p1 true", "hold p1 true", "hangUp p1"]);
    });

    test("keys are pressed, typed and pasted", async () => {
        await mountControls({ state: "talking" });
        await contains(".o_telephony_keypad_toggle").click();
        expect(queryAllTexts(".o_telephony_keys button").join("")).toBe("123456789*0#");
        await contains(".o_telephony_keys button:contains(5)").click();
        await contains(".o_telephony_keypad input").edit("512a34#", { confirm: false });
        expect(steps[0]).toBe("keys p1 5");
        expect(steps.map((step) => step.split(" ")[2]).join("").endsWith("34#")).toBe(true);
        expect(steps.join("").includes("a3")).toBe(false);
    });

    test("without a connection only mute and hang-up are left", async () => {
        await mountControls({ state: "talking", trouble: "bad_out" }, { line: "lost" });
        for (const button of ["hold", "keypad_toggle", "pass"]) {
            expect(`.o_telephony_${button}`).toHaveAttribute("disabled");
        }
        for (const button of ["mute", "phone_hang_up"]) {
            expect(`.o_telephony_${button}`).not.toHaveAttribute("disabled");
        }
        expect(".o_telephony_trouble").toHaveText("They hear you badly");
    });

    test("users without a browser phone load nothing of it", async () => {
        const loaded = [];
        patchWithCleanup(assets, { loadBundle: async (name) => loaded.push(name) });
        onRpc("telephony.call", "ringing_now", () => []);
        patchWithCleanup(session, { telephony: { can_call: true, softphone: false } });
        await makeMockEnv();
        expect(getService("softphone")).toBe(null);
        expect(loaded).toEqual([]);
    });
});
