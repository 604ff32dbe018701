import { reactive } from "@odoo/owl";
import { browser } from "@web/core/browser/browser";

/**
 * @typedef {Object} LiveCall
 * @property {number} id of telephony.call
 * @property {"ringing" | "talking" | "ended" | "lost" | "gone"} phase what it is for this user (see telephony_call_card.py)
 * @property {"inbound" | "outbound"} direction
 * @property {string} number the other side, E.164 where known, "" where hidden
 * @property {string} display the same as people write it
 * @property {string} extension this user's phone
 * @property {boolean} is_shared talking or ended: the phone is a colleague's too, and the call counts as theirs
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
 * @property {string} [noteBefore] what stood there when they began, or have saved last
 * @property {Object} [result] what the user has entered in the result form
 * @property {{ name: string, company: string }} [caller] what the user has entered of a new caller
 */

/** How long (ms) a card stays that nobody does anything with, once the call is over for this user. */
export const STAYS = { gone: 4_000, lost: 30_000, ended: 180_000 };
/** The result is for who talked; who shares their phone may have: they find it folded, for as long (ms). */
export const STAYS_SHARED = 30_000;
/** Who comes back to the bus hears all at once what they have missed: a card of a call that is over before it can be seen (ms). */
const GLIMPSE = 500;
/** A clock that is wrong by more than this (ms), because the news came late, is set right by the next news. */
const LATE = 2_000;
/**
 * The server may write down what it tells, or look up what it answers, so long (s) before others see what it has done: news
 * that are nearer to each other are taken as they come.
 */
const MARGIN = 5;
/** How often (ms) the server is asked whether calls on the screen still go on: an end may get lost on the way. */
export const CHECK_EVERY = 60_000;

const isOlder = (toldAt, than) => toldAt < than - MARGIN;
const isLive = (call) => ["ringing", "talking"].includes(call.phase);
const isSeen = (call) => Boolean(call) && Date.now() - call.shownAt >= GLIMPSE;

/**
 * The calls on this user's screen, one card each: what the server says of them comes in by `hear` and `refresh`, what the user
 * does with a card by the others. It knows neither the bus nor other tabs, so it is tested without them.
 */
export class CallStore {
    /**
     * @param {Object} wiring
     * @param {{
     *  getCard: (id: number) => Promise<Object | false>,
     *  getCurrent: (begun: number[]) => Promise<Object[]>,
     * }} wiring.server what a card shows; what rings, is talked or waits for its result now, and which of the calls that the user
     *  has begun to write about still do
     * @param {import("@crm_telephony/call_store/kept").Drafts} wiring.drafts
     * @param {import("@crm_telephony/call_store/kept").Skipped} wiring.skipped results that are not asked for again, in no tab
     *  and after no reload
     * @param {(call: LiveCall) => void} wiring.onAnswered the user has answered; the card is loaded by then
     */
    constructor({ server, drafts, skipped, onAnswered }) {
        Object.assign(this, { server, drafts, skipped, onAnswered });
        /** @type {LiveCall[]} */
        this.calls = reactive([]);
        this.timers = new Map();
        /** phase and toldAt of each card when it was closed: news of the same phase, or from before, do not bring it back */
        this.closed = new Map();
        /** the last that the bus has told of each call, and when: what the server was asked before that is older */
        this.heard = new Map();
        this.messages = 0;
    }

    find(id) {
        return this.calls.find((call) => call.id === id);
    }

    // -- what the user does

    /** Whoever does something with a card keeps it open. */
    keep(id) {
        this.stopTimer(id);
        const call = this.find(id);
        if (call) {
            call.isTouched = true;
        }
    }

    /** What the user is writing about this call survives a reload of the page. */
    remember(call) {
        this.drafts.keep(call);
    }

    dismiss(id) {
        this.stopTimer(id);
        const index = this.calls.findIndex((call) => call.id === id);
        if (index >= 0) {
            const { phase, toldAt } = this.calls[index];
            this.closed.set(id, { phase, toldAt });
            if (phase === "ended") {
                this.skipped.add(id);
            }
            this.calls.splice(index, 1);
        }
        this.drafts.delete(id);
    }

    /**
     * Before a dialog: cards stand above it, and on a narrow screen hide it.
     *
     * @returns {() => void} for after the dialog: opens again what was open, unless another card is open by then
     */
    foldAll() {
        const unfolded = this.calls.find((call) => !call.isFolded);
        for (const call of this.calls) {
            call.isFolded = true;
        }
        return () => {
            if (unfolded && this.calls.every((call) => call.isFolded)) {
                unfolded.isFolded = false;
            }
        };
    }

    // -- what the server says

    /** A message of the bus. */
    hear(message) {
        this.heard.set(message.id, { place: ++this.messages, toldAt: message.told_at });
        this.receive(message);
    }

    /** What rings now: for a page that has just been opened, or has been away from the bus. */
    async refresh() {
        const before = this.calls.filter(isLive).map((call) => call.id);
        const asked = this.messages;
        const begun = this.drafts.ids.filter((id) => !this.find(id));
        const calls = await this.server.getCurrent(begun);
        const isNews = ({ id, told_at: toldAt }) =>
            !(this.heard.get(id)?.place > asked) || isOlder(this.heard.get(id).toldAt, toldAt);
        const going = new Set(calls.map((call) => call.id));
        for (const id of before.filter((id) => !going.has(id) && isNews({ id }))) {
            this.dismiss(id);
            this.closed.delete(id); // nobody has closed it
        }
        calls.filter(isNews).forEach((call) => this.receive(call));
        begun.filter((id) => !this.find(id)).forEach((id) => this.drafts.delete(id)); // saved elsewhere, or long ago
    }

    refreshQuietly() {
        return this.refresh().catch(() => {});
    }

    receive({ id, phase, seconds, talk_seconds: talkSeconds, told_at: toldAt, ...facts }) {
        const known = this.find(id);
        const before = known || this.closed.get(id);
        if (isOlder(toldAt, before?.toldAt)) {
            return; // the bus says again what was missed, and the server has said meanwhile what is true now
        }
        const isOver = ["gone", "lost"].includes(phase);
        if (phase === "closed" || (isOver && !isSeen(known))) {
            this.dismiss(id); // done in another tab, or nobody has seen it here
            if (known && isOver) {
                this.closed.set(id, { toldAt }); // nobody has closed it: a queue may ring here once more
            }
            return;
        }
        if (!known && (before?.phase === phase || (phase === "ended" && this.skipped.has(id)))) {
            return;
        }
        const call = known || this.show(id, phase);
        const { is_shared: isShared, direction } = facts;
        const isAnswered =
            call.phase === "ringing" && phase === "talking" && direction === "inbound" && !isShared && isSeen(call);
        this.goOn(call, phase, Date.now() - (seconds || 0) * 1000, isShared);
        Object.assign(call, facts, { phase, toldAt, talkSeconds: talkSeconds || 0 });
        if (phase !== "gone") {
            this.loadQuietly(call).then(() => {
                // the news may be old: who comes back to the bus hears all of it at once
                if (isAnswered && call.phase === "talking") {
                    this.onAnswered(call);
                }
            });
        }
        this.checkLater();
    }

    /** A card comes up for a call that is in this phase. */
    show(id, phase) {
        const draft = this.drafts.get(id);
        this.calls.push({ id, card: false, shownAt: Date.now(), isFolded: false, isTouched: Boolean(draft), ...draft });
        const call = this.find(id);
        const isIn = (...phases) => this.calls.find((other) => phases.includes(other.phase));
        // what is over, as a page that was loaded anew hears of, does not hide what rings
        this.unfold(this.findWritten() || isIn("talking") || (phase === "ended" && isIn("ringing")) || call);
        return call;
    }

    /** A call is in this phase since then: a new one, or the one that was known, whose beginning is told more exactly. */
    goOn(call, phase, since, isShared) {
        if (call.phase === phase) {
            if (Math.abs(since - call.since) > LATE) {
                call.since = since;
            }
            return;
        }
        call.since = since;
        if (phase === "talking" && !isShared) {
            this.unfold(call);
        }
        this.stopTimer(call.id);
        const mayBeAnothers = phase === "ended" && isShared && !call.isTouched;
        call.isFolded ||= mayBeAnothers;
        if (phase in STAYS) {
            const stays = mayBeAnothers ? STAYS_SHARED : STAYS[phase];
            this.timers.set(call.id, browser.setTimeout(() => this.dismiss(call.id), stays));
        }
    }

    stopTimer(id) {
        browser.clearTimeout(this.timers.get(id));
        this.timers.delete(id);
    }

    /** One card at a time is open by itself: the talk that is going on, else the latest. */
    unfold(call) {
        for (const other of this.calls) {
            other.isFolded = other !== call;
        }
    }

    /** The card that somebody is writing in: it does not fold for a call that only rings. */
    findWritten() {
        return this.find(Number(document.activeElement?.closest("[data-call]")?.dataset.call));
    }

    // -- what the server is asked

    /** A tab in the background asks when somebody looks at it: twenty tabs are one question. */
    async load(call) {
        call.isStale = document.visibilityState === "hidden";
        if (call.isStale) {
            return;
        }
        const card = await this.server.getCard(call.id);
        if (card) {
            call.card = card;
        } else {
            this.dismiss(call.id);
        }
    }

    /** The card then shows what the bus has told: nobody wants an error while it rings. */
    loadQuietly(call) {
        return this.load(call).catch(() => {});
    }

    /** Somebody looks at this tab. */
    loadStale() {
        this.calls.filter((call) => call.isStale).forEach((call) => this.loadQuietly(call));
    }

    checkLater() {
        if (!this.checking && this.calls.some(isLive)) {
            this.checking = browser.setTimeout(async () => {
                this.checking = undefined;
                await this.refreshQuietly();
                this.checkLater();
            }, CHECK_EVERY);
        }
    }
}
