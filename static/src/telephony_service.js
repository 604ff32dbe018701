import { EventBus, reactive } from "@odoo/owl";
import { browser } from "@web/core/browser/browser";
import { registry } from "@web/core/registry";
import { session } from "@web/session";
import { CallStore } from "@crm_telephony/call_store/call_store";
import { Drafts, Skipped } from "@crm_telephony/call_store/kept";

const CALL = "crm_telephony.call";
const LIVE = "crm_telephony.live";
const DEBTS = "crm_telephony.debts";
const CALLBACKS = "crm_telephony.callbacks";
const PREFERENCES = "crm_telephony.preferences";

/**
 * Wires the store of this user's calls to the bus, the server and the other tabs. Nothing else in the client knows the types of
 * the bus's notifications.
 */
export const telephonyService = {
    dependencies: ["bus_service", "multi_tab", "orm"],

    start(env, { bus_service: bus, multi_tab: multiTab, orm }) {
        const events = new EventBus();
        const store = new CallStore({
            server: {
                getCard: (id) => orm.silent.call("telephony.call", "get_card", [[id]]),
                getCurrent: (begun) =>
                    orm.silent.call("telephony.call", "ringing_now", [], begun.length ? { begun } : {}),
            },
            drafts: new Drafts(browser.sessionStorage),
            skipped: new Skipped(browser.localStorage, `crm_telephony.skipped.${session.db}`),
            onAnswered: (call) => events.trigger("answered", call),
        });
        // on a wall: the page is for all who pass by, a call is for one
        // preferences: see _telephony_preferences of res.users
        const state = reactive({ calls: store.calls, isOnWall: false, preferences: { ...session.telephony } });
        // what one tab closes, all close; other databases of this host have calls of their own
        const tabs = browser.BroadcastChannel && new browser.BroadcastChannel(`crm_telephony.${session.db}`);
        /** what a tab in the background does when somebody looks at it */
        const postponed = new Set();

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
            store.loadStale();
        }

        const refresh = () => store.refreshQuietly();
        const tellDebts = () => events.trigger("debts");

        /** @returns {() => void} ends it */
        function listen(event, callback) {
            const listener = ({ detail }) => callback(detail);
            events.addEventListener(event, listener);
            return () => events.removeEventListener(event, listener);
        }

        if (session.telephony) {
            bus.subscribe(CALL, (message) => store.hear(message));
            bus.subscribe(LIVE, (payload) => events.trigger("live", payload));
            bus.subscribe(DEBTS, () => whenSeen(tellDebts));
            bus.subscribe(CALLBACKS, (payload) => events.trigger("callbacks", payload));
            bus.subscribe(PREFERENCES, (preferences) => {
                Object.assign(state.preferences, preferences);
                whenSeen(refresh); // who does not want to be disturbed is not told how their calls end
            });
            bus.addEventListener("BUS:RECONNECT", () => {
                whenSeen(refresh);
                for (const event of ["live", "callbacks"]) {
                    events.trigger(event, {}); // whatever has changed meanwhile
                }
            });
            bus.start();
            whenSeen(refresh);
            tabs?.addEventListener("message", ({ data }) => store.dismiss(data.dismissed));
            document.addEventListener("visibilitychange", catchUp);
        }

        return {
            state,
            dismiss(id, { everywhere } = {}) {
                store.dismiss(id);
                if (everywhere) {
                    tabs?.postMessage({ dismissed: id });
                }
            },
            keep: (id) => store.keep(id),
            remember: (call) => store.remember(call),
            foldAll: () => store.foldAll(),
            /** Whether it is this tab that rings: of many one does. */
            async maySound() {
                return multiTab.isOnMainTab();
            },
            /**
             * The user has answered; the card is loaded by then.
             *
             * @param {(call: import("@crm_telephony/call_store/call_store").LiveCall) => void} callback
             */
            onAnswered: (callback) => listen("answered", callback),
            /**
             * Supervisors hear here that something about the calls of a company has changed, or of any after we were away.
             *
             * @param {({ company_id?: number }) => void} callback
             */
            onLive: (callback) => listen("live", callback),
            /**
             * Something about the callbacks of a company has changed, or a call with one of these customers has begun or ended;
             * of any after we were away.
             *
             * @param {({ company_id?: number, ids?: number[] }) => void} callback
             */
            onCallbacks: (callback) => listen("callbacks", callback),
            /**
             * The user's callbacks have changed: what they owe, or how late it is.
             *
             * @param {() => void} callback
             */
            onDebts: (callback) => listen("debts", callback),
        };
    },
};

registry.category("services").add("telephony", telephonyService);
