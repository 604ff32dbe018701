import { Component, useEffect, useRef, useState } from "@odoo/owl";
import { hasTouch } from "@web/core/browser/feature_detection";
import { _t } from "@web/core/l10n/translation";
import { KeepLast } from "@web/core/utils/concurrency";
import { useService } from "@web/core/utils/hooks";
import { useDebounced } from "@web/core/utils/timing";

/** Who types pauses so long before the server is asked (ms). */
const PAUSE = 250;
/** What the server looks up has at least so many characters. */
const CHARACTERS = 3;
/** So many last digits are a whole number, whatever country code or prefix stands before them. */
const WHOLE = 10;
/** What can be dialled as it stands: three digits at least, and what people write between them. */
const NUMBER = /^\+?[\d\s().\-/*#]+$/;

let lastId = 0;

/**
 * Type a number or a name, press Enter: the number is called, or whoever was found and chosen. A combobox: the focus stays in
 * the field, arrows choose.
 */
export class DialField extends Component {
    static template = "crm_telephony.DialField";
    static props = { call: Function, onSearch: Function };

    setup() {
        this.orm = useService("orm");
        this.id = `o_telephony_dial_${++lastId}`;
        this.input = useRef("input");
        this.state = useState({ wanted: "", people: [], active: 0, isAsking: false });
        this.last = new KeepLast();
        this.ask = useDebounced(() => this.search(), PAUSE);
        useEffect(
            (el) => {
                // on a mobile the keyboard would cover the callbacks
                if (!hasTouch()) {
                    el.focus();
                }
            },
            () => [this.input.el]
        );
    }

    /** The number that was typed, if it can be dialled. */
    get typed() {
        const wanted = this.state.wanted.trim();
        return NUMBER.test(wanted) && wanted.replace(/\D/g, "").length >= CHARACTERS ? wanted : "";
    }

    /** What can be called: the typed number itself, and who was found. */
    get options() {
        const people = this.state.people.map((one) => ({ ...one, key: `${one.model},${one.id}` }));
        const digits = this.typed.replace(/\D/g, "");
        // who has exactly this number is whom it means
        const isKnown = digits.length >= WHOLE && people.some(({ number }) => number.endsWith(digits.slice(-WHOLE)));
        if (!digits || isKnown) {
            return people;
        }
        const typed = { key: "typed", name: _t("Call %s", this.typed), detail: "", number: this.typed };
        // a short number may be an emergency call, never the customer in whose number it occurs
        return digits.length <= CHARACTERS ? [typed, ...people] : [...people, typed];
    }

    get status() {
        const { wanted, isAsking } = this.state;
        if (!wanted.trim()) {
            return "";
        }
        if (wanted.trim().length < CHARACTERS) {
            return _t("Type at least 3 characters.");
        }
        const { length } = this.options;
        if (isAsking || length) {
            return length ? _t("%s can be called. Choose with the arrow keys, call with Enter.", length) : "";
        }
        return _t("Nobody of this name or number has a phone number that you may see.");
    }

    onInput(ev) {
        Object.assign(this.state, { wanted: ev.target.value, active: 0, isAsking: true });
        this.props.onSearch(Boolean(this.state.wanted.trim()));
        this.ask();
    }

    async search() {
        const wanted = this.state.wanted.trim();
        const people = wanted.length < CHARACTERS
            ? []
            : await this.last.add(this.orm.silent.call("telephony.dial", "search_people", [wanted]));
        if (wanted === this.state.wanted.trim()) {
            Object.assign(this.state, { people, active: 0, isAsking: false });
        }
    }

    async onKeydown(ev) {
        const { length } = this.options;
        const step = { ArrowDown: 1, ArrowUp: -1 }[ev.key];
        if (step && length) {
            ev.preventDefault();
            this.state.active = (this.state.active + step + length) % length;
        } else if (ev.key === "Enter" && this.state.wanted.trim()) {
            ev.preventDefault();
            if (this.state.isAsking && !this.typed) {
                this.ask.cancel();
                await this.search(); // who types fast and presses Enter means whom the server finds
            }
            const option = this.options[this.state.active];
            if (option) {
                this.callOption(option);
            }
        }
    }

    callOption({ number, model, id }) {
        return this.props.call(number, model, id);
    }

    optionId(index) {
        return `${this.id}_${index}`;
    }
}
