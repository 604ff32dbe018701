import { Component } from "@odoo/owl";
import { formatShare, LEAST, listOf } from "@crm_telephony/figures/figure_words";
import { formatInteger } from "@web/views/fields/formatters";

/** Why callers were lost: one bar, each part of which opens its calls. */
export class LossCauses extends Component {
    static template = "crm_telephony.LossCauses";
    static props = {
        /** what `telephony.report.get_board` tells */
        board: Object,
        /** called with the calls to show */
        open: Function,
    };

    get parts() {
        const parts = this.props.board.causes.map(({ cause, count }) => ({ cause, list: listOf(this.props.board, count) }));
        const d = parts.reduce((sum, { list }) => sum + list.count, 0);
        return parts.map(({ cause, list }) => ({
            cause,
            list,
            share: d < LEAST ? formatInteger(list.count) : formatShare({ n: list.count, d }, 0),
        }));
    }
}
