import { Component, onWillDestroy, onWillStart, useState } from "@odoo/owl";
import { browser } from "@web/core/browser/browser";
import { CopyButton } from "@web/core/copy_button/copy_button";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { ControlPanel } from "@web/search/control_panel/control_panel";
import { standardActionServiceProps } from "@web/webclient/actions/action_service";
import { formatClock } from "@crm_telephony/clock/clock_field";
import { formAction } from "@crm_telephony/form_action";
import { useBusy, useNow } from "@crm_telephony/hooks";
import { eventWords, kindWords, targetWords } from "@crm_telephony/learn/learn_words";

/** What stands in the place of a secret, see providers: equal for equal secrets, and of no use to people. */
const MASKED = /masked:[0-9a-f]{32}/g;
/** While Odoo listens the page asks so often (ms) what has come. */
const REFRESH = 3_000;

/**
 * Connects a PBX that Odoo does not know: three ways to say what it sends. See models/inbox/mapping.py, which returns the whole
 * screen after each choice. What the PBX sent is shown as text only.
 */
export class Learn extends Component {
    static template = "crm_telephony.Learn";
    static components = { ControlPanel, CopyButton };
    static props = { ...standardActionServiceProps };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.notification = useService("notification");
        this.fieldService = useService("field");
        this.controlPanelDisplay = {};
        this.guard = useBusy();
        this.ticker = useNow(1_000);
        this.state = useState({ screen: null, way: "", facts: {}, shape: "", secret: "", template: "", fileCaptured: false, wentLive: false });
        this.accountId = this.props.action.context.active_id || this.props.action.params?.account_id;
        onWillStart(async () => {
            const loaded = this.fieldService.loadFields("telephony.call", { fieldNames: ["direction", "outcome"] });
            this.show(await this.ask("get_learning"));
            const fields = await loaded;
            this.directions = Object.fromEntries(fields.direction.selection);
            this.outcomes = Object.fromEntries(fields.outcome.selection);
            this.state.facts = { ...this.state.screen.facts };
            this.state.way = this.state.screen.listening.count || this.isListening ? "capture" : "";
        });
        const refreshing = browser.setInterval(() => this.refresh(), REFRESH);
        onWillDestroy(() => browser.clearInterval(refreshing));
    }

    // --- the data ------------------------------------------------------------------------------------------------

    ask(method, ...args) {
        return this.orm.call("telephony.account", method, [[this.accountId], ...args]);
    }

    show(screen) {
        this.state.screen = screen;
        this.shownAt = Date.now();
        if (!screen.shapes.some((shape) => shape.key === this.state.shape)) {
            this.state.shape = screen.shapes[0]?.key || "";
        }
    }

    /** Does what was clicked, and shows what comes of it. */
    do(method, ...args) {
        return this.guard.run(async () => this.show(await this.ask(method, ...args)));
    }

    async refresh() {
        if (this.isListening && !document.hidden && !this.guard.isBusy) {
            const screen = await this.orm.silent.call("telephony.account", "get_learning", [[this.accountId]]).catch(() => null);
            // what somebody has clicked meanwhile is newer
            if (screen && !this.guard.isBusy) {
                this.show(screen);
            }
        }
    }

    // --- what is shown -------------------------------------------------------------------------------------------

    get words() {
        return { targets: targetWords(), events: eventWords(), kinds: kindWords(), copy: _t("Copy"), copied: _t("Copied") };
    }

    get screen() {
        return this.state.screen;
    }

    get secondsLeft() {
        const passed = Math.floor((this.ticker.now.toMillis() - this.shownAt) / 1_000);
        return Math.max(this.screen.listening.left - Math.max(passed, 0), 0);
    }

    get isListening() {
        return Boolean(this.screen) && this.secondsLeft > 0;
    }

    get listeningWords() {
        return _t("Listening, %s left", formatClock(this.secondsLeft));
    }

    get unreadWords() {
        return _t("Look at %s deliveries that came before", this.screen.account.unread);
    }

    get replayWords() {
        return _t("Read %s failed events again", this.screen.account.failed);
    }

    get room() {
        const { count, most, bytes, most_bytes } = this.screen.listening;
        return _t("%(count)s of %(most)s requests, %(bytes)s of %(mostBytes)s kB", {
            count, most, bytes: Math.ceil(bytes / 1024), mostBytes: most_bytes / 1024,
        });
    }

    /** The address without its secret part, as others may see it on the screen. */
    get hiddenAddress() {
        return this.screen.account.address.replace(/[^/]+$/, "••••••");
    }

    get shape() {
        return this.screen.shapes.find((shape) => shape.key === this.state.shape);
    }

    get rows() {
        return this.shape.paths.map((path) => ({
            path,
            name: path.replace(/^\$\.?/, ""),
            values: [...new Set(this.shape.values[path])].map((value) => value.replace(MASKED, "••••••")),
            ...this.screen.fields[path],
        }));
    }

    get calls() {
        return this.screen.calls;
    }

    get musts() {
        return this.screen.problems.filter((problem) => problem.must);
    }

    get warnings() {
        return this.screen.problems.filter((problem) => !problem.must);
    }

    get chosenWay() {
        const chosen = JSON.stringify(this.screen.auth.chosen);
        return this.screen.auth.choices.findIndex((choice) => JSON.stringify(choice.auth) === chosen);
    }

    /** The test calls to make, and which of them were seen. */
    get testCalls() {
        const seen = (direction, isAnswered) => this.calls.some(
            ({ record }) => record && record.state === "ended" && record.direction === direction && (record.outcome === "answered") === isAnswered
        );
        return [
            { text: _t("Call in, answer, and talk for 20 seconds"), isSeen: seen("inbound", true) },
            { text: _t("Call in, let it ring, and hang up"), isSeen: seen("inbound", false) },
            { text: _t("Call out, and answer"), isSeen: seen("outbound", true) },
            { text: _t("Call out, and do not answer"), isSeen: seen("outbound", false) },
            { text: _t("Call in, answer, and transfer (may be skipped)"), isSeen: false },
        ];
    }

    reason(row) {
        return row.guesses.find((guess) => guess.target === row.target)?.reason || "";
    }

    /** The guesses that nobody has taken yet. */
    offers(row) {
        return row.target ? [] : row.guesses.slice(0, 2);
    }

    meanings(row) {
        return row.target === "direction" ? this.directions : { "": _t("by what happened"), ...this.outcomes };
    }

    perhaps(text) {
        return _t("Perhaps: %s", text);
    }

    spans({ wait, talk }) {
        return _t("wait %(wait)s s, talk %(talk)s s", { wait, talk });
    }

    fits(choice) {
        return { yes: _t("fits the secret"), no: _t("does not fit the secret") }[choice.fits] || "";
    }

    // --- what is clicked -----------------------------------------------------------------------------------------

    say(change) {
        return this.do("learn_say", change);
    }

    choose(path, target) {
        return this.say({ path, target });
    }

    go(way) {
        Object.assign(this.state, { way, template: way === "write" ? this.screen.ready_template : "" });
    }

    start() {
        return this.do("learn_start", { ...this.state.facts });
    }

    async tryTheSecret() {
        await this.do("learn_secret", this.state.secret);
        this.state.secret = "";
    }

    chooseWay(place) {
        return this.say({ auth: this.screen.auth.choices[place].auth });
    }

    async use() {
        await this.do("learn_use", Number(this.state.template));
        this.state.wentLive = true;
    }

    async goLive() {
        await this.do("learn_go_live", this.state.fileCaptured);
        this.state.wentLive = true;
    }

    replay() {
        return this.guard.run(async () => this.action.doAction(await this.ask("learn_replay")));
    }

    openAccount() {
        return this.action.doAction(formAction("telephony.account", this.accountId));
    }

    openTemplate() {
        return this.action.doAction(formAction("telephony.template", this.screen.account.template_id));
    }
}

registry.category("actions").add("crm_telephony.learn", Learn);
