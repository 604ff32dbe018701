import { Component, useEffect, useRef, useState } from "@odoo/owl";
import { useHotkey } from "@web/core/hotkeys/hotkey_hook";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { CallCard } from "@crm_telephony/call_card/call_card";
import { nameOf, phaseLabel } from "@crm_telephony/call_card/call_words";
import { Ringer } from "@crm_telephony/call_card/ringer";

/** All calls of this user, one card each, the newest at the bottom. */
export class CallCards extends Component {
    static template = "crm_telephony.CallCards";
    static components = { CallCard };
    static props = {};

    setup() {
        this.telephony = useService("telephony");
        this.state = useState(this.telephony.state);
        this.root = useRef("root");
        const ringer = new Ringer();
        useEffect(
            (isRinging) => {
                let isOver = !isRinging;
                if (isRinging) {
                    this.telephony.maySound().then((may) => may && !isOver && ringer.start());
                }
                return () => {
                    isOver = true;
                    ringer.stop();
                };
            },
            () => [this.isRinging]
        );
        // cards never take the focus by themselves; this key brings it to them
        useHotkey("alt+shift+k", () => this.focus(), { global: true, bypassEditableProtection: true });
    }

    /** Whether a phone of the user rings and they want to hear it here. */
    get isRinging() {
        const { isOnWall, calls, preferences } = this.state;
        return (
            preferences.pop && preferences.sound && !preferences.dnd && !isOnWall && !this.env.services.softphone?.phone.isReady &&
            calls.some((call) => call.phase === "ringing" && call.direction === "inbound")
        );
    }

    /** Focuses the newest card that rings, else the newest. */
    focus() {
        const cards = [...this.root.el.querySelectorAll(".o_telephony_card")];
        (cards.findLast((card) => card.dataset.phase === "ringing") || cards.at(-1))?.focus();
    }

    /** What has changed last, for screen readers: they would read the cards out again with each second of a clock. */
    get announcement() {
        const call = this.state.calls.at(-1);
        return call ? _t("%(what)s: %(who)s", { what: phaseLabel(call), who: nameOf(call) }) : "";
    }
}

registry.category("main_components").add("crm_telephony.CallCards", { Component: CallCards });
