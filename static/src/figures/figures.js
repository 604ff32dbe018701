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
import { ClaimsTab } from "@crm_telephony/figures/claims_tab";
import { openCounted } from "@crm_telephony/figures/counted_list";
import { DayChart } from "@crm_telephony/figures/day_chart";
import { FigureTile } from "@crm_telephony/figures/figure_tile";
import { formatSpan, labelled, listOf } from "@crm_telephony/figures/figure_words";
import { DATES, FiguresScope } from "@crm_telephony/figures/figures_scope";
import { HeatMap } from "@crm_telephony/figures/heat_map";
import { LinesTab } from "@crm_telephony/figures/lines_tab";
import { LossCauses } from "@crm_telephony/figures/loss_causes";
import { MilestonesTab, WEEKS } from "@crm_telephony/figures/milestones_tab";
import { PeopleTab } from "@crm_telephony/figures/people_tab";
import { SourcesTab } from "@crm_telephony/figures/sources_tab";
import { makeTiles, offeredChange, serviceLevels } from "@crm_telephony/figures/tiles";

/** Name of a filter in the address → of the server's filter. */
const FILTERS = {
    number: "number_ids",
    source: "source_ids",
    campaign: "campaign_ids",
    team: "team_ids",
    pbx: "account_ids",
};
/** What stands in the address: the period, what it is narrowed down to, which service level and tab are shown, by what sources are told, and what is compared. */
const SCOPE = ["period", "first", "last", "hours", ...Object.keys(FILTERS), "level", "tab", "by", "milestone", "weeks"];
/** The tabs beside the overview, by the name that the server knows. */
const TABS = { people: PeopleTab, sources: SourcesTab, lines: LinesTab, claims: ClaimsTab, milestones: MilestonesTab };
/** From which shares of lost calls on an hour is darker. */
const LOST_STEPS = [0.05, 0.15, 0.3];

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
        this.lostSteps = LOST_STEPS;
        this.state = useState({
            /** the figures, and those of the period before, once the server has told them */
            board: null,
            before: null,
            /** what another tab than the overview shows, with its name as `tab` */
            figures: null,
            /** for which period and filters the server has told them */
            asked: null,
            isLoading: false,
            error: "",
            scope: { period: "days_30", level: "service_level", ...pick(this.props.action.params || {}, ...SCOPE), ...this.told, ...this.props.state?.scope },
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

    /** What the server is asked for the chosen tab: method and arguments. */
    get tabQuestion() {
        const { tab, by, milestone, weeks } = this.state.scope;
        const [period, filters] = this.asked;
        return tab === "milestones"
            ? ["get_around", [milestone || false, weeks || WEEKS, filters]]
            : ["get_tab", [tab, period, filters, by || "source"]];
    }

    async load() {
        const asked = this.asked;
        const { tab } = this.state.scope;
        const ask = (method, args = asked) => this.lastAsked.add(this.orm.silent.call("telephony.report", method, args));
        this.state.isLoading = true;
        try {
            const shown = this.Tab
                ? { figures: { tab, ...(await ask(...this.tabQuestion)) } }
                : { board: await ask("get_board"), before: null };
            Object.assign(this.state, { ...shown, asked, error: "", isLoading: false });
        } catch (error) {
            Object.assign(this.state, { error: complaint(error), isLoading: false });
            return;
        }
        if (this.Tab) {
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

    // --- the tabs ------------------------------------------------------------------------------------------------

    get tabs() {
        return [
            ["overview", _t("Overview")],
            ["people", _t("People")],
            ["sources", _t("Sources")],
            ["lines", _t("Lines")],
            ["claims", _t("Claims")],
            ["milestones", _t("Before and After")],
        ];
    }

    get tabName() {
        return this.Tab ? this.state.scope.tab : "overview";
    }

    /** What shows the chosen tab; undefined is the overview. */
    get Tab() {
        return TABS[this.state.scope.tab];
    }

    /** What the chosen tab shows, as soon as the server has told it. */
    get shown() {
        const { board, figures, scope } = this.state;
        return this.Tab ? figures?.tab === scope.tab && figures : board;
    }

    chooseTab(tab) {
        this.state.error = "";
        this.change({ tab: TABS[tab] && tab });
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
        return this.shown?.period || { first: this.state.scope.first || "", last: this.state.scope.last || "" };
    }

    get when() {
        const { period } = this.shown;
        return period ? `${formatSpan(period)}, ${period.zones.join(", ")}` : "";
    }

    get comparison() {
        const { before } = this.state;
        return before && !this.Tab
            ? _t("Compared with %s (“not clear”: the difference may be chance)", formatSpan(before.period))
            : "";
    }

    /** What a screen reader hears when other figures have come. */
    get news() {
        const { isLoading, error } = this.state;
        return isLoading ? _t("The figures are being counted.") : this.shown && !error ? _t("Figures of %s", this.when) : "";
    }

    get oldness() {
        return this.shown ? _t("What you see is old: the figures of %s.", this.when) : "";
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
        if (this.Tab) {
            return [];
        }
        const known = new Map(this.tiles.flatMap((tile) => tile.definitions).map((definition) => [definition.label, definition]));
        return [...known.values()];
    }

    print() {
        window.print();
    }

    // --- what a click opens --------------------------------------------------------------------------------------

    /** Opens what a number has counted; see counted_list.js. */
    open(list) {
        return openCounted(this.action, this.shown.period, list);
    }

    /** Opens calls of one hour of the week, by the name that the server has for their count. */
    async openHour({ weekday, hour }, count, list) {
        const domain = await this.orm.call("telephony.report", "get_cell_domain", [...this.state.asked, weekday, hour, count]);
        await this.open({ ...list, domain });
    }

    /** Opens the lost calls of an hour; of one in which none was lost, the offered ones. */
    openLost(cell) {
        const count = cell.lost ? "lost" : "offered";
        return this.openHour(cell, count, { ...listOf(this.state.board, count), count: cell[count] });
    }

    tellLost({ day, hour, n, d }) {
        return _t("%(day)s %(hour)s: %(lost)s of %(offered)s calls lost", { day, hour, lost: n, offered: d });
    }

    compare({ id }) {
        this.change({ tab: "milestones", milestone: id });
    }

    openPivot() {
        return this.open({ ...listOf(this.state.board, "offered"), views: ["pivot", "graph", "list", "form"] });
    }
}

/** Returns why the figures could not be counted: what the server says to people, else a sentence of ours. */
export function complaint(error) {
    return error.exceptionName?.startsWith("odoo.exceptions.")
        ? error.data.message
        : _t("The figures could not be counted. Choose a shorter period, or try again.");
}

registry.category("actions").add("crm_telephony.report", Figures);
