import { EventBus, reactive } from "@odoo/owl";
import { browser } from "@web/core/browser/browser";
import { registry } from "@web/core/registry";
import { session } from "@web/session";
import { CallStore } from "@crm_telephony/call_store/call_store";
import { Drafts, Skipped } from "@crm_telephony/call_store/kept";

const CALL = "crm_telephony.call";
const LIVE = "crm_telephony.live";
const MY_CALLBACKS = "crm_telephony.my_callbacks";
const CALLBACKS = "crm_telephony.callbacks";
const PREFERENCES = "crm_telephony.preferences";
const TEST_CALL = "crm_telephony.test_call";

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
        // isOnWall: a wallboard shows no cards, because everybody who passes by reads it
        // preferences: see _telephony_preferences of res.users
        const state = reactive({ calls: store.calls, isOnWall: false, preferences: { ...session.telephony } });
        // a card that one tab closes, all close; other databases of this host have calls of their own
        const tabs = browser.BroadcastChannel && new browser.BroadcastChannel(`crm_telephony.${session.db}`);
        /** tasks that a tab in the background runs once somebody looks at it */
        const postponed = new Set();

        /** Runs a task now, or in the background once somebody looks at this tab, so that of twenty tabs one asks the server. */
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
        const tellMyCallbacks = () => events.trigger("my_callbacks");

        /** @returns {() => void} stops listening */
        function listen(event, handler) {
            const listener = ({ detail }) => handler(detail);
            events.addEventListener(event, listener);
            return () => events.removeEventListener(event, listener);
        }

        if (session.telephony) {
            bus.subscribe(CALL, (message) => store.hear(message));
            bus.subscribe(LIVE, (payload) => events.trigger("live", payload));
            bus.subscribe(MY_CALLBACKS, () => whenSeen(tellMyCallbacks));
            bus.subscribe(CALLBACKS, (payload) => events.trigger("callbacks", payload));
            bus.subscribe(TEST_CALL, (payload) => events.trigger("test_call", payload));
            bus.subscribe(PREFERENCES, (preferences) => {
                Object.assign(state.preferences, preferences);
                whenSeen(refresh); // while the user is not to be disturbed, nobody tells how their calls end
            });
            bus.addEventListener("BUS:RECONNECT", () => {
                whenSeen(refresh);
                for (const event of ["live", "callbacks", "test_call"]) {
                    events.trigger(event, {}); // anything may have changed meanwhile
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
            /** Asks the server again which calls go on. */
            refresh,
            /** Whether this tab rings: of a user's many tabs only one does. */
            async maySound() {
                return multiTab.isOnMainTab();
            },
            /**
             * Calls `handler` when the user has answered and the card is loaded.
             *
             * @param {(call: import("@crm_telephony/call_store/call_store").LiveCall) => void} handler
             */
            onAnswered: (handler) => listen("answered", handler),
            /**
             * Tells supervisors that calls of a company have changed, or after the bus was lost those of any company.
             *
             * @param {({ company_id?: number }) => void} handler
             */
            onLive: (handler) => listen("live", handler),
            /**
             * Tells that callbacks of a company have changed, or that a call with one of these customers has begun or ended; after
             * the bus was lost, those of any company.
             *
             * @param {({ company_id?: number, ids?: number[] }) => void} handler
             */
            onCallbacks: (handler) => listen("callbacks", handler),
            /**
             * Tells that the user has other callbacks than before, or that one of them is late.
             *
             * @param {() => void} handler
             */
            onMyCallbacks: (handler) => listen("my_callbacks", handler),
            /**
             * Tells that something of a test call has come; after the bus was lost, of any test.
             *
             * @param {({ id?: number, seen?: string[] }) => void} handler `seen`: the facts that have come
             */
            onTestCall: (handler) => listen("test_call", handler),
        };
    },
};

registry.category("services").add("telephony", telephonyService);
