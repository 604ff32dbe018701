import { Component } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { formatSelection } from "@web/views/fields/formatters";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

const DECORATIONS = {
    answered: "text-bg-success",
    no_answer: "text-bg-warning",
    busy: "text-bg-warning",
    failed: "text-bg-warning",
    voicemail: "text-bg-info",
    missed: "text-bg-danger",
    abandoned: "text-bg-danger",
};

/**
 * Returns the colours of an ended call's outcome; pale where the talk does not count or the outcome is unknown.
 *
 * @param {string | false} outcome
 * @param {boolean} isShort the talk was too short to count
 */
export function outcomeDecoration(outcome, isShort) {
    return isShort ? "text-bg-300" : DECORATIONS[outcome] || "text-bg-300";
}

/** Shows how a call ended, or what it is doing now. */
export class CallOutcomeField extends Component {
    static template = "crm_telephony.CallOutcomeField";
    static props = { ...standardFieldProps };

    get data() {
        return this.props.record.data;
    }

    get outcome() {
        return this.data[this.props.name];
    }

    get isLive() {
        return !this.outcome && this.data.state !== "ended";
    }

    /** Whether the talk was too short to count and no result says otherwise. */
    get isShort() {
        return this.data.is_short && !this.data.is_reached;
    }

    get isCalledBack() {
        return this.data.is_called_back;
    }

    get label() {
        const { fields } = this.props.record;
        if (this.isLive) {
            return formatSelection(this.data.state, { selection: fields.state.selection });
        }
        if (!this.outcome) {
            return _t("End unknown");
        }
        return this.isShort
            ? _t("Short talk")
            : formatSelection(this.outcome, { selection: fields[this.props.name].selection });
    }

    get decoration() {
        if (this.isLive) {
            return "text-bg-primary";
        }
        return outcomeDecoration(this.outcome, this.isShort);
    }
}

export const callOutcomeField = {
    component: CallOutcomeField,
    displayName: _t("Call Outcome"),
    supportedTypes: ["selection"],
    isEmpty: () => false,
    fieldDependencies: [
        { name: "state", type: "selection" },
        { name: "is_short", type: "boolean" },
        { name: "is_reached", type: "boolean" },
        { name: "is_called_back", type: "boolean" },
    ],
};

registry.category("fields").add("telephony_outcome", callOutcomeField);
