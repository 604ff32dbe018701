import { Component, onWillStart, useState } from "@odoo/owl";
import { Dialog } from "@web/core/dialog/dialog";
import { _t } from "@web/core/l10n/translation";
import { normalize } from "@web/core/l10n/utils";
import { registry } from "@web/core/registry";
import { useAutofocus, useService } from "@web/core/utils/hooks";
import { useBusy } from "@crm_telephony/hooks";

export const PHONE_COLORS = { free: "text-success", ringing: "text-warning", talking: "text-danger", away: "text-muted" };
export const PHONE_STATES = { free: _t("Free"), ringing: _t("Ringing"), talking: _t("Talking"), away: _t("Away") };

/** To whom the call goes, by name, with what his phone does now. */
export class TransferDialog extends Component {
    static template = "crm_telephony.TransferDialog";
    static components = { Dialog };
    static props = { callId: Number, close: Function };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.colors = PHONE_COLORS;
        this.labels = PHONE_STATES;
        this.state = useState({ kinds: [], colleagues: [], wanted: "" });
        this.guard = useBusy();
        useAutofocus({ refName: "search" });
        onWillStart(async () => {
            Object.assign(this.state, await this.orm.call("telephony.call", "get_colleagues", [[this.props.callId]]));
        });
    }

    get colleagues() {
        const wanted = normalize(this.state.wanted.trim());
        return this.state.colleagues.filter(
            ({ name, number }) => normalize(name).includes(wanted) || number.startsWith(wanted)
        );
    }

    can(kind) {
        return this.state.kinds.includes(kind);
    }

    onKeydown(ev) {
        if (ev.key === "Enter" && this.colleagues.length === 1) {
            this.transfer(this.colleagues[0], this.state.kinds[0]);
        }
    }

    avatar({ user_id }) {
        return `/web/image/res.users/${user_id}/avatar_128`;
    }

    transfer(colleague, kind) {
        return this.guard.run(async () => {
            const next = await this.orm.call("telephony.call", "transfer", [[this.props.callId], colleague.id, kind === "attended"]);
            this.props.close();
            await this.action.doAction(next);
        });
    }
}

registry.category("actions").add("crm_telephony.transfer", (env, { params }) => {
    const onClose = env.services.telephony.foldAll();
    env.services.dialog.add(TransferDialog, { callId: params.call_id }, { onClose });
});
