import { ConfirmationDialog } from "@web/core/confirmation_dialog/confirmation_dialog";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { session } from "@web/session";
import { useBusy } from "@crm_telephony/hooks";

/** Returns whether a PBX can ring a phone of this user, or their browser is one. Others call with their own device. */
export function canCall() {
    return Boolean(session.telephony && (session.telephony.can_call || session.telephony.softphone));
}

/**
 * @returns {{
 *  isBusy: boolean,
 *  place: (ask: () => Promise<Object>) => Promise<void>,
 *  placeTo: (number: string, resModel?: string, resId?: number) => Promise<void>,
 * }} `place` does what the server answers, one click at a time; `placeTo` asks it to call a number of a record; `isBusy` while the
 *  PBX is asked
 */
export function usePlaceCall() {
    const action = useService("action");
    const orm = useService("orm");
    const guard = useBusy();
    const place = (ask) => guard.run(async () => action.doAction(await ask()));
    return {
        get isBusy() {
            return guard.isBusy;
        },
        place,
        placeTo: (number, resModel = false, resId = false) =>
            place(() => orm.call("telephony.dial", "place_call", [number, resModel, resId])),
    };
}

/**
 * Gives the number to the device's own dialler, because no PBX can ring a phone of this user. It clicks on a link, because Odoo
 * would take an address that the browser is sent to for a page of its own.
 */
registry.category("actions").add("crm_telephony.own_device", (env, { params }) => {
    const link = document.createElement("a");
    link.href = `tel:${params.number.replaceAll("#", "%23")}`;
    document.body.append(link);
    link.click();
    link.remove();
    env.services.notification.add(params.reason, {
        title: _t("Call %s with your own phone", params.display), type: "info",
    });
});

/** Asks before the call, because the server has warnings: the customer has asked not to be called, a colleague talks to them. */
registry.category("actions").add("crm_telephony.confirm_call", (env, { params }) => {
    const onClose = env.services.telephony.foldAll();
    env.services.dialog.add(ConfirmationDialog, {
        title: _t("Call anyway?"),
        body: params.warnings.join("\n"),
        confirmLabel: _t("Call"),
        confirm: async () => {
            const { number, res_model, res_id, confirmed } = params;
            const next = await env.services.orm.call("telephony.dial", "place_call", [
                number, res_model, res_id, confirmed,
            ]);
            await env.services.action.doAction(next);
        },
        cancel: () => {},
    }, { onClose });
});
