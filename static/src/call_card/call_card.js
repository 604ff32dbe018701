import { Component, useRef, useState } from "@odoo/owl";
import { useHotkey } from "@web/core/hotkeys/hotkey_hook";
import { deserializeDateTime } from "@web/core/l10n/dates";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { nameOf, phaseLabel } from "@crm_telephony/call_card/call_words";
import { NewCaller } from "@crm_telephony/call_card/new_caller";
import { usePlaceCall } from "@crm_telephony/call_control/place_call";
import { PHONE_COLORS, PHONE_STATES } from "@crm_telephony/call_control/transfer_dialog";
import { formatClock } from "@crm_telephony/clock/clock_field";
import { formAction } from "@crm_telephony/form_action";
import { useBusy, useNow } from "@crm_telephony/hooks";
import { RecordingPlayer } from "@crm_telephony/recording/recording_player";
import { ResultForm } from "@crm_telephony/result/result_form";

const ICONS = {
    ringing: "fa-phone",
    talking: "fa-phone",
    ended: "fa-check",
    lost: "fa-phone",
    gone: "fa-share",
};
const COLORS = { ringing: "primary", talking: "success", ended: "muted", lost: "danger", gone: "muted" };

/** The card of one call: who calls, why, and what to do about it. */
export class CallCard extends Component {
    static template = "crm_telephony.CallCard";
    static components = { NewCaller, RecordingPlayer, ResultForm };
    static props = { call: Object, isFirst: Boolean };

    setup() {
        this.action = useService("action");
        this.orm = useService("orm");
        this.telephony = useService("telephony");
        this.dial = usePlaceCall();
        this.root = useRef("root");
        this.call = useState(this.props.call);
        this.ticker = useNow(1_000);
        this.guard = useBusy();
        this.state = useState({ isChoosing: false });
        useHotkey("escape", () => this.escape(), { area: () => this.root.el, bypassEditableProtection: true });
    }

    // -- what is shown

    get card() {
        return this.call.card || {};
    }

    get partner() {
        return this.card.partner || false;
    }

    get name() {
        return nameOf(this.call);
    }

    get company() {
        return this.partner ? this.partner.company : this.card.company;
    }

    get label() {
        return phaseLabel(this.call);
    }

    get color() {
        return COLORS[this.call.phase];
    }

    get icon() {
        // a check says that somebody was reached
        return this.call.phase === "ended" && !this.call.talkSeconds ? "fa-phone" : ICONS[this.call.phase];
    }

    /** How long the call has been ringing or talked; after the end how long the talk was. */
    get clock() {
        const { phase, since, talkSeconds } = this.call;
        if (["ringing", "talking"].includes(phase)) {
            return formatClock(Math.max(Math.floor((this.ticker.now - since) / 1000), 0));
        }
        return phase === "ended" && talkSeconds ? formatClock(talkSeconds) : "";
    }

    get isLive() {
        return ["ringing", "talking"].includes(this.call.phase);
    }

    /** Whether nobody is known by this number. Of a customer whom the user may not see, somebody is known. */
    get isUnknown() {
        return Boolean(
            this.call.card && !this.partner && !this.card.is_hidden && !this.card.people.length && !this.card.leads.length
        );
    }

    get linkedLead() {
        return this.card.leads?.find((lead) => lead.is_linked);
    }

    get canCallBack() {
        return this.call.phase === "lost" && Boolean(this.call.number);
    }

    /** Whether there is something to open: a call that only rang in the user's group may not be theirs to read. */
    get canOpen() {
        return !this.isUnknown && Boolean(this.linkedLead || this.partner || this.card.can_open);
    }

    get canAddDeal() {
        return !this.isUnknown && !this.card.is_hidden && !this.card.leads.length;
    }

    get hasOtherDeals() {
        return this.card.leads?.some((lead) => !lead.is_linked);
    }

    /** Whether Escape folds instead of closing, because it would be a slip while the call goes on or something is written. */
    get isFoldedByEscape() {
        return this.call.isTouched || (this.isLive && !this.call.isFolded);
    }

    get foldTitle() {
        if (this.call.isFolded) {
            return _t("Show more");
        }
        return this.isFoldedByEscape ? _t("Show less (Esc)") : _t("Show less");
    }

    get closeTitle() {
        return this.isFoldedByEscape ? _t("Close") : _t("Close (Esc)");
    }

    /** The controls of the browser phone, if it was loaded: they show themselves on the cards of its calls. */
    get phoneControls() {
        return this.env.services.softphone && registry.category("crm_telephony.phone").get("Controls", undefined);
    }

    get openLabel() {
        return this.linkedLead ? _t("Open deal") : this.partner ? _t("Open contact") : _t("Open call");
    }

    /** Which deal and contact the result is about: what its form offers depends on them. */
    get about() {
        return `${this.linkedLead?.id},${this.partner.id}`;
    }

    /** The button's accessible name. It begins with what the button shows, because people who steer by voice say that. */
    pickLabel(lead) {
        return _t("This one: %s", lead.name);
    }

    ownerText({ name, deals }) {
        if (deals > 1) {
            return _t("Customer of %(name)s (%(count)s open deals)", { name, count: deals });
        }
        return deals ? _t("Customer of %s (1 open deal)", name) : _t("Customer of %s", name);
    }

    stateOf({ state }) {
        return { color: PHONE_COLORS[state], label: PHONE_STATES[state] };
    }

    transferLabel({ name }) {
        return _t("Transfer to %s", name);
    }

    quoted(note) {
        return _t("“%(note)s”", { note });
    }

    ago(text) {
        return deserializeDateTime(text).toRelative();
    }

    // -- what is done

    escape() {
        if (this.isFoldedByEscape) {
            this.call.isFolded = true;
        } else {
            this.close();
        }
    }

    fold() {
        this.call.isFolded = !this.call.isFolded;
    }

    close() {
        this.telephony.dismiss(this.call.id, { everywhere: true });
    }

    open(resModel, resId) {
        this.action.doAction(formAction(resModel, resId));
    }

    /** Opens the record that the talk is about. */
    openMain() {
        if (this.linkedLead) {
            this.open("crm.lead", this.linkedLead.id);
        } else if (this.partner) {
            this.open("res.partner", this.partner.id);
        } else {
            this.open("telephony.call", this.call.id);
        }
    }

    callBack() {
        const { number, id } = this.call;
        this.dial.placeTo(number, "telephony.call", id);
    }

    /** Hangs up or transfers: `method` of the call tells the PBX. */
    control(method, ...args) {
        return this.guard.run(async () =>
            this.action.doAction(await this.orm.call("telephony.call", method, [[this.call.id], ...args]))
        );
    }

    /** Transfers straight to the phone of the customer's salesperson. */
    transferTo(owner) {
        return this.control("transfer", owner.phone);
    }

    async link(values) {
        await this.save("link_caller", [], values);
        this.state.isChoosing = false;
    }

    keepRecording() {
        return this.save("keep_recording", []);
    }

    create(kind) {
        return this.save("create_caller", [{ name: "", company: "", ...this.call.caller, kind }]);
    }

    save(method, args, kwargs = {}) {
        this.telephony.keep(this.call.id);
        return this.guard.run(async () => {
            this.call.card = await this.orm.call("telephony.call", method, [[this.call.id], ...args], kwargs);
        });
    }

    onNote(ev) {
        this.telephony.keep(this.call.id);
        this.call.noteBefore ??= this.card.note;
        this.call.note = ev.target.value;
        this.telephony.remember(this.call);
    }

    /** Saves the note when the user leaves its field, because the talk may end in another tab. */
    async saveNote(ev) {
        const note = ev.target.value;
        const { noteBefore } = this.call;
        if (note !== noteBefore) {
            this.call.noteBefore = note;
            this.telephony.remember(this.call);
            const values = { note, note_before: noteBefore, is_final: false };
            try {
                await this.orm.silent.call("telephony.call", "save_result", [[this.call.id], values]);
            } catch (error) {
                this.call.noteBefore = noteBefore; // it is still to be saved
                throw error;
            }
        }
    }
}
