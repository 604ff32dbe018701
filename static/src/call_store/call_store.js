import { reactive } from "@odoo/owl";
import { browser } from "@web/core/browser/browser";

/**
 * @typedef {Object} LiveCall
 * @property {number} id of telephony.call
 * @property {"ringing" | "talking" | "ended" | "lost" | "gone"} phase what it is for this user (see models/screen/card.py)
 * @property {"inbound" | "outbound"} direction
 * @property {string} number the other side, E.164 where known, "" where hidden
 * @property {string} display the same as people write it
 * @property {string} extension this user's phone
 * @property {boolean} is_shared talking or ended: the phone is a colleague's too, and the call counts as theirs
 * @property {boolean} may_be_answered talking: it may still be dialling, the PBX does not tell which
 * @property {string} outcome once it has ended
 * @property {number} since when the phase began, in milliseconds of this browser's clock
 * @property {number} toldAt when the server said so, in seconds of its own clock
 * @property {number} talkSeconds once it has ended
 * @property {string} by gone: the name of who has it
 * @property {Object | false} card what get_card answers; false until then
 * @property {number} shownAt when the card came up, in milliseconds of this browser's clock
 * @property {boolean} isFolded only its head is shown
 * @property {boolean} [isTouched] the user has done something with the card
 * @property {string} [note] what the user is writing about it: kept here, for the fields come and go with the phases
 * @property {string} [noteBefore] what stood there when they began, or have saved last
 * @property {Object} [result] what the user has entered in the result form
 * @property {{ name: string, company: string }} [caller] what the user has entered of a new caller
 */

/** How long (ms) a card that nobody touches stays, once the call is over for this user. */
export const STAYS = { gone: 4_000, lost: 30_000, ended: 180_000 };
/** How long (ms) an untouched result stays, folded, with those who share the phone: any of them may have talked. */
export const STAYS_SHARED = 30_000;
/** A card that has stood for less (ms) was not seen: a tab that comes back to the bus hears all at once what it has missed. */
const GLIMPSE = 500;
/** The next news set a clock right that is wrong by more than this (ms), because earlier news came late. */
const LATE = 2_000;
/**
 * News whose times on the server's clock differ by less (s) are taken in the order in which they come, because the server notes
 * the time before others can see what it has done.
 */
const MARGIN = 5;
/** How often (ms) the server is asked whether the calls on the screen still go on, because an end may get lost on the way. */
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
     * }} wiring.server answers what a card shows; which calls ring, are talked or wait for their result now, among them those of
     *  `begun`, about which the user has begun to write
     * @param {import("@crm_telephony/call_store/kept").Drafts} wiring.drafts
     * @param {import("@crm_telephony/call_store/kept").Skipped} wiring.skipped calls whose result is not asked for
     *  again, in any tab or after a reload
     * @param {(call: LiveCall) => void} wiring.onAnswered runs when the user has answered and the card is loaded
     */
    constructor({ server, drafts, skipped, onAnswered }) {
        Object.assign(this, { server, drafts, skipped, onAnswered });
        /** @type {LiveCall[]} */
        this.calls = reactive([]);
        this.timers = new Map();
        /** phase and toldAt of each card when it was closed: news of the same phase, or from before, do not bring it back */
        this.closed = new Map();
        /** place and time of the bus's last message about each call: what the server was asked before it is older */
        this.heard = new Map();
        this.messages = 0;
    }

    find(id) {
        return this.calls.find((call) => call.id === id);
    }

    // -- what the user does

    /** Keeps a card that the user has done something with until they close it. */
    keep(id) {
        this.stopTimer(id);
        const call = this.find(id);
        if (call) {
            call.isTouched = true;
        }
    }

    /** Stores what the user is writing about the call, so that it survives a reload of the page. */
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
     * Folds all cards before a dialog opens, because cards stand above it, and on a narrow screen hide it.
     *
     * @returns {() => void} for after the dialog: unfolds the card that was open, unless another one is by then
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

    /** Takes a message of the bus. */
    hear(message) {
        this.heard.set(message.id, { place: ++this.messages, toldAt: message.told_at });
        this.receive(message);
    }

    /** Asks what rings now, for a page that has just been opened or has been away from the bus. */
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

    /** Adds a card for a call that is in this phase, and returns the call. */
    show(id, phase) {
        const draft = this.drafts.get(id);
        this.calls.push({ id, card: false, shownAt: Date.now(), isFolded: false, isTouched: Boolean(draft), ...draft });
        const call = this.find(id);
        const findIn = (...phases) => this.calls.find((other) => phases.includes(other.phase));
        // what is over, as a page that was loaded anew hears of, does not hide what rings
        this.unfold(this.findWritten() || findIn("talking") || (phase === "ended" && findIn("ringing")) || call);
        return call;
    }

    /** Moves a call to the phase that began at `since`, or tells more exactly when its present phase began. */
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

    /** Unfolds this card and folds the others, because there is room for one. */
    unfold(call) {
        for (const other of this.calls) {
            other.isFolded = other !== call;
        }
    }

    /** Returns the call whose card the user is writing in: it does not fold for a call that only rings. */
    findWritten() {
        return this.find(Number(document.activeElement?.closest("[data-call]")?.dataset.call));
    }

    // -- what the server is asked

    /** Loads what a card shows; in the background once somebody looks at this tab, so that of twenty tabs one asks. */
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

    /** Loads a card, or leaves it with what the bus has told: nobody wants an error while the phone rings. */
    loadQuietly(call) {
        return this.load(call).catch(() => {});
    }

    /** Loads the cards that have waited until somebody looks at this tab. */
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
