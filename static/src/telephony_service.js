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
 * @property {string} extension this user's phone
 * @property {string} outcome once it has ended
 * @property {number} since when the phase began, in milliseconds of this browser's clock
 * @property {number} talkSeconds once it has ended
 * @property {string} by gone: who has it
 * @property {Object | false} card what get_card answers; false until then
 */

const CALL = "crm_telephony.call";
const LIVE = "crm_telephony.live";
const DEBTS = "crm_telephony.debts";

/** How long (ms) a card stays that nothing is to be done with. */
export const STAYS = { gone: 4_000, lost: 30_000, ended: 180_000 };
/** How often (ms) the server is asked whether calls on the screen still go on: an end may get lost on the way. */
const CHECK_EVERY = 60_000;

export const telephonyService = {
    dependencies: ["bus_service", "orm"],

    start(env, { bus_service: bus, orm }) {
        const state = reactive({ calls: [] });
        const events = new EventBus();
        const timers = new Map();
        let checking;

        const find = (id) => state.calls.find((call) => call.id === id);
        const isLive = (call) => ["ringing", "talking"].includes(call.phase);

        function dismiss(id) {
            browser.clearTimeout(timers.get(id));
            timers.delete(id);
            const index = state.calls.findIndex((call) => call.id === id);
            if (index >= 0) {
                state.calls.splice(index, 1);
            }
        }

        /** Whoever has something to do with a card keeps it open. */
        function keep(id) {
            browser.clearTimeout(timers.get(id));
            timers.delete(id);
        }

        function leaveLater(call) {
            keep(call.id);
            if (call.phase in STAYS) {
                timers.set(
                    call.id,
                    browser.setTimeout(() => dismiss(call.id), STAYS[call.phase])
                );
            }
        }

        async function load(call) {
            const card = await orm.silent.call("telephony.call", "get_card", [[call.id]]);
            if (card) {
                call.card = card;
            } else {
                dismiss(call.id);
            }
        }

        function receive({ id, phase, seconds, talk_seconds: talkSeconds, ...facts }) {
            let call = find(id);
            if (!call) {
                if (phase === "gone" || phase === "lost") {
                    return; // it never stood here
                }
                state.calls.push({ id, card: false });
                call = find(id);
            }
            const isNew = call.phase !== phase;
            Object.assign(call, facts, { phase, talkSeconds: talkSeconds || 0 });
            if (isNew) {
                call.since = Date.now() - (seconds || 0) * 1000;
            }
            leaveLater(call);
            if (phase !== "gone") {
                load(call);
            }
            checkLater();
        }

        /** What rings now: for a page that has just been opened, or has been away from the bus. */
        async function refresh() {
            const calls = await orm.silent.call("telephony.call", "ringing_now", []);
            const going = new Set(calls.map((call) => call.id));
            for (const call of state.calls.filter(isLive)) {
                if (!going.has(call.id)) {
                    dismiss(call.id);
                }
            }
            calls.forEach(receive);
        }

        function checkLater() {
            if (!checking && state.calls.some(isLive)) {
                checking = browser.setTimeout(async () => {
                    checking = undefined;
                    await refresh().catch(() => {});
                    checkLater();
                }, CHECK_EVERY);
            }
        }

        if (session.is_telephony_user) {
            bus.subscribe(CALL, receive);
            bus.subscribe(LIVE, (payload) => events.trigger("live", payload));
            bus.subscribe(DEBTS, () => events.trigger("debts"));
            bus.addEventListener("BUS:RECONNECT", () => refresh().catch(() => {}));
            bus.start();
            refresh().catch(() => {});
        }

        return {
            state,
            dismiss,
            keep,
            reload: load,
            /**
             * Supervisors hear here that something about the calls of a company has changed.
             *
             * @param {({ company_id: number }) => void} callback
             * @returns {() => void} ends it
             */
            onLive(callback) {
                const listener = ({ detail }) => callback(detail);
                events.addEventListener("live", listener);
                return () => events.removeEventListener("live", listener);
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
