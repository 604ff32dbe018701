import { Component, onWillDestroy, onWillStart, useEffect, useExternalListener, useRef, useState } from "@odoo/owl";
import { browser } from "@web/core/browser/browser";
import { router } from "@web/core/browser/router";
import { ConfirmationDialog } from "@web/core/confirmation_dialog/confirmation_dialog";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { user } from "@web/core/user";
import { useService } from "@web/core/utils/hooks";
import { ControlPanel } from "@web/search/control_panel/control_panel";
import { standardActionServiceProps } from "@web/webclient/actions/action_service";
import { formatClock } from "@crm_telephony/clock/clock_field";
import { formAction } from "@crm_telephony/form_action";
import { useNow } from "@crm_telephony/hooks";
import { LONG_WAIT, LiveFigures } from "@crm_telephony/live_board/live_figures";
import { formatMinutes } from "@crm_telephony/minutes/minutes_field";

const { DateTime } = luxon;

/** The board asks the server at most so often (ms), whatever happens on the phones. */
const PAUSE = 1_000;
/** The board asks at least so often (ms), because callbacks fall due by themselves and a message may get lost on the way. */
const REFRESH = 30_000;
/** A call that goes on longer (s) can be cleared, because its end may have got lost on the way. */
const LONG_CALL = 120;
/** A day (s). From two days on an age is told in days. */
const DAY = 86_400;

/** What goes on now, for supervisors; as a wallboard it fills the screen. See models/screen/live.py for the data. */
export class LiveBoard extends Component {
    static template = "crm_telephony.LiveBoard";
    static components = { ControlPanel, LiveFigures };
    static props = { ...standardActionServiceProps };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.dialog = useService("dialog");
        this.root = useRef("root");
        this.controlPanelDisplay = {};
        this.state = useState({
            board: false,
            failed: false,
            /** this and the team stand in the address: a screen on a wall opens /odoo/telephony-live?wallboard=1&team=5 */
            wallboard: Boolean(router.current.wallboard),
            team: Number(router.current.team) || false,
        });
        /** when the server was asked, and when it answered last (ms) */
        this.fetchedAt = 0;
        this.trueAt = 0;
        this.isDirty = false;
        this.ticker = useNow(1_000, () => this.refreshInTime());

        const telephony = useService("telephony");
        const stopListening = telephony.onLive(({ company_id: companyId }) => {
            if (!companyId || user.activeCompanies.some((company) => company.id === companyId)) {
                this.refreshSoon();
            }
        });
        onWillStart(() => this.refresh());
        onWillDestroy(() => {
            stopListening();
            browser.clearTimeout(this.planned);
            this.isGone = true;
        });
        useEffect(
            (wallboard) => {
                telephony.state.isOnWall = wallboard;
                return () => (telephony.state.isOnWall = false);
            },
            () => [this.state.wallboard]
        );
        useExternalListener(document, "visibilitychange", () => this.refreshSoon());
        useExternalListener(document, "fullscreenchange", () => {
            if (!document.fullscreenElement) {
                this.setWallboard(false);
            }
        });
        useExternalListener(window, "keydown", (ev) => {
            if (ev.key === "Escape" && this.state.wallboard) {
                this.toggleWallboard();
            }
        });
    }

    // --- the data ------------------------------------------------------------------------------------------------

    /** Plans a refresh: one request at a time with a pause between, because messages come in bursts; none for a hidden tab. */
    refreshSoon() {
        this.isDirty = true;
        if (this.planned || this.isAsking || document.hidden) {
            return;
        }
        const wait = Math.max(this.fetchedAt + PAUSE - Date.now(), 0);
        this.planned = browser.setTimeout(() => this.refresh(), wait);
    }

    async refresh() {
        browser.clearTimeout(this.planned);
        this.planned = undefined;
        this.isDirty = false;
        this.isAsking = true;
        try {
            const team = this.state.team;
            const board = await this.orm.silent.call("telephony.live", "get_board", [team]);
            if (team !== this.state.team) {
                this.isDirty = true; // another team was chosen meanwhile
                return;
            }
            this.trueAt = Date.now();
            Object.assign(this.state, { board, failed: false });
        } catch (error) {
            if (!this.state.board) {
                throw error; // no right to be here, or no server: the user is told
            }
            this.state.failed = true;
        } finally {
            this.isAsking = false;
            this.fetchedAt = Date.now();
        }
        if (this.isDirty && !this.isGone) {
            this.refreshSoon();
        }
    }

    chooseTeam(id) {
        this.state.team = Number(id) || false;
        this.tellAddress();
        this.fetchedAt = 0; // at once
        this.refreshSoon();
    }

    /** Refreshes a board that is older than REFRESH. */
    refreshInTime() {
        if (Date.now() - this.fetchedAt >= REFRESH) {
            this.refreshSoon();
        }
    }

    // --- what is shown -------------------------------------------------------------------------------------------

    get calls() {
        return this.state.board.calls;
    }

    get people() {
        return this.state.board.people;
    }

    get badLines() {
        const { bad, measured } = this.state.board.lines;
        return _t("Bad lines today: %(bad)s of %(measured)s", { bad, measured });
    }

    openBadLines() {
        return this.action.doAction("crm_telephony.telephony_call_quality_action", {
            additionalContext: { search_default_bad: 1, search_default_group_user: 1 },
        });
    }

    get callbacks() {
        return this.state.board.callbacks;
    }

    get staleness() {
        return _t("The server does not answer. The board is %s old.", this.clock({ seconds: 0 }));
    }

    phaseLabel(call) {
        return {
            waiting: _t("Waiting"),
            ringing: _t("Ringing"),
            dialling: _t("Calling"),
            on_line: _t("On the line"),
            talking: _t("Talking"),
        }[call.phase];
    }

    stateLabel(person) {
        if (person.dnd && person.state === "free") {
            return _t("Do not disturb");
        }
        return {
            talking: _t("Talking"),
            on_line: _t("On the line"),
            dialling: _t("Calling"),
            ringing: _t("Ringing"),
            free: _t("Free"),
            away: _t("Away"),
        }[person.state];
    }

    /** Where the call came in. */
    place(call) {
        return [call.queue, call.line, call.company].filter(Boolean).join(" · ");
    }

    isLong(call) {
        return call.phase === "waiting" && this.age(call) >= LONG_WAIT;
    }

    /** Seconds since the server has told what the board shows. */
    get boardAge() {
        return Math.max(Math.round((this.ticker.now - this.trueAt) / 1_000), 0);
    }

    age(row) {
        return row.seconds + this.boardAge;
    }

    clock(row) {
        if (row.seconds === null) {
            return "";
        }
        const age = this.age(row);
        return age < 2 * DAY ? formatClock(age) : _t("%s days", Math.floor(age / DAY));
    }

    /** How late a callback is. It is working time, so nothing is added in the browser, which knows no opening hours. */
    late(callback) {
        return formatMinutes(callback.minutes);
    }

    /** The time of day, as a clock on the wall shows it. */
    get time() {
        return this.ticker.now.toLocaleString(DateTime.TIME_SIMPLE);
    }

    get day() {
        return this.ticker.now.toLocaleString({ weekday: "long", day: "numeric", month: "long" });
    }

    mayBeDead(call) {
        return !this.state.wallboard && this.age(call) >= LONG_CALL;
    }

    clearLabel(call) {
        return _t("Clear the call of %s", call.who);
    }

    // --- what can be done ----------------------------------------------------------------------------------------

    open(model, id) {
        if (!this.state.wallboard) {
            this.action.doAction(formAction(model, id));
        }
    }

    /** Takes a call off the screens whose end the PBX has lost. */
    clear(call) {
        this.dialog.add(ConfirmationDialog, {
            title: _t("Clear this call?"),
            body: _t(
                "Clear it only if nobody is on the line any more. The call stays in the log; its end is unknown until the PBX tells it."
            ),
            confirmLabel: _t("Clear"),
            confirm: async () => {
                await this.orm.call("telephony.call", "action_clear", [[call.id]]);
                await this.refresh();
            },
            cancel: () => {},
        });
    }

    /** Fills the page, and the screen where the browser allows it, which it does after a click only. */
    async toggleWallboard() {
        const on = !this.state.wallboard;
        this.setWallboard(on);
        try {
            if (on) {
                await this.root.el.requestFullscreen?.();
            } else if (document.fullscreenElement) {
                await document.exitFullscreen();
            }
        } catch {
            // the browser does not allow it: the page is filled
        }
    }

    setWallboard(on) {
        this.state.wallboard = on;
        this.tellAddress();
    }

    tellAddress() {
        const { wallboard, team } = this.state;
        this.props.updateActionState?.({ wallboard: wallboard ? 1 : undefined, team: team || undefined });
    }
}

registry.category("actions").add("crm_telephony.live_board", LiveBoard);
