import { browser } from "@web/core/browser/browser";
import { registry } from "@web/core/registry";
import { session } from "@web/session";
import { formAction } from "@crm_telephony/form_action";

/** Where the browser keeps which of its tabs was looked at last; other databases of this host have tabs of their own. */
export const LOOKED_AT = `crm_telephony.looked_at.${session.db}`;

/** The deal of a card, or else its contact, as model and id; nothing of who is not known. */
function whatItIsAbout({ leads = [], partner }) {
    const lead = leads.find((one) => one.is_linked);
    if (lead) {
        return ["crm.lead", lead.id];
    }
    return partner && ["res.partner", partner.id];
}

/**
 * By the user's preference: who answers has the deal or contact before him, in the tab that he has looked at last. It need
 * not have the focus: he may answer in a softphone's window.
 */
export const openOnAnswerService = {
    dependencies: ["telephony", "action"],

    start(env, { telephony, action }) {
        if (!session.telephony) {
            return;
        }
        const tab = String(Math.random());
        const look = () => {
            if (document.visibilityState === "visible") {
                browser.localStorage.setItem(LOOKED_AT, tab);
            }
        };
        look();
        browser.addEventListener("focus", look);
        document.addEventListener("visibilitychange", look);

        telephony.onAnswered(async (call) => {
            const how = telephony.state.preferences.tab;
            const about = ["current", "new"].includes(how) && call.card && whatItIsAbout(call.card);
            const isLookedAt = document.visibilityState === "visible" && browser.localStorage.getItem(LOOKED_AT) === tab;
            if (!about || !isLookedAt) {
                return;
            }
            // browsers may keep a page from opening another by itself
            if (how === "current" || !browser.open(`/odoo/${about.join("/")}`, "_blank")) {
                await action.doAction(formAction(...about));
            }
        });
    },
};

registry.category("services").add("telephony_open_on_answer", openOnAnswerService);
