import { isMobileOS } from "@web/core/browser/feature_detection";
import { browser } from "@web/core/browser/browser";
import { loadBundle } from "@web/core/assets";
import { registry } from "@web/core/registry";
import { session } from "@web/session";

/**
 * Loads the browser phone for the users who have one. It is all that others load of it. On a mobile the phone stays away, because
 * calls would reach it only while the page is in front.
 */
export const softphoneStarterService = {
    dependencies: ["telephony"],

    start() {
        const isWanted = Boolean(session.telephony?.softphone) && !isMobileOS();
        const load = () =>
            loadBundle("crm_telephony.assets_softphone").catch(() => browser.setTimeout(load, 30_000));
        if (isWanted) {
            load();
        }
        return { isWanted };
    },
};

registry.category("services").add("softphone_starter", softphoneStarterService);
