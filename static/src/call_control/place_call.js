import { useState } from "@odoo/owl";
import { ConfirmationDialog } from "@web/core/confirmation_dialog/confirmation_dialog";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { session } from "@web/session";

/** Whether the user has a phone that a PBX rings for him. */
export function canCall() {
    return Boolean(session.telephony && session.telephony.can_call);
}

/**
 * @returns {{ busy: boolean, place: (ask: () => Promise<Object>) => Promise<void> }} `place` does what the server answers,
 *  one click at a time; `busy` while the PBX is asked
 */
export function usePlaceCall() {
    const action = useService("action");
    const call = useState({
        busy: false,
        async place(ask) {
            if (call.busy) {
                return;
            }
            call.busy = true;
            try {
                await action.doAction(await ask());
            } finally {
                call.busy = false;
            }
        },
    });
    return call;
}

/** The server has something to say before it calls: he asked not to be called, a colleague talks to him. */
registry.category("actions").add("crm_telephony.confirm_call", (env, { params }) => {
    env.services.telephony.foldAll();
    env.services.dialog.add(ConfirmationDialog, {
        title: _t("Call anyway?"),
        body: params.warnings.join("\n"),
        confirmLabel: _t("Call"),
        confirm: async () => {
            const { number, res_model, res_id, confirmed } = params;
            const next = await env.services.orm.call("telephony.account", "place_call", [
                number, res_model, res_id, confirmed,
            ]);
            await env.services.action.doAction(next);
        },
        cancel: () => {},
    });
});
