import { Component, onWillStart, useState } from "@odoo/owl";
import { router } from "@web/core/browser/router";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { user } from "@web/core/user";
import { KeepLast } from "@web/core/utils/concurrency";
import { useService } from "@web/core/utils/hooks";
import { pick } from "@web/core/utils/objects";
import { useSetupAction } from "@web/search/action_hook";
import { ControlPanel } from "@web/search/control_panel/control_panel";
import { standardActionServiceProps } from "@web/webclient/actions/action_service";
import { DayChart } from "@crm_telephony/figures/day_chart";
import { FigureTile } from "@crm_telephony/figures/figure_tile";
import { formatSpan, labelled, listOf } from "@crm_telephony/figures/figure_words";
import { DATES, FiguresScope } from "@crm_telephony/figures/figures_scope";
import { HeatMap } from "@crm_telephony/figures/heat_map";
import { LossCauses } from "@crm_telephony/figures/loss_causes";
import { makeTiles, offeredChange, serviceLevels } from "@crm_telephony/figures/tiles";

/** Name of a filter in the address → of the server's filter. */
const FILTERS = {
    number: "number_ids",
    source: "source_ids",
    campaign: "campaign_ids",
    team: "team_ids",
    pbx: "account_ids",
};
/** What stands in the address: the period, what it is narrowed down to, and which service level is shown. */
const SCOPE = ["period", "first", "last", "hours", ...Object.keys(FILTERS), "level"];

/** The figures of a period, for supervisors. Each number opens what it counted. See models/figures/report.py for the data. */
export class Figures extends Component {
    static template = "crm_telephony.Figures";
    static components = { ControlPanel, DayChart, FiguresScope, FigureTile, HeatMap, LossCauses };
    static props = { ...standardActionServiceProps };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.controlPanelDisplay = {};
        this.lastAsked = new KeepLast();
        this.serviceLevels = serviceLevels();
        this.state = useState({
            /** the figures, and those of the period before, once the server has told them */
            board: null,
            before: null,
            isLoading: false,
            error: "",
            scope: { period: "days_30", level: "service_level", ...this.told, ...this.props.state?.scope },
        });
        useSetupAction({ getLocalState: () => ({ scope: { ...this.state.scope } }) });
        this.tellAddress();
        onWillStart(async () => {
            this.choices = await this.orm.call("telephony.report", "get_choices");
            this.load(); // not awaited: the page shows where the figures will stand
        });
    }

    // --- the data ------------------------------------------------------------------------------------------------

    /** The period and the filters as the server takes them. */
    get asked() {
        const { scope } = this.state;
        const filters = scope.hours ? { in_hours: true } : {};
        for (const [key, name] of Object.entries(FILTERS)) {
            if (scope[key]) {
                filters[name] = [scope[key]];
            }
        }
        return [scope.period === DATES ? pick(scope, "first", "last") : scope.period, filters];
    }

    async load() {
        const asked = this.asked;
        const ask = (method) => this.lastAsked.add(this.orm.silent.call("telephony.report", method, asked));
        this.state.isLoading = true;
        try {
            const board = await ask("get_board");
            Object.assign(this.state, { board, before: null, asked, error: "", isLoading: false });
        } catch (error) {
            Object.assign(this.state, { error: complaint(error), isLoading: false });
            return;
        }
        try {
            this.state.before = await ask("get_before");
        } catch {
            // the figures stand without a comparison
        }
    }

    change(patch) {
        Object.assign(this.state.scope, patch);
        this.tellAddress();
        this.load();
    }

    chooseLevel(level) {
        this.state.scope.level = level;
        this.tellAddress();
    }

    /** The scope that the address tells, once it is this page's own. */
    get told() {
        const { current } = router;
        return current.action === this.props.action.path ? pick(current, ...SCOPE) : {};
    }

    tellAddress() {
        this.props.updateActionState?.(pick(this.state.scope, ...SCOPE));
    }

    // --- what is shown -------------------------------------------------------------------------------------------

    get tiles() {
        const { board, before, scope } = this.state;
        return makeTiles(board, before, board.shares[scope.level] ? scope.level : "service_level");
    }

    get offeredChange() {
        return offeredChange(this.state.board, this.state.before);
    }

    get isEmpty() {
        const { counts } = this.state.board;
        return !["offered", "blocked", "menu", "talked", "attempts"].some((name) => counts[name].value);
    }

    get span() {
        return this.state.board?.period || { first: this.state.scope.first || "", last: this.state.scope.last || "" };
    }

    get when() {
        const { period } = this.state.board;
        return `${formatSpan(period)}, ${period.zones.join(", ")}`;
    }

    get comparison() {
        const { before } = this.state;
        return before
            ? _t("Compared with %s (“not clear”: the difference may be chance)", formatSpan(before.period))
            : "";
    }

    /** What a screen reader hears when other figures have come. */
    get news() {
        const { board, isLoading, error } = this.state;
        return isLoading ? _t("The figures are being counted.") : board && !error ? _t("Figures of %s", this.when) : "";
    }

    get oldness() {
        return this.state.board ? _t("What you see is old: the figures of %s.", this.when) : "";
    }

    /** What counts in no figure, and what somebody has only typed in. */
    get remarks() {
        return ["end_unknown", "excluded", "by_hand"].map((name) => {
            const list = listOf(this.state.board, name);
            return { name, list, isCounted: name === "by_hand", text: labelled(list) };
        });
    }

    // --- on paper ------------------------------------------------------------------------------------------------

    get companies() {
        return user.activeCompanies.map((company) => company.name).join(", ");
    }

    /** What the figures are narrowed down to, in words. */
    get narrowing() {
        const { scope } = this.state;
        return [
            scope.hours ? _t("working hours") : _t("all hours"),
            ...Object.entries(FILTERS).map(([key, name]) => this.choices[name].find(({ id }) => id === scope[key])?.name),
        ]
            .filter(Boolean)
            .join(", ");
    }

    get definitions() {
        const known = new Map(this.tiles.flatMap((tile) => tile.definitions).map((definition) => [definition.label, definition]));
        return [...known.values()];
    }

    print() {
        window.print();
    }

    // --- what a click opens --------------------------------------------------------------------------------------

    /**
     * Opens what a number has counted.
     *
     * @param {object} list
     * @param {string} list.name
     * @param {Array} list.domain
     * @param {string} [list.model]
     * @param {string[]} [list.views] the first is shown
     * @param {{ first: string, last: string }} [list.span] the days, if not the whole period
     * @param {string} [list.orderBy] a field, the greatest value first
     * @param {string} [list.groupBy] a field
     */
    open({ name, domain, model = "telephony.call", views = ["list", "pivot", "graph", "form"], span, orderBy, groupBy }) {
        const { period } = this.state.board;
        return this.action.doAction(
            {
                type: "ir.actions.act_window",
                name: span || model === "telephony.call" ? `${name}, ${formatSpan(span || period)}` : name,
                res_model: model,
                views: views.map((view) => [false, view]),
                domain,
                context: {
                    // somebody's own default filter would hide some of what was counted
                    search_disable_custom_filters: true,
                    ...(groupBy && { group_by: [groupBy] }),
                    // a pivot cuts days as the figures do, whoever looks
                    ...(period.zones.length === 1 && { tz: period.zones[0] }),
                },
            },
            orderBy ? { props: { orderBy: [{ name: orderBy, asc: false }] } } : {}
        );
    }

    /** Opens the lost calls of one hour of the week; of an hour in which none was lost, the offered ones. */
    async openHour({ weekday, hour, offered, lost }) {
        const name = lost ? "lost" : "offered";
        const { asked, board } = this.state;
        const domain = await this.orm.call("telephony.report", "get_cell_domain", [...asked, weekday, hour, name]);
        await this.open({ ...listOf(board, name), domain, count: lost || offered });
    }

    openPivot() {
        return this.open({ ...listOf(this.state.board, "offered"), views: ["pivot", "graph", "list", "form"] });
    }
}

/** Returns why the figures could not be counted: what the server says to people, else a sentence of ours. */
function complaint(error) {
    return error.exceptionName?.startsWith("odoo.exceptions.")
        ? error.data.message
        : _t("The figures could not be counted. Choose a shorter period, or try again.");
}

registry.category("actions").add("crm_telephony.report", Figures);
