import { EventBus, reactive } from "@odoo/owl";
import { browser } from "@web/core/browser/browser";
import { registry } from "@web/core/registry";
import { session } from "@web/session";

/**
 * The calls of this user, as the server tells them. The only one that knows the types of the bus's notifications.
 *
 * @typedef {Object} LiveCall
 * @property {number} id of telephony.call
 * @property {"ringing" | "talking" | "ended" | "lost" | "gone"} phase what it is for this user (see telephony_call_card.py)
 * @property {"inbound" | "outbound"} direction
 * @property {string} number the other side, E.164 where known, "" where hidden
 * @property {string} display the same as people write it
 * @property {string} extension this user's phone
 * @property {boolean} is_shared talking or ended: the phone is a colleague's too, and the call counts as his
 * @property {boolean} may_be_answered talking: or dialling, the PBX does not tell which
 * @property {string} outcome once it has ended
 * @property {number} since when the phase began, in milliseconds of this browser's clock
 * @property {number} toldAt when the server said so, in seconds of its own clock
 * @property {number} talkSeconds once it has ended
 * @property {string} by gone: who has it
 * @property {Object | false} card what get_card answers; false until then
 * @property {number} shownAt when the card came up, in milliseconds of this browser's clock
 * @property {boolean} isFolded only its head is shown
 * @property {boolean} [isTouched] the user has done something with the card
 * @property {string} [note] what the user is writing about it: kept here, for the fields come and go with the phases
 * @property {string} [noteBefore] what stood there when he began, or has saved last
 * @property {Object} [result] what the user has entered in the result form
 * @property {{ name: string, company: string }} [caller] what the user has entered of a new caller
 */

const CALL = "crm_telephony.call";
const LIVE = "crm_telephony.live";
const DEBTS = "crm_telephony.debts";
const CALLBACKS = "crm_telephony.callbacks";
const PREFERENCES = "crm_telephony.preferences";

/** How long (ms) a card stays that nobody does anything with, once the call is over for this user. */
export const STAYS = { gone: 4_000, lost: 30_000, ended: 180_000 };
/** The result is for who talked; who shares his phone may have: he finds it folded, for as long (ms). */
export const STAYS_SHARED = 30_000;
/** Who comes back to the bus hears all at once what he has missed: a card of a call that is over before it can be seen (ms). */
const GLIMPSE = 500;
/** A clock that is wrong by more than this (ms), because the news came late, is set right by the next news. */
const LATE = 2_000;
/**
 * The server may write down what it tells, or look up what it answers, so long (s) before others see what it has done: news
 * that are nearer to each other are taken as they come.
 */
const MARGIN = 5;
/** What a call keeps of the user's, should the page be loaded again. */
const DRAFT = ["note", "noteBefore", "result", "caller"];
/** How long (ms) it is remembered which results the user does not want to be asked for. */
const REMEMBERED = 3_600_000;
/** How often (ms) the server is asked whether calls on the screen still go on: an end may get lost on the way. */
export const CHECK_EVERY = 60_000;

const isOlder = (toldAt, than) => toldAt < than - MARGIN;
const isLive = (call) => ["ringing", "talking"].includes(call.phase);

/** What is being written about calls, kept by this tab until it is saved or its card is closed. */
class Drafts {
    static prefix = "crm_telephony.draft.";

    constructor(storage) {
        this.storage = storage;
    }

    get ids() {
        const { prefix } = Drafts;
        const keys = Array.from({ length: this.storage.length }, (_, index) => this.storage.key(index));
        return keys.filter((key) => key.startsWith(prefix)).map((key) => Number(key.slice(prefix.length)));
    }

    get(id) {
        return JSON.parse(this.storage.getItem(Drafts.prefix + id));
    }

    set(id, values) {
        this.storage.setItem(Drafts.prefix + id, JSON.stringify(values));
    }

    delete(id) {
        this.storage.removeItem(Drafts.prefix + id);
    }
}

/** Ids with the time when each was added, in the storage of all tabs; old ones are forgotten. */
class Skipped {
    constructor(storage, key) {
        Object.assign(this, { storage, key });
    }

    get all() {
        const found = Object.entries(JSON.parse(this.storage.getItem(this.key)) || {});
        return Object.fromEntries(found.filter(([, at]) => Date.now() - at < REMEMBERED));
    }

    has(id) {
        return id in this.all;
    }

    add(id) {
        this.storage.setItem(this.key, JSON.stringify({ ...this.all, [id]: Date.now() }));
    }
}

export const telephonyService = {
    dependencies: ["bus_service", "multi_tab", "orm"],

    start(env, { bus_service: bus, multi_tab: multiTab, orm }) {
        // on a wall: the page is for all who pass by, a call is for one
        // preferences: see _telephony_preferences of res.users
        const state = reactive({ calls: [], isOnWall: false, preferences: { ...session.telephony } });
        const events = new EventBus();
        const timers = new Map();
        /** phase and toldAt of each card when it was closed: news of the same phase, or from before, do not bring it back */
        const closed = new Map();
        const drafts = new Drafts(browser.sessionStorage);
        /** results that are not asked for again, in no tab and after no reload: when each card was closed */
        const skipped = new Skipped(browser.localStorage, `crm_telephony.skipped.${session.db}`);
        /** the last that the bus has told of each call, and when: what the server was asked before that is older */
        const heard = new Map();
        let messages = 0;
        // what one tab closes, all close; other databases of this host have calls of their own
        const tabs = browser.BroadcastChannel && new browser.BroadcastChannel(`crm_telephony.${session.db}`);
        /** what a tab in the background does when somebody looks at it */
        const postponed = new Set();
        let checking;

        const find = (id) => state.calls.find((call) => call.id === id);

        /** Whoever does something with a card keeps it open. */
        function keep(id) {
            stopTimer(id);
            const call = find(id);
            if (call) {
                call.isTouched = true;
            }
        }

        function stopTimer(id) {
            browser.clearTimeout(timers.get(id));
            timers.delete(id);
        }

        function dismiss(id, { everywhere } = {}) {
            stopTimer(id);
            const index = state.calls.findIndex((call) => call.id === id);
            if (index >= 0) {
                const { phase, toldAt } = state.calls[index];
                closed.set(id, { phase, toldAt });
                if (phase === "ended") {
                    skipped.add(id);
                }
                state.calls.splice(index, 1);
            }
            drafts.delete(id);
            if (everywhere) {
                tabs?.postMessage({ dismissed: id });
            }
        }

        /** A tab in the background asks when somebody looks at it, and once: twenty tabs are one question. */
        function whenSeen(task) {
            if (document.visibilityState === "hidden") {
                postponed.add(task);
            } else {
                task();
            }
        }

        function catchUp() {
            const tasks = [...postponed];
            postponed.clear();
            tasks.forEach(whenSeen);
            state.calls.filter((call) => call.isStale).forEach(loadQuietly);
        }

        /** As above, for each card. */
        async function load(call) {
            if (document.visibilityState === "hidden") {
                call.isStale = true;
                return;
            }
            call.isStale = false;
            const card = await orm.silent.call("telephony.call", "get_card", [[call.id]]);
            if (card) {
                call.card = card;
            } else {
                dismiss(call.id);
            }
        }

        // the card then shows what the bus has told: nobody wants an error while it rings
        const loadQuietly = (call) => load(call).catch(() => {});

        /** One card at a time is open by itself: the talk that is going on, else the latest. */
        function unfold(call) {
            for (const other of state.calls) {
                other.isFolded = other !== call;
            }
        }

        /** The card that somebody is writing in: it does not fold for a call that only rings. */
        function findWritten() {
            return find(Number(document.activeElement?.closest("[data-call]")?.dataset.call));
        }

        function receive({ id, phase, seconds, talk_seconds: talkSeconds, told_at: toldAt, ...facts }) {
            let call = find(id);
            const before = call || closed.get(id);
            if (isOlder(toldAt, before?.toldAt)) {
                return; // the bus says again what was missed, and the server has said meanwhile what is true now
            }
            const isOver = ["gone", "lost"].includes(phase);
            if (phase === "closed" || (isOver && (!call || Date.now() - call.shownAt < GLIMPSE))) {
                dismiss(id); // done in another tab, or nobody has seen it here
                if (call && isOver) {
                    closed.set(id, { toldAt }); // nobody has closed it: a queue may ring here once more
                }
                return;
            }
            if (!call && (before?.phase === phase || (phase === "ended" && skipped.has(id)))) {
                return;
            }
            if (!call) {
                const draft = drafts.get(id);
                state.calls.push({ id, card: false, shownAt: Date.now(), isFolded: false, isTouched: Boolean(draft), ...draft });
                call = find(id);
                const isIn = (...phases) => state.calls.find((other) => phases.includes(other.phase));
                // what is over, as a page that was loaded anew hears of, does not hide what rings
                unfold(findWritten() || isIn("talking") || (phase === "ended" && isIn("ringing")) || call);
            }
            const { is_shared: isShared } = facts;
            const isAnswered =
                call.phase === "ringing" && phase === "talking" && facts.direction === "inbound" && !isShared &&
                Date.now() - call.shownAt >= GLIMPSE;
            const since = Date.now() - (seconds || 0) * 1000;
            if (call.phase !== phase || Math.abs(since - call.since) > LATE) {
                call.since = since;
            }
            if (call.phase !== phase) {
                if (phase === "talking" && !isShared) {
                    unfold(call);
                }
                stopTimer(id);
                const mayBeAnothers = phase === "ended" && isShared && !call.isTouched;
                call.isFolded ||= mayBeAnothers;
                if (phase in STAYS) {
                    const stays = mayBeAnothers ? STAYS_SHARED : STAYS[phase];
                    timers.set(id, browser.setTimeout(() => dismiss(id), stays));
                }
            }
            Object.assign(call, facts, { phase, toldAt, talkSeconds: talkSeconds || 0 });
            if (phase !== "gone") {
                loadQuietly(call).then(() => {
                    // the news may be old: who comes back to the bus hears all of it at once
                    if (isAnswered && call.phase === "talking") {
                        events.trigger("answered", call);
                    }
                });
            }
            checkLater();
        }

        function hear(message) {
            heard.set(message.id, { place: ++messages, toldAt: message.told_at });
            receive(message);
        }

        /** What rings now: for a page that has just been opened, or has been away from the bus. */
        async function refresh() {
            const before = state.calls.filter(isLive).map((call) => call.id);
            const asked = messages;
            const begun = drafts.ids.filter((id) => !find(id));
            const calls = await orm.silent.call("telephony.call", "ringing_now", [], begun.length ? { begun } : {});
            const isNews = ({ id, told_at: toldAt }) =>
                !(heard.get(id)?.place > asked) || isOlder(heard.get(id).toldAt, toldAt);
            const going = new Set(calls.map((call) => call.id));
            for (const id of before.filter((id) => !going.has(id) && isNews({ id }))) {
                dismiss(id);
                closed.delete(id); // nobody has closed it
            }
            calls.filter(isNews).forEach(receive);
            begun.filter((id) => !find(id)).forEach((id) => drafts.delete(id)); // saved elsewhere, or long ago
        }

        const refreshQuietly = () => refresh().catch(() => {});
        const tellDebts = () => events.trigger("debts");

        function checkLater() {
            if (!checking && state.calls.some(isLive)) {
                checking = browser.setTimeout(async () => {
                    checking = undefined;
                    await refreshQuietly();
                    checkLater();
                }, CHECK_EVERY);
            }
        }

        if (session.telephony) {
            bus.subscribe(CALL, hear);
            bus.subscribe(LIVE, (payload) => events.trigger("live", payload));
            bus.subscribe(DEBTS, () => whenSeen(tellDebts));
            bus.subscribe(CALLBACKS, (payload) => events.trigger("callbacks", payload));
            bus.subscribe(PREFERENCES, (preferences) => {
                Object.assign(state.preferences, preferences);
                whenSeen(refreshQuietly); // who does not want to be disturbed is not told how his calls end
            });
            bus.addEventListener("BUS:RECONNECT", () => {
                whenSeen(refreshQuietly);
                for (const event of ["live", "callbacks"]) {
                    events.trigger(event, {}); // whatever has changed meanwhile
                }
            });
            bus.start();
            whenSeen(refreshQuietly);
            tabs?.addEventListener("message", ({ data }) => dismiss(data.dismissed));
            document.addEventListener("visibilitychange", catchUp);
        }

        return {
            state,
            dismiss,
            keep,
            /** What the user is writing about this call survives a reload of the page. */
            remember(call) {
                drafts.set(call.id, Object.fromEntries(DRAFT.map((name) => [name, call[name]])));
            },
            reload: load,
            /**
             * Before a dialog: cards stand above it, and on a narrow screen hide it.
             *
             * @returns {() => void} for after the dialog: opens again what was open, unless another card is open by then
             */
            foldAll() {
                const unfolded = state.calls.find((call) => !call.isFolded);
                for (const call of state.calls) {
                    call.isFolded = true;
                }
                return () => {
                    if (unfolded && state.calls.every((call) => call.isFolded)) {
                        unfolded.isFolded = false;
                    }
                };
            },
            /** Whether it is this tab that rings: of many one does. */
            async maySound() {
                return multiTab.isOnMainTab();
            },
            /**
             * The user has answered; the card is loaded by then.
             *
             * @param {(call: LiveCall) => void} callback
             */
            onAnswered(callback) {
                events.addEventListener("answered", ({ detail }) => callback(detail));
            },
            /**
             * Supervisors hear here that something about the calls of a company has changed, or of any after we were away.
             *
             * @param {({ company_id?: number }) => void} callback
             * @returns {() => void} ends it
             */
            onLive(callback) {
                const listener = ({ detail }) => callback(detail);
                events.addEventListener("live", listener);
                return () => events.removeEventListener("live", listener);
            },
            /**
             * Something about the callbacks of a company has changed, or a call with one of these customers has begun or ended;
             * of any after we were away.
             *
             * @param {({ company_id?: number, ids?: number[] }) => void} callback
             * @returns {() => void} ends it
             */
            onCallbacks(callback) {
                const listener = ({ detail }) => callback(detail);
                events.addEventListener("callbacks", listener);
                return () => events.removeEventListener("callbacks", listener);
            },
            /**
             * The user's callbacks have changed: what he owes, or how late it is.
             *
             * @param {() => void} callback
             * @returns {() => void} ends it
             */
            onDebts(callback) {
                events.addEventListener("debts", callback);
                return () => events.removeEventListener("debts", callback);
            },
        };
    },
};

registry.category("services").add("telephony", telephonyService);
