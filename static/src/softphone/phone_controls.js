import { Component, useState } from "@odoo/owl";
import { useHotkey } from "@web/core/hotkeys/hotkey_hook";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { useBusy } from "@crm_telephony/hooks";
import { PassDialog } from "@crm_telephony/softphone/pass_dialog";
import { stateWords, troubleWords } from "@crm_telephony/softphone/phone_words";

export const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];

/** What can be done with one call of the browser phone: on its card, or on the phone's own. */
export class PhoneControls extends Component {
    static template = "crm_telephony.PhoneControls";
    static props = { callId: { type: Number, optional: true }, phoneCallId: { type: String, optional: true } };

    setup() {
        this.softphone = useService("softphone");
        this.dialog = useService("dialog");
        this.telephony = useService("telephony");
        this.phone = useState(this.softphone.state);
        this.state = useState({ isKeypadOpen: false, keys: "" });
        this.guard = useBusy();
        this.keys = KEYS;
        const key = (hotkey, isFor, act) =>
            useHotkey(`alt+shift+${hotkey}`, () => act(), {
                global: true, bypassEditableProtection: true, isAvailable: () => Boolean(this.call) && isFor(this.call),
            });
        const isTalk = (call) => call.state === "talking" && !call.isHeld;
        key("a", (call) => call.state === "ringing", () => this.run("answer"));
        key("h", (call) => call.state !== "ended" && !call.isHeld, () => this.hangUp());
        key("m", isTalk, () => this.mute());
        key("p", (call) => call.state === "talking", () => this.hold());
        key("d", isTalk, () => this.toggleKeypad());
    }

    get call() {
        const { callId, phoneCallId } = this.props;
        return this.phone.calls.find((call) =>
            phoneCallId ? call.id === phoneCallId : call.callId === callId && call.state !== "ended"
        );
    }

    /** Whether the PBX can be told anything: while it cannot, all but mute and hang-up waits. */
    get isUp() {
        return this.phone.line === "ready";
    }

    get isConsultation() {
        return Boolean(this.call.consultOf);
    }

    /** The talk with a colleague that was begun about this call, if any. */
    get consultation() {
        return this.phone.calls.find((call) => call.consultOf === this.call.id && call.state !== "ended");
    }

    get trouble() {
        return troubleWords(this.call.trouble);
    }

    get words() {
        return stateWords(this.call);
    }

    get answerTitle() {
        return _t("Answer (Alt+Shift+A)");
    }

    run(command, ...args) {
        return this.guard.run(() => this.softphone.run(command, this.call.id, ...args));
    }

    hangUp() {
        return this.run(this.call.state === "ringing" ? "decline" : "hangUp");
    }

    mute() {
        return this.run("mute", !this.call.isMuted);
    }

    hold() {
        return this.run("hold", !this.call.isHeld);
    }

    toggleKeypad() {
        this.state.isKeypadOpen = !this.state.isKeypadOpen;
    }

    press(keys) {
        this.state.keys += keys;
        return this.softphone.run("keys", this.call.id, keys);
    }

    onKeysInput(ev) {
        const keys = ev.target.value.replace(/[^\d*#]/g, "");
        const fresh = keys.startsWith(this.state.keys) ? keys.slice(this.state.keys.length) : "";
        ev.target.value = keys;
        if (fresh) {
            this.press(fresh);
        } else {
            this.state.keys = keys;
        }
    }

    pass() {
        const onClose = this.telephony.foldAll();
        this.dialog.add(
            PassDialog,
            { callId: this.call.callId, pass: (how, number) => this.softphone.run(how, this.call.id, number) },
            { onClose }
        );
    }
}

registry.category("crm_telephony.phone").add("Controls", PhoneControls);
