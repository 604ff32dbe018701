import { browser } from "@web/core/browser/browser";
import { registry } from "@web/core/registry";
import { session } from "@web/session";

/** The deal of a card, or else its contact, as an action's model and id; nothing of who is not known. */
function whatItIsAbout({ leads = [], partner }) {
    const lead = leads.find((one) => one.is_linked);
    if (lead) {
        return { res_model: "crm.lead", res_id: lead.id };
    }
    return partner && { res_model: "res.partner", res_id: partner.id };
}

/** By the user's preference: who answers has the deal or contact before him, in one tab and not in each. */
export const openOnAnswerService = {
    dependencies: ["telephony", "action", "multi_tab"],

    start(env, { telephony, action, multi_tab: multiTab }) {
        const how = session.telephony?.tab;
        if (!["current", "new"].includes(how)) {
            return;
        }
        telephony.onAnswered(async (call) => {
            const about = call.card && whatItIsAbout(call.card);
            const isLookedAt = document.visibilityState === "visible";
            if (!about || !isLookedAt || !(document.hasFocus() || (await multiTab.isOnMainTab()))) {
                return;
            }
            const { res_model, res_id } = about;
            // browsers may keep a page from opening another by itself
            if (how === "current" || !browser.open(`/odoo/${res_model}/${res_id}`, "_blank")) {
                await action.doAction({ type: "ir.actions.act_window", res_model, res_id, views: [[false, "form"]] });
            }
        });
    },
};

registry.category("services").add("telephony_open_on_answer", openOnAnswerService);
