import { Component, useState } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";

/** The period of two dates; the server knows the others by name. */
export const DATES = "dates";

/** Chooses the period and what the figures are narrowed down to. */
export class FiguresScope extends Component {
    static template = "crm_telephony.FiguresScope";
    static props = {
        /** see figures.js */
        scope: Object,
        /** dict filter → [{id, name}] */
        choices: Object,
        /** the days that are shown: {first, last} as ISO dates */
        span: Object,
        /** called with what has changed in the scope */
        change: Function,
        /** whether a period is chosen: what is compared around a milestone has its own */
        isDated: Boolean,
    };

    setup() {
        this.state = useState({ isChoosingDates: this.props.scope.period === DATES });
    }

    get periods() {
        return [
            ["today", _t("Today")],
            ["yesterday", _t("Yesterday")],
            ["this_week", _t("This week")],
            ["last_week", _t("Last week")],
            ["this_month", _t("This month")],
            ["last_month", _t("Last month")],
            ["days_7", _t("Last 7 days")],
            ["days_30", _t("Last 30 days")],
            ["days_90", _t("Last 90 days")],
            [DATES, _t("From … to …")],
        ];
    }

    get period() {
        return this.state.isChoosingDates ? DATES : this.props.scope.period;
    }

    /** The filters among which there is something to choose. */
    get filters() {
        return [
            { key: "number", label: _t("Company number"), all: _t("All numbers"), choices: this.props.choices.number_ids },
            { key: "source", label: _t("Source"), all: _t("All sources"), choices: this.props.choices.source_ids },
            { key: "campaign", label: _t("Campaign"), all: _t("All campaigns"), choices: this.props.choices.campaign_ids },
            { key: "team", label: _t("Team"), all: _t("All teams"), choices: this.props.choices.team_ids },
            { key: "pbx", label: _t("PBX"), all: _t("All PBXs"), choices: this.props.choices.account_ids },
        ].filter(({ key, choices }) => choices.length > 1 || this.props.scope[key] || (choices.length && ["source", "campaign", "team"].includes(key)));
    }

    choosePeriod(period) {
        this.state.isChoosingDates = period === DATES;
        if (period !== DATES) {
            this.props.change({ period, first: undefined, last: undefined });
        }
    }

    narrow(key, value) {
        this.props.change({ [key]: Number(value) || undefined });
    }

    showDates(ev) {
        const dates = new FormData(ev.currentTarget);
        this.props.change({ period: DATES, first: dates.get("first"), last: dates.get("last") });
    }
}
