import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";

/** How long (ms) the notification stays: enough to read it and to think again. */
const STAYS = 10_000;

/** Says what became of some calls, with a button that undoes it and loads the view again. */
function settledAction(env, { params }) {
    const { notification, orm, action } = env.services;
    const { message, call_ids: callIds } = params;
    const close = notification.add(message, {
        type: callIds.length ? "success" : "info",
        autocloseDelay: STAYS,
        buttons: callIds.length
            ? [
                  {
                      name: _t("Undo"),
                      icon: "fa-undo",
                      onClick: async () => {
                          close();
                          const done = await orm.call("telephony.call", "action_forget_choice", [callIds]);
                          await action.doAction(done);
                          await action.doAction("soft_reload");
                      },
                  },
              ]
            : [],
    });
    return { type: "ir.actions.act_window_close" };
}

registry.category("actions").add("crm_telephony.settled", settledAction);
