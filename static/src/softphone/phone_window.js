import { Component, useState } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { formatClock } from "@crm_telephony/clock/clock_field";
import { useNow } from "@crm_telephony/hooks";
import { PhoneControls } from "@crm_telephony/softphone/phone_controls";
import { lineWords, stateWords } from "@crm_telephony/softphone/phone_words";

/** The calls of the phone in a small window of their own. It only shows and is clicked: the line and the sound stay in the tab. */
export class PhoneWindow extends Component {
    static template = "crm_telephony.PhoneWindow";
    static components = { PhoneControls };
    static props = {};

    setup() {
        this.phone = useState(this.env.services.softphone.state);
        this.ticker = useNow(1_000);
    }

    get calls() {
        return this.phone.calls.filter((call) => call.state !== "ended");
    }

    get words() {
        return lineWords(this.phone);
    }

    nameOf({ name, number }) {
        return name || number || _t("Hidden number");
    }

    wordsOf(call) {
        const clock = call.state === "talking" ? formatClock(Math.max(Math.floor((this.ticker.now - call.since) / 1000), 0)) : "";
        return `${stateWords(call)} ${clock}`;
    }
}
