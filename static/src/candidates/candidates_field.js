import { Component, useState } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { formatMonetary } from "@web/views/fields/formatters";
import { standardFieldProps } from "@web/views/fields/standard_field_props";
import { useBusy } from "@crm_telephony/hooks";

/** In a list there is room for so many. */
const SHOWN = 2;

/**
 * What a call may be about: the deals with what speaks for each, one click to choose. In a list only the first ones.
 */
export class CandidatesField extends Component {
    static template = "crm_telephony.CandidatesField";
    static props = { ...standardFieldProps, isCompact: { type: Boolean, optional: true } };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.state = useState({ isOpen: false });
        this.guard = useBusy();
    }

    get data() {
        return this.props.record.data;
    }

    get candidates() {
        return this.data[this.props.name] || { deals: [], contacts: [], hidden: 0, further_contacts: 0, can_ignore: true };
    }

    get isUnsettled() {
        return ["none", "ambiguous"].includes(this.data.match_state) && !this.data.is_excluded;
    }

    get isOpen() {
        return this.state.isOpen || this.isUnsettled;
    }

    get deals() {
        const { deals } = this.candidates;
        return this.props.isCompact ? deals.slice(0, SHOWN) : deals;
    }

    /** Contacts are asked for only where it is not known who calls. */
    get contacts() {
        const contacts = this.data.partner_id ? [] : this.candidates.contacts;
        return this.props.isCompact ? contacts.slice(0, SHOWN - this.deals.length) : contacts;
    }

    get more() {
        const { deals, contacts, hidden, further_contacts: further } = this.candidates;
        const people = this.data.partner_id ? 0 : contacts.length + further;
        const unseen = this.hiddenDeals ? 0 : hidden;
        return deals.length + unseen + people - this.deals.length - this.contacts.length;
    }

    get question() {
        if (this.data.match_state === "ambiguous") {
            return this.data.partner_id ? _t("Which deal is it about?") : _t("Who called?");
        }
        return _t("Who was this?");
    }

    get furtherContacts() {
        return _t("and %s more: search above", this.candidates.further_contacts);
    }

    /** That there are deals which one may not read, and whose: who may answer instead. */
    get hiddenDeals() {
        const { deals, hidden_deals: hidden } = this.candidates;
        return this.props.isCompact && deals.length ? "" : hidden;
    }

    get canIgnore() {
        return Boolean(this.data.customer_number && this.candidates.can_ignore);
    }

    why(deal) {
        return deal.reasons.map((reason) => reason.text).join(", ");
    }

    /** For who weighs the reasons: an administrator. */
    weights(deal) {
        return deal.score && deal.reasons
            .map(({ text, weight }) => `${weight > 0 ? "+" : ""}${weight} ${text}`)
            .join("\n");
    }

    facts(deal) {
        const amount = deal.amount && formatMonetary(deal.amount, { currencyId: deal.currency_id });
        return [deal.stage, amount, deal.user].filter(Boolean).join(" · ");
    }

    pick(deal) {
        return this.call("action_pick", deal.id);
    }

    pickContact(contact) {
        return this.call("action_pick_contact", contact.id);
    }

    /** One after the other, whatever is clicked meanwhile. */
    async call(method, ...args) {
        const { record } = this.props;
        await this.guard.run(async () => {
            if (!this.props.isCompact && !(await record.save())) {
                return;
            }
            const done = await this.orm.call("telephony.call", method, [[record.resId], ...args]);
            // at once, or when the dialog that asks for more is closed
            await this.action.doAction(done, { onClose: () => record.model.load() });
        });
        this.state.isOpen = false;
    }
}

export const candidatesField = {
    component: CandidatesField,
    displayName: _t("Candidates"),
    supportedTypes: ["json"],
    isEmpty: () => false,
    extractProps: ({ viewType }) => ({ isCompact: ["list", "kanban"].includes(viewType) }),
    fieldDependencies: [
        { name: "match_state", type: "selection" },
        { name: "partner_id", type: "many2one", relation: "res.partner" },
        { name: "customer_number", type: "char" },
        { name: "is_excluded", type: "boolean" },
        { name: "settled_at", type: "datetime" },
    ],
};

registry.category("fields").add("telephony_candidates", candidatesField);
