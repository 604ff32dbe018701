import { Component } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { usePopover } from "@web/core/popover/popover_hook";

/** Says what a figure counts. */
export class FigureDefinitions extends Component {
    static template = "crm_telephony.FigureDefinitions";
    static props = { definitions: Array, close: { type: Function, optional: true } };
}

/** One figure with its change and target; a click opens what it counted. See tiles.js for its facts. */
export class FigureTile extends Component {
    static template = "crm_telephony.FigureTile";
    static props = {
        tile: Object,
        /** called with what was clicked: the tile's `open` or a note's */
        open: Function,
        slots: { type: Object, optional: true },
    };

    setup() {
        this.popover = usePopover(FigureDefinitions, { popoverClass: "o_telephony_figure_definitions" });
    }

    get infoLabel() {
        return _t("What is counted: %s", this.props.tile.label);
    }

    define(ev) {
        this.popover.open(ev.currentTarget, { definitions: this.props.tile.definitions });
    }
}
