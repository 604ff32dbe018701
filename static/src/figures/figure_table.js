import { Component, useState } from "@odoo/owl";
import { formatInteger } from "@web/views/fields/formatters";
import { NOTHING } from "@crm_telephony/figures/figure_words";

/**
 * A cell of a table of figures.
 *
 * @typedef {{ text: string, value: number | string | null, list?: object }} Cell `value` is what it is sorted by, null: last;
 *     `list` is what a click opens
 */

/** Returns a cell that says nothing about nothing: {value, domain} → its number, which opens its calls. */
export function countCell(name, { value, domain }, text = formatInteger(value)) {
    return { text, value, ...(value && domain && { list: { name, domain, count: value } }) };
}

/** Returns a cell that opens nothing. */
export function plainCell(value, format = formatInteger) {
    const isKnown = value !== null && value !== undefined && value !== false;
    return isKnown ? { text: format(value), value } : { text: NOTHING, value: null };
}

/** Returns the rows by the greatest (or least) value of a column; what is not known comes last either way. */
export function sorted(rows, { name, isLeastFirst }) {
    if (!name) {
        return rows;
    }
    const compare = (a, b) => (typeof a === "string" ? b.localeCompare(a) : b - a) * (isLeastFirst ? -1 : 1);
    return [...rows].sort(({ cells: { [name]: a } }, { cells: { [name]: b } }) =>
        a.value === null || b.value === null ? (a.value === null) - (b.value === null) : compare(a.value, b.value)
    );
}

/** Figures of people or sources: a click on a head sorts, a click on a number opens what it counted. */
export class FigureTable extends Component {
    static template = "crm_telephony.FigureTable";
    static props = {
        /** of the names */
        head: String,
        /** [{name, label, help}] */
        columns: Array,
        /** [{key, name, isMuted, cells: dict column → Cell}] in the order before any click */
        rows: Array,
        /** what is said of no rows */
        empty: String,
        /** called with the calls to show */
        open: Function,
    };

    setup() {
        this.state = useState({ name: "", isLeastFirst: false });
    }

    get rows() {
        return sorted(this.props.rows, this.state);
    }

    order(name) {
        return this.state.name !== name ? undefined : this.state.isLeastFirst ? "ascending" : "descending";
    }

    sort(name) {
        Object.assign(this.state, { name, isLeastFirst: this.state.name === name && !this.state.isLeastFirst });
    }
}
