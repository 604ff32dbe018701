import { browser } from "@web/core/browser/browser";
import { registry } from "@web/core/registry";
import { session } from "@web/session";
import { formAction } from "@crm_telephony/form_action";

/** Where the browser keeps which of its tabs was looked at last; other databases of this host have tabs of their own. */
export const LOOKED_AT = `crm_telephony.looked_at.${session.db}`;

/** Returns the deal of a card, or else its contact, as model and id; false for a caller whom nobody knows. */
function whatItIsAbout({ leads = [], partner }) {
    const linked = leads.find((lead) => lead.is_linked);
    if (linked) {
        return ["crm.lead", linked.id];
    }
    return partner && ["res.partner", partner.id];
}

/**
 * Opens deal or contact when a user answers whose preferences say so, in the tab that they have looked at last. It need not have
 * the focus, because they may answer in a softphone's window.
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
            // browsers may keep a page from opening another by itself: then this tab shows the record
            if (how === "current" || !browser.open(`/odoo/${about.join("/")}`, "_blank")) {
                await action.doAction(formAction(...about));
            }
        });
    },
};

registry.category("services").add("telephony_open_on_answer", openOnAnswerService);
