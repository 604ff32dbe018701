import { Component, onWillStart, useState } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { LineTestDialog } from "@crm_telephony/softphone/line_test_dialog";
import { lineWords } from "@crm_telephony/softphone/phone_words";

const COLORS = { ready: "text-success", connecting: "text-warning", lost: "text-danger", refused: "text-danger", problem: "text-danger" };

/** Under the telephone: what the browser phone is doing, and which devices it uses. */
export class PhonePanel extends Component {
    static template = "crm_telephony.PhonePanel";
    static props = {};

    setup() {
        this.softphone = useService("softphone");
        this.dialog = useService("dialog");
        this.phone = useState(this.softphone.state);
        this.state = useState({ isOpen: false, devices: {}, chosen: this.softphone.devices.chosen });
        onWillStart(() => this.load());
    }

    async load() {
        this.state.devices = await this.softphone.devices.list();
    }

    get words() {
        return lineWords(this.phone);
    }

    get color() {
        return COLORS[this.phone.line] || "text-muted";
    }

    get takeLabel() {
        return this.phone.holder.in_call ? _t("Move the talk here") : _t("Use it here");
    }

    get kinds() {
        return [
            { name: "microphone", label: _t("Microphone") },
            { name: "speaker", label: _t("Loudspeaker") },
            { name: "ring", label: _t("Rings at") },
        ];
    }

    devicesOf({ name }) {
        return (this.state.devices[name] || []).filter((device) => device.name);
    }

    async choose(kind, id) {
        this.softphone.devices.choose(kind, id);
        this.state.chosen = this.softphone.devices.chosen;
        await this.softphone.run("devices");
    }

    chooseWaiting(ev) {
        this.softphone.devices.choose("waiting", ev.target.checked);
        this.state.chosen = this.softphone.devices.chosen;
    }

    /** Asks for the microphone once, because browsers tell the names of devices only then. */
    async allow() {
        try {
            const stream = await this.softphone.devices.openMicrophone();
            stream.getTracks().forEach((track) => track.stop());
            await this.load();
        } catch (error) {
            this.softphone.tell(error.message);
        }
    }

    testLine() {
        this.dialog.add(LineTestDialog, {});
    }

    get hasNames() {
        return this.kinds.some((kind) => this.devicesOf(kind).length);
    }
}

registry.category("crm_telephony.phone").add("Panel", PhonePanel);
