import { Component } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { standardFieldProps } from "@web/views/fields/standard_field_props";
import { formatClock } from "@crm_telephony/clock/clock_field";
import { formAction } from "@crm_telephony/form_action";

/** The facts of a test call, one line each: what has come and when, and what to do about what is missing. */
export class TestLines extends Component {
    static template = "crm_telephony.TestLines";
    static props = {
        lines: { type: Array },
        accountId: { type: Number },
        callId: { type: [Number, { value: false }] },
        isRunning: { type: Boolean },
    };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
    }

    /** A state in words, for who does not see the icon. */
    stateLabel(line) {
        return {
            seen: _t("has come"),
            waiting: this.props.isRunning ? _t("is waited for") : _t("has not come"),
            missing: _t("is missing"),
            note: _t("is not there"),
            skipped: _t("does not apply"),
        }[line.state];
    }

    icon(line) {
        return { seen: "fa-check-circle", waiting: "fa-circle-o", missing: "fa-times-circle", note: "fa-info-circle", skipped: "fa-minus" }[line.state];
    }

    after(line) {
        return line.after === null ? "" : formatClock(line.after) || "0:00";
    }

    placeLabel(line) {
        return { account: _t("Open the PBX"), events: _t("Open its events"), call: _t("Open the call") }[line.place];
    }

    canOpen(line) {
        return line.place && line.text && (line.place !== "call" || this.props.callId);
    }

    async open(line) {
        const { accountId, callId } = this.props;
        if (line.place === "events") {
            await this.action.doAction(await this.orm.call("telephony.account", "action_view_events", [[accountId]]));
        } else {
            await this.action.doAction(
                line.place === "call" ? formAction("telephony.call", callId) : formAction("telephony.account", accountId)
            );
        }
    }
}

/** The same on the form of a test that is over. */
export class TestLinesField extends Component {
    static template = "crm_telephony.TestLinesField";
    static components = { TestLines };
    static props = { ...standardFieldProps };

    get shown() {
        const { data } = this.props.record;
        return {
            lines: data[this.props.name] || [],
            accountId: data.account_id.id,
            callId: data.call_id?.id || false,
            isRunning: data.state === "waiting",
        };
    }
}

export const testLinesField = {
    component: TestLinesField,
    displayName: _t("Facts of a test call"),
    supportedTypes: ["json", "jsonb"],
    fieldDependencies: [
        { name: "account_id", type: "many2one" },
        { name: "call_id", type: "many2one" },
        { name: "state", type: "selection" },
    ],
};

registry.category("fields").add("telephony_test_lines", testLinesField);
