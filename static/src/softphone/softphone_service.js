import { browser } from "@web/core/browser/browser";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { user } from "@web/core/user";
import { session } from "@web/session";
import { reactive } from "@odoo/owl";
import { Devices } from "@crm_telephony/softphone/devices";
import { LineTestDialog } from "@crm_telephony/softphone/line_test_dialog";
import { PhoneCards } from "@crm_telephony/softphone/phone_cards";
import { PhoneWindow } from "@crm_telephony/softphone/phone_window";
import { problemWords } from "@crm_telephony/softphone/phone_words";
import { Softphone } from "@crm_telephony/softphone/softphone";
import { Sounds } from "@crm_telephony/softphone/sounds";

const LEASE = "crm_telephony.softphone";
const BROWSER_KEY = "crm_telephony.browser";

/** Returns what people call this browser. */
export function browserLabel(agent = navigator.userAgent) {
    const names = [["Edg/", "Edge"], ["OPR/", "Opera"], ["YaBrowser", "Yandex Browser"], ["Firefox", "Firefox"], ["Chrome", "Chrome"], ["Safari", "Safari"]];
    const systems = [["Windows", "Windows"], ["CrOS", "ChromeOS"], ["Android", "Android"], ["iPhone", "iPhone"], ["Mac OS", "macOS"], ["Linux", "Linux"]];
    const found = (pairs) => pairs.find(([sign]) => agent.includes(sign))?.[1];
    const name = found(names) || _t("A browser");
    const system = found(systems);
    return system ? _t("%(browser)s on %(system)s", { browser: name, system }) : name;
}

/** Returns what this browser calls itself, the same in all its tabs. */
function browserId() {
    let id = browser.localStorage.getItem(BROWSER_KEY);
    if (!id) {
        id = crypto.randomUUID?.() || `${Date.now()}-${Math.random().toString(36).slice(2)}`;
        browser.localStorage.setItem(BROWSER_KEY, id);
    }
    return id;
}

/** Wires the phone to the server, the bus, the other tabs and the browser's notifications. */
export const softphoneService = {
    dependencies: ["bus_service", "mail.popout", "notification", "orm", "telephony", "title"],

    start(env, { bus_service: bus, "mail.popout": mailPopout, notification, orm, telephony, title }) {
        if (!session.telephony?.softphone) {
            return undefined;
        }
        if (!navigator.locks) {
            notification.add(problemWords("insecure"), { type: "warning" });
            return undefined;
        }
        const id = browserId();
        const name = `crm_telephony.softphone.${session.db}.${user.userId}`;
        const call = (method, ...args) => orm.silent.call("telephony.extension", method, args);
        const devices = new Devices();
        let shown;

        const closeNotification = () => {
            shown?.close();
            shown = undefined;
            title.setParts({ telephony: null });
        };

        /** Shows who calls to somebody who does not look at this page. */
        function announce({ name, number }) {
            const who = name || number || _t("Hidden number");
            title.setParts({ telephony: `☎ ${who}` });
            if (document.visibilityState === "hidden" && browser.Notification?.permission === "granted") {
                shown = new browser.Notification(_t("Incoming call"), { body: who, tag: name, requireInteraction: true });
                shown.onclick = () => {
                    window.focus();
                    closeNotification();
                };
            }
        }

        const phone = new Softphone({
            server: {
                claim: (browserId, takeOver) => call("softphone_claim", browserId, browserLabel(), takeOver),
                renew: (lease) => call("softphone_renew", lease),
                trouble: (lease, trouble) => call("softphone_trouble", lease, trouble),
                askToMove: (browserId) => call("softphone_ask_to_move", browserId),
                handOver: (lease, browserId, talks) => call("softphone_hand_over", lease, browserId, talks),
                event: async (lease, event) => {
                    const body = JSON.stringify({ lease, ...event });
                    return (await browser.fetch("/telephony/softphone/event", { method: "POST", body })).status;
                },
                plan: () => call("softphone_line_plan"),
                tested: (outcomes, said) => call("softphone_line_tested", outcomes, said),
                report: (talk) => orm.silent.call("telephony.call.quality", "report", [talk]),
                gone: (lease, isTalking) =>
                    browser.navigator.sendBeacon("/telephony/softphone/gone", JSON.stringify({ lease, talking: isTalking })),
            },
            lineOf: (kind) => registry.category("crm_telephony.lines").get(kind, undefined),
            locks: navigator.locks,
            channel: new browser.BroadcastChannel(name),
            lockName: name,
            storage: browser.sessionStorage,
            lasting: browser.localStorage,
            browserId: id,
            devices,
            sounds: new Sounds(devices),
            telephony: telephony.state,
            askForCards: () => telephony.refresh(),
            onNews(what, phoneCall) {
                if (what === "ring") {
                    announce(phoneCall);
                } else if (what === "ring_over") {
                    closeNotification();
                } else {
                    // every button that calls says by it that this browser calls itself
                    user.updateContext({ telephony_browser: what === "ready" ? id : undefined });
                }
            },
        });
        // the cards may come before the call or after it
        const cards = reactive(telephony.state.calls, () => {
            watchCards();
            phone.onCards();
        });
        const watchCards = () => cards.forEach(({ id, phase, number, direction }) => [id, phase, number, direction]);
        watchCards();

        bus.subscribe(LEASE, ({ lost, label, move_to: moveTo, to, talks }) => {
            if (lost === id && phone.state.isLeader) {
                phone.yieldTo(label);
            } else if (moveTo && moveTo !== id) {
                phone.handOver(moveTo).catch(() => {}); // the other one waits for it, and goes on without
            } else if (to === id) {
                phone.onTalks?.(talks);
            }
        });
        browser.addEventListener("pagehide", () => phone.leave());
        browser.addEventListener("beforeunload", (ev) => {
            if (phone.state.isLeader && phone.state.calls.some((call) => call.state === "talking")) {
                ev.preventDefault();
            }
        });
        phone.start();
        registry.category("main_components").add("crm_telephony.PhoneCards", { Component: PhoneCards }, { force: true });

        // where a browser asks for the microphone and allows sound in each tab apart, the tab that is used is the phone
        if (!/Chrome|Chromium/.test(navigator.userAgent)) {
            const use = () => phone.used();
            browser.addEventListener("pointerdown", use, true);
            browser.addEventListener("keydown", use, true);
        }
        const popout = mailPopout.createManager(Symbol("crm_telephony.phone"));

        return {
            phone,
            /** Shows the calls in a small window of their own, on top of the others where the browser can. */
            popOut: () => popout.pip(PhoneWindow, { options: { width: 360, height: 320 } }),
            devices,
            state: phone.state,
            /** Lets the page sound, and tell of calls while it is hidden; runs in a click. */
            unblock() {
                phone.show({ isSoundBlocked: false });
                browser.Notification?.requestPermission?.();
            },
            /** Says why something could not be done. */
            tell: (code) => notification.add(problemWords(code), { type: "danger" }),
            /** Does what was clicked, and says why it could not be done. */
            async run(command, ...args) {
                try {
                    await phone.ask(command, ...args);
                } catch (error) {
                    notification.add(problemWords(error.isSilent ? "silent" : error.message), {
                        type: "danger",
                        buttons: error.isSilent
                            ? [{ name: _t("Use the phone in this tab"), onClick: () => phone.leader.steal() }]
                            : [],
                    });
                }
            },
        };
    },
};

registry.category("services").add("softphone", softphoneService);

registry.category("actions").add("crm_telephony.line_test", (env) => {
    env.services.dialog.add(LineTestDialog, {});
});

registry.category("actions").add("crm_telephony.browser_call", (env, { params }) => {
    const { dialled, dial_id: nonce, display } = params;
    if (nonce) {
        return env.services.softphone.run("dial", dialled, String(nonce), display === dialled ? "" : display);
    }
});
