import { Component, onWillStart, onWillUpdateProps, useEffect, useRef, useState } from "@odoo/owl";
import { serializeDate } from "@web/core/l10n/dates";
import { _t } from "@web/core/l10n/translation";
import { useService } from "@web/core/utils/hooks";
import { useBusy } from "@crm_telephony/hooks";
import { RESULT_SAVED } from "@crm_telephony/result/reload_behind";

const { DateTime } = luxon;

/** What came of a call: everything is optional, one click saves all of it. */
export class ResultForm extends Component {
    static template = "crm_telephony.ResultForm";
    static props = { call: Object, about: String, onClose: Function };

    setup() {
        this.orm = useService("orm");
        this.telephony = useService("telephony");
        this.notification = useService("notification");
        this.state = useState({
            form: false, disposition: false, note: "", stage: false, activityType: false, activityDate: "",
            summary: "", done: {},
        });
        this.guard = useBusy();
        this.note = useRef("note");
        // the field in which the user writes goes with the talk: he goes on in this one
        const isWriting = document.activeElement?.matches(`[data-call='${this.props.call.id}'] .o_telephony_card_note`);
        onWillStart(() => {
            this.load();
        });
        onWillUpdateProps(({ about }) => {
            if (about !== this.props.about) {
                this.load();
            }
        });
        useEffect(
            (isLoaded) => {
                if (isLoaded && isWriting && document.activeElement === document.body) {
                    this.note.el.focus();
                    this.note.el.setSelectionRange(this.state.note.length, this.state.note.length);
                }
            },
            () => [Boolean(this.state.form)]
        );
        useEffect(
            (isTouched) => {
                if (isTouched) {
                    this.telephony.keep(this.props.call.id);
                }
            },
            () => [this.isTouched]
        );
        useEffect(
            (entered) => {
                if (entered) {
                    this.props.call.result = JSON.parse(entered);
                    this.telephony.remember(this.props.call);
                }
            },
            () => [this.entered && JSON.stringify(this.entered)]
        );
    }

    /** What the form offers; what the user has entered stays. */
    async load() {
        const before = this.state.form;
        const form = await this.orm.silent.call("telephony.call", "get_result_form", [[this.props.call.id]]);
        const { disposition, note, activityType } = this.state;
        const { note: typed, noteBefore, result } = this.props.call;
        if (!before && result) {
            this.restore(form, result);
            return;
        }
        const written = before
            ? note !== before.note && { note, noteBefore: before.note }
            : typed !== undefined && (typed !== noteBefore || !form.note.startsWith(typed)) && { note: typed, noteBefore };
        if (written) {
            form.note = written.noteBefore; // what it is to be compared with
        }
        Object.assign(this.state, {
            form,
            disposition: before && disposition !== before.disposition_id ? disposition : form.disposition_id,
            note: written ? written.note : form.note,
            activityType: form.activity_types.some((one) => one.id === activityType) && activityType,
            stage: form.stage_id,
            done: Object.fromEntries(form.calls_to_do.map(({ id, is_due: isDue }) => [id, isDue && form.has_talked])),
        });
    }

    /** What was entered before the page was loaded again, as far as it is still offered. */
    restore(form, { noteBefore, disposition, stage, activityType, done, ...entered }) {
        const isOffered = (records, id) => records.some((one) => one.id === id);
        Object.assign(this.state, entered, {
            form: { ...form, note: noteBefore },
            disposition: isOffered(form.dispositions, disposition) && disposition,
            stage: isOffered(form.stages, stage) ? stage : form.stage_id,
            activityType: isOffered(form.activity_types, activityType) && activityType,
            done: Object.fromEntries(form.calls_to_do.map(({ id }) => [id, Boolean(done[id])])),
        });
    }

    /** What a reload of the page must not lose; nothing before the user has entered something. */
    get entered() {
        const { form, ...entered } = this.state;
        return this.isTouched ? { ...entered, noteBefore: form.note } : undefined;
    }

    get isTouched() {
        const { form, disposition, note, stage, activityType } = this.state;
        return Boolean(
            form && (disposition !== form.disposition_id || note !== form.note || stage !== form.stage_id || activityType)
        );
    }

    choose(disposition) {
        const isChosen = this.state.disposition === disposition.id;
        this.state.disposition = isChosen ? false : disposition.id;
        const type = isChosen ? false : disposition.activity_type_id;
        this.plan(this.state.form.activity_types.some((one) => one.id === type) ? type : false, disposition.activity_days);
    }

    plan(activityType, days = 1) {
        this.state.activityType = activityType;
        this.state.activityDate = activityType ? serializeDate(DateTime.local().plus({ days })) : "";
    }

    onActivityType(ev) {
        this.plan(Number(ev.target.value) || false);
    }

    onStage(ev) {
        this.state.stage = Number(ev.target.value);
    }

    save() {
        return this.guard.run(async () => {
            await this.orm.call("telephony.call", "save_result", [[this.props.call.id], this.changes]);
            this.notification.add(_t("Result saved"), { type: "success" });
            this.env.bus.trigger(RESULT_SAVED);
            this.props.onClose();
        });
    }

    /** What is to be saved: nothing that the user has not touched, for a colleague may have changed it meanwhile. */
    get changes() {
        const { disposition, note, stage, form, activityType, activityDate, summary, done } = this.state;
        return {
            ...(disposition !== form.disposition_id && { disposition_id: disposition }),
            ...(note !== form.note && { note, note_before: form.note }),
            ...(stage !== form.stage_id && { stage_id: stage }),
            ...(activityType && activityDate && { activity: { type_id: activityType, date: activityDate, summary } }),
            done_ids: Object.keys(done).filter((id) => done[id]).map(Number),
        };
    }
}
