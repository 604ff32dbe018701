import { beforeEach, describe, expect, test } from "@odoo/hoot";
import { click, press, queryAllTexts } from "@odoo/hoot-dom";
import { advanceTime, animationFrame, Deferred, mockDate } from "@odoo/hoot-mock";
import {
    contains, defineModels, getService, makeServerError, mockService, models, mountWithCleanup, onRpc, serverState,
} from "@web/../tests/web_test_helpers";
import { defineMailModels } from "@mail/../tests/mail_test_helpers";
import { Component, reactive, xml } from "@odoo/owl";
import { router } from "@web/core/browser/router";
import { registry } from "@web/core/registry";
import { WebClient } from "@web/webclient/webclient";

class TelephonyLive extends models.Model {
    _name = "telephony.live";
}

class TelephonyCall extends models.Model {
    _name = "telephony.call";
}

class Elsewhere extends Component {
    static template = xml`<div/>`;
    static props = ["*"];
}

describe.current.tags("desktop");
defineMailModels();
defineModels([TelephonyLive, TelephonyCall]);

const call = (id, phase, seconds, more = {}) => ({
    id, phase, seconds, direction: "inbound", who: `Customer ${id}`, lead: "", line: "", queue: "", people: [], company: "", ...more,
});
const person = (id, name, state, more = {}) => ({ id, name, state, seconds: null, who: "", dnd: false, talks: 0, ...more });

let board, hear;

beforeEach(() => {
    mockDate("2026-03-10 12:00:00", 0);
    mockService("telephony", {
        state: reactive({ calls: [], isOnWall: false, preferences: {} }),
        onLive(callback) {
            hear = callback;
            return () => (hear = undefined);
        },
    });
    board = {
        calls: [
            call(1, "talking", 65, { people: ["Anna"], lead: "Deal" }),
            call(2, "waiting", 28, { queue: "Sales", line: "Main" }),
            call(3, "ringing", 3, { people: ["Boris", "Clara"] }),
        ],
        more: 0,
        people: [
            person(1, "Anna", "talking", { seconds: 60, who: "Customer 1", talks: 4 }),
            person(2, "Boris", "ringing", { seconds: 3 }),
            person(3, "Clara", "free", { dnd: true }),
            person(4, "Dina", "free", { seconds: 600 }),
        ],
        callbacks: { open: 7, late: 1, rows: [{ id: 9, who: "<b>Late</b>", user: "Anna", lead: "", minutes: 65 }, { id: 10, who: "Forgotten", user: "", lead: "", minutes: 0 }] },
        today: { inbound: 8, lost: 2 },
        teams: [],
        alarms: [],
    };
    onRpc("telephony.live", "get_board", ({ args: [team] }) => {
        expect.step(team ? `get_board ${team}` : "get_board");
        return board;
    });
});

async function open(before = () => {}) {
    await mountWithCleanup(WebClient);
    before();
    await getService("action").doAction({ type: "ir.actions.client", tag: "crm_telephony.live_board" });
    expect.verifySteps(["get_board"]);
}

/** As the message on the bus does; the way through the bus itself is the tour's. */
async function tell(payload) {
    hear(payload);
    await animationFrame();
}

const clocks = () => queryAllTexts(".o_telephony_live_call .o_telephony_live_clock");

test("calls, people, callbacks and figures", async () => {
    await open();
    expect(queryAllTexts(".o_telephony_live_phase")).toEqual(["Talking", "Waiting", "Ringing"]);
    expect(clocks()).toEqual(["1:05", "0:28", "0:03"]);
    expect(queryAllTexts(".o_telephony_live_value")).toEqual(["1", "1", "1", "1", "1", "25%"]);
    expect(queryAllTexts(".o_telephony_live_note")).toEqual(["longest 0:28", "", "", "of 4 at work", "of 7 open", "2 of 8 calls"]);
    expect(queryAllTexts(".o_telephony_live_doing")).toEqual([
        "Talking 1:00", "Ringing 0:03", "Do not disturb", "Free 10:00",
    ]);
    expect(queryAllTexts(".o_telephony_live_person small")).toEqual(["Customer 1\nTalks today: 4"]);
    expect(".o_telephony_live_callback:last").toHaveText(/^under a minute\s+Forgotten$/);
    expect(".o_telephony_live_callback:first").toHaveText(/^1 h 05 min\s+<b>Late<\/b>\s+Anna$/);
});

test("alarms stand on top, and open", async () => {
    board = { ...board, alarms: [{ id: 5, text: "Nothing on <b>+7 727</b>", loses: true }, { id: 6, text: "Late", loses: false }] };
    await open();
    expect(queryAllTexts(".o_telephony_live_alarms li")).toEqual(["Nothing on <b>+7 727</b>", "Late"]);
    expect(".o_telephony_live_alarms li:first").toHaveClass("alert-danger");
    expect(".o_telephony_live_alarms li:last").toHaveClass("alert-warning");
});

test("clocks go on without the server, and who waits too long turns red", async () => {
    await open();
    expect(".o_telephony_long").toHaveCount(0);
    await advanceTime(2_000);
    expect(clocks()).toEqual(["1:07", "0:30", "0:05"]);
    expect(".o_telephony_long").toHaveCount(1);
    expect("[data-figure=waiting]").toHaveClass("o_telephony_danger");
    expect.verifySteps([]);
    await advanceTime(29_000);
    expect.verifySteps(["get_board"]);
    expect(clocks()[0]).toMatch(/^1:0[56]$/);
});

test("a message brings the board up to date, many of them once a second", async () => {
    await open();
    await advanceTime(5_000);
    board = { ...board, calls: [call(4, "ringing", 1)] };
    await tell({ company_id: serverState.companies[0].id });
    await advanceTime(0);
    await animationFrame();
    expect.verifySteps(["get_board"]);
    expect(clocks()).toEqual(["0:01"]);
    for (let message = 0; message < 20; message++) {
        await tell({ company_id: serverState.companies[0].id });
    }
    expect.verifySteps([]);
    await advanceTime(1_000);
    expect.verifySteps(["get_board"]);
    await advanceTime(5_000);
    expect.verifySteps([]);
});

test("other companies' calls are none of this board's business", async () => {
    await open();
    await tell({ company_id: 4711 });
    await advanceTime(5_000);
    expect.verifySteps([]);
});

test("one request at a time; what happened meanwhile is asked for afterwards", async () => {
    await open();
    await advanceTime(5_000);
    const slow = new Deferred();
    onRpc("telephony.live", "get_board", async () => {
        expect.step("slow");
        await slow;
        return board;
    });
    await tell({});
    await advanceTime(0);
    await tell({});
    await advanceTime(3_000);
    expect.verifySteps(["slow"]);
    slow.resolve();
    await animationFrame();
    await advanceTime(1_000);
    expect.verifySteps(["slow"]);
});

test("a server that does not answer: the old board stays and says so", async () => {
    await open();
    onRpc("telephony.live", "get_board", () => {
        throw makeServerError();
    });
    await advanceTime(31_000);
    expect(".o_telephony_live .alert").toHaveCount(1);
    expect(".o_telephony_live_call").toHaveCount(3);
    onRpc("telephony.live", "get_board", () => board);
    await advanceTime(31_000);
    expect(".o_telephony_live .alert").toHaveCount(0);
    expect.verifySteps([]);
});

test("the share lost today is coloured once there are enough calls", async () => {
    await open();
    const tile = "[data-figure=lost]";
    for (const [inbound, lost, level] of [[9, 9, ""], [10, 0, ""], [100, 9, ""], [10, 1, "warning"], [100, 19, "warning"], [10, 2, "danger"]]) {
        board = { ...board, today: { inbound, lost } };
        await tell({});
        await advanceTime(1_000);
        await animationFrame();
        expect(`${tile} .o_telephony_live_note`).toHaveText(`${lost} of ${inbound} calls`);
        expect(`${tile}.o_telephony_warning`).toHaveCount(level === "warning" ? 1 : 0);
        expect(`${tile}.o_telephony_danger`).toHaveCount(level === "danger" ? 1 : 0);
        expect.verifySteps(["get_board"]);
    }
});

test("the time of day, and the board of one team, on the wall too", async () => {
    board.teams = [{ id: 5, name: "Flour" }, { id: 6, name: "Sugar" }];
    await open();
    expect(".o_telephony_live_now time").toHaveText(/^12:00|^1:00|^13:00/);
    expect(queryAllTexts(".o_telephony_live_teams option")).toEqual(["All teams", "Flour", "Sugar"]);
    await contains(".o_telephony_live_teams").select("6");
    await advanceTime(0);
    await animationFrame();
    expect.verifySteps(["get_board 6"]);
    await click(".o_telephony_wallboard_on");
    await animationFrame();
    await animationFrame();
    expect(".o_telephony_wallboard .o_telephony_live_teams").toHaveValue("6");
    await advanceTime(31_000);
    expect.verifySteps(["get_board 6"]);
});

test("a call whose end was lost is cleared, once somebody confirms it", async () => {
    board.calls[0].seconds = 125;
    onRpc("telephony.call", "action_clear", ({ args: [ids] }) => {
        expect.step(`clear ${ids}`);
        board = { ...board, calls: board.calls.slice(1) };
        return true;
    });
    await open();
    expect(".o_telephony_live_clear").toHaveCount(1, { message: "not the ones that have just begun" });
    await click(".o_telephony_live_clear");
    await animationFrame();
    expect.verifySteps([]);
    await click(".modal .btn-primary");
    await animationFrame();
    await animationFrame();
    expect.verifySteps(["clear 1", "get_board"]);
    expect(".o_telephony_live_call").toHaveCount(2);
});

test("no call card on the wallboard, and again after it", async () => {
    await open();
    const { state } = getService("telephony");
    state.calls = [{ id: 7, phase: "lost", direction: "inbound", display: "+7701", isFolded: true, card: false }];
    await animationFrame();
    expect(".o_telephony_card:visible").toHaveCount(1);
    await click(".o_telephony_wallboard_on");
    await animationFrame(); // the board, then the cards
    await animationFrame();
    expect(".o_telephony_card:visible").toHaveCount(0);
    await press("Escape");
    await animationFrame();
    await animationFrame();
    expect(".o_telephony_card:visible").toHaveCount(1);
    await click(".o_telephony_wallboard_on");
    await animationFrame();
    registry.category("actions").add("crm_telephony.elsewhere", Elsewhere);
    await getService("action").doAction({ type: "ir.actions.client", tag: "crm_telephony.elsewhere" });
    await animationFrame();
    await animationFrame();
    expect(".o_telephony_card:visible").toHaveCount(1, { message: "the wallboard was left for another page" });
});

test("who is away is not counted as free, nor missed among the free; what may be answered is told so", async () => {
    board = {
        ...board,
        calls: [call(1, "on_line", 70, { direction: "outbound", people: ["Anna"] })],
        people: [person(1, "Anna", "on_line", { seconds: 70 }), person(2, "Boris", "away")],
    };
    await open();
    expect(queryAllTexts(".o_telephony_live_phase")).toEqual(["On the line"]);
    expect(queryAllTexts(".o_telephony_live_doing")).toEqual(["On the line 1:10", "Away"]);
    expect("[data-figure=talking] .o_telephony_live_value").toHaveText("1");
    expect("[data-figure=talking] .o_telephony_live_note").toHaveText("1 perhaps still dialling");
    expect("[data-figure=free] .o_telephony_live_note").toHaveText("of 1 at work");
    expect("[data-figure=free]").toHaveClass("o_telephony_warning");
    board = { ...board, people: [person(2, "Boris", "away")] };
    await tell({});
    await advanceTime(1_000);
    await animationFrame();
    expect("[data-figure=free]").not.toHaveClass("o_telephony_warning", { message: "nobody is expected at night" });
    expect.verifySteps(["get_board"]);
});

test("the wallboard fills the page and opens nothing", async () => {
    onRpc("telephony.call", "get_views", () => expect.step("opened"));
    await open();
    expect(".o_telephony_live[role]").toHaveCount(0);
    await click(".o_telephony_wallboard_on");
    await animationFrame();
    expect(".o_telephony_wallboard[role=main]").toHaveCount(1);
    expect(".o_control_panel").toHaveCount(0);
    await press("Escape");
    await animationFrame();
    expect(".o_telephony_wallboard").toHaveCount(0);
    expect(".o_control_panel").toHaveCount(1);
    expect.verifySteps([]);
});

test("a screen on a wall starts as a wallboard, by its address", async () => {
    await open(() => router.replaceState({ wallboard: 1 }, { sync: true }));
    expect(".o_telephony_wallboard").toHaveCount(1);
    await click(".o_telephony_wallboard_off");
    await animationFrame();
    expect(".o_telephony_wallboard").toHaveCount(0);
    await advanceTime(1);
    expect(router.current.wallboard).toBe(undefined);
});

test("nobody listens any more once the board is left", async () => {
    await open();
    await getService("action").doAction({ type: "ir.actions.client", tag: "crm_telephony.live_board" }, { clearBreadcrumbs: true });
    expect.verifySteps(["get_board"]);
    await advanceTime(31_000);
    expect.verifySteps(["get_board"]);
});

test("nobody calls", async () => {
    board = { calls: [], more: 0, people: [], callbacks: { open: 0, late: 0, rows: [] }, today: { inbound: 0, lost: 0 }, teams: [], alarms: [] };
    await open();
    expect(".o_telephony_live_nothing").toHaveCount(3);
    expect("[data-figure=lost] .o_telephony_live_value").toHaveText("–");
});
