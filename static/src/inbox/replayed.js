import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";

/** Says whether replayed events are understood now. Then the page reloads. */
registry.category("actions").add("crm_telephony.replayed", async (env, { params }) => {
    const events = await env.services.orm.searchRead(
        "telephony.event", [["id", "in", params.event_ids]], ["state", "error"]
    );
    const failed = events.filter((event) => event.state === "failed");
    if (failed.length === 1 && events.length === 1) {
        env.services.notification.add(failed[0].error || "", { title: _t("Still not understood"), type: "danger" });
    } else if (failed.length) {
        env.services.notification.add(
            _t("%(failed)s of %(all)s events are still not understood.", { failed: failed.length, all: events.length }),
            { type: "danger" }
        );
    } else {
        env.services.notification.add(_t("Understood now"), { type: "success" });
    }
    return { type: "ir.actions.act_window_close" };
});
