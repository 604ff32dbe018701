import { beforeEach, describe, expect, test } from "@odoo/hoot";
import { click, press, queryAllAttributes, queryAllTexts, queryFirst } from "@odoo/hoot-dom";
import { animationFrame, Deferred, mockDate } from "@odoo/hoot-mock";
import {
    contains, defineModels, getService, makeMockEnv, makeServerError, models, mountWithCleanup, onRpc, patchWithCleanup, preloadBundle,
} from "@web/../tests/web_test_helpers";
import { defineMailModels } from "@mail/../tests/mail_test_helpers";
import { router } from "@web/core/browser/router";
import { WebClient } from "@web/webclient/webclient";
import { countChange, meanChange, newcombe, shareChange } from "@crm_telephony/figures/change";
import { countCell, FigureTable, plainCell, sorted } from "@crm_telephony/figures/figure_table";
import { formatShare } from "@crm_telephony/figures/figure_words";
import { formatSilence } from "@crm_telephony/figures/claims_tab";
import { darkness, HeatMap } from "@crm_telephony/figures/heat_map";
import { peopleNeeded, quartersOf } from "@crm_telephony/figures/lines_tab";
import { compareSides } from "@crm_telephony/figures/milestones_tab";
import { makeOwnTiles } from "@crm_telephony/figures/my_figures";
import { tellChange } from "@crm_telephony/figures/tiles";

class TelephonyReport extends models.Model {
    _name = "telephony.report";
}

describe.current.tags("desktop");
defineMailModels();
defineModels([TelephonyReport]);
preloadBundle("web.chartjs_lib");

/** Numbers of calls by name; what is not named is none. */
const COUNTS = {
    offered: 200, answered: 150, lost: 50, voicemail: 0, busy: 0, failed: 0, blocked: 2, menu: 0, offered_in_hours: 14, lost_in_hours: 5,
    in_time: 120, offered_not_short: 190, answered_and_abandoned: 180, answered_and_abandoned_not_short: 170, talked: 100, short: 5,
    calls_of_callers: 190, hidden: 3, end_unknown: 4, excluded: 1, by_hand: 11, attempts: 0, cause_nobody_free: 30, cause_closed: 22,
};
const SHARES = {
    lost_call_rate: ["lost", "offered"],
    lost_call_rate_in_hours: ["lost_in_hours", "offered_in_hours"],
    service_level: ["in_time", "offered_not_short"],
    service_level_offered: ["in_time", "offered"],
    service_level_answered: ["in_time", "answered"],
    service_level_answered_and_abandoned: ["in_time", "answered_and_abandoned"],
    service_level_answered_and_abandoned_not_short: ["in_time", "answered_and_abandoned_not_short"],
    short_talk_share: ["short", "talked"],
};

function makeFigures(first, last, more = {}) {
    const values = { ...COUNTS, ...more };
    const counts = {};
    for (const [name, value] of Object.entries(values)) {
        counts[name] = { value, label: name, help: `What ${name} counts.`, domain: [["name", "=", name]] };
    }
    const shares = {};
    for (const [name, [part, whole]] of Object.entries(SHARES)) {
        shares[name] = { n: values[part], d: values[whole], part, whole };
    }
    return {
        period: { first, last, days: 30, zones: ["Asia/Almaty"] },
        counts,
        shares,
        times: { answer_mean: 18, answer_median: 12, answer_p90: 41, answer_deviation: 10 },
        callers: { callers: 40, debts_lost: { value: 6, label: "Lost Callers", domain: [["name", "=", "debts"]] } },
        owed: { value: 7, late: 3, money: 0, currency_id: 1, domain: [["name", "=", "owed"]], late_domain: [["name", "=", "late"]] },
        causes: [
            { cause: "nobody_free", count: "cause_nobody_free" },
            { cause: "closed", count: "cause_closed" },
        ],
        days: [{ first, last: first, domain: [["day", "=", first]], counts: { ...values } }],
        milestones: [],
        hours: [
            { weekday: 0, hour: 9, offered: 100, lost: 20 },
            { weekday: 1, hour: 11, offered: 7, lost: 3 },
        ],
        settings: { service_percent: 80, service_seconds: 20, target_lost_callers: 10, target_wait_seconds: 20, target_short_talks: 10 },
    };
}

let board, before;

beforeEach(() => {
    mockDate("2026-11-26 12:00:00", 0);
    board = makeFigures("2026-10-28", "2026-11-26");
    before = makeFigures("2026-09-23", "2026-10-22");
    onRpc("telephony.report", "get_choices", () => ({
        number_ids: [{ id: 1, name: "+7727" }], source_ids: [{ id: 5, name: "Google" }], campaign_ids: [], team_ids: [], account_ids: [{ id: 2, name: "PBX" }],
    }));
    onRpc("telephony.report", "get_board", ({ args: [period, filters] }) => {
        expect.step(`board ${JSON.stringify(period)} ${JSON.stringify(filters)}`);
        return board;
    });
    onRpc("telephony.report", "get_before", () => before);
});

async function open() {
    await mountWithCleanup(WebClient);
    await getService("action").doAction({ type: "ir.actions.client", tag: "crm_telephony.report" });
    await animationFrame();
    await animationFrame();
}

/** Says what is opened from now on instead of opening it. */
function listen() {
    patchWithCleanup(getService("action"), {
        doAction: ({ name, res_model, domain, context, views }, options) =>
            expect.step([name, res_model, JSON.stringify(domain), views[0][1], context.group_by?.[0], options?.props?.orderBy?.[0].name].filter(Boolean).join(" | ")),
    });
}

const value = (id) => `[data-figure=${id}] .o_telephony_figure_value`;

test("a share: of few a fraction, of none a dash, half-up on the screen only", async () => {
    await makeMockEnv();
    expect(formatShare({ n: 61, d: 492 })).toBe("12.4%");
    expect(formatShare({ n: 1, d: 80 })).toBe("1.3%");
    expect(formatShare({ n: 5, d: 14 })).toBe("5/14");
    expect(formatShare({ n: 19, d: 19 })).toBe("19/19");
    expect(formatShare({ n: 0, d: 20 })).toBe("0%");
    expect(formatShare({ n: 0, d: 0 })).toBe("–");
});

test("the interval of a difference is Newcombe's", () => {
    // the example of his paper of 1998, method 10
    const [low, high] = newcombe({ n: 56, d: 70 }, { n: 48, d: 80 });
    expect(low).toBeCloseTo(0.0524, { digits: 4 });
    expect(high).toBeCloseTo(0.3339, { digits: 4 });
});

test("which changes are clear", () => {
    expect(shareChange({ n: 56, d: 70 }, { n: 48, d: 80 }).isClear).toBe(true);
    expect(shareChange({ n: 5, d: 14 }, { n: 6, d: 14 }).isClear).toBe(false);
    expect(shareChange({ n: 0, d: 0 }, { n: 6, d: 14 })).toBe(null);
    expect(countChange(120, 100).isClear).toBe(false);
    expect(countChange(140, 100)).toEqual({ by: 0.4, isClear: true });
    expect(countChange(5, 0)).toBe(null);
    const mean = (mean, deviation, count) => ({ mean, deviation, count });
    expect(meanChange(mean(18, 10, 100), mean(27, 10, 100))).toEqual({ by: -9, isClear: true });
    expect(meanChange(mean(18, 40, 10), mean(27, 40, 10)).isClear).toBe(false);
    expect(meanChange(mean(18, null, 1), mean(27, null, 1)).isClear).toBe(false);
    expect(meanChange(mean(null, null, 0), mean(27, 1, 9))).toBe(null);
});

test("a change in words", async () => {
    await makeMockEnv();
    expect(tellChange({ by: -0.031, isClear: true }, "points", "less")).toEqual({ text: "▼ 3.1 points", words: "3.1 points less than before", isClear: true, isGood: true });
    expect(tellChange({ by: 27, isClear: true }, "seconds", "less").text).toBe("▲ 0:27");
    expect(tellChange({ by: 27, isClear: true }, "seconds", "less").isGood).toBe(false);
    expect(tellChange({ by: 0.4, isClear: true }, "percent").text).toBe("▲ 40%");
    expect(tellChange({ by: -0.031, isClear: false }, "points", "less").text).toBe("not clear");
    expect(tellChange(null, "points", "less")).toBe(null);
});

test("the figures of a period, and what each opens", async () => {
    await open();
    expect.verifySteps([`board "days_30" {}`]);
    expect(queryAllTexts(".o_telephony_figure_value")).toEqual(["15%", "25%", "0:18", "63.2%", "5%", "7"]);
    expect("[data-figure=lost_calls] .o_telephony_figure_open").toHaveAttribute("aria-label", /^Lost Calls: 25%\. 50 of 200\. A change/);
    expect(queryAllTexts("[data-figure=lost_calls] .o_telephony_figure_note")).toEqual(["offered: 200", "In working hours: 5/14", "+ 2 could not get in"]);
    expect(".o_telephony_figures_when").toHaveText(/Oct 28.*Nov 26, 2026, Asia\/Almaty Compared with Sep 23/);
    listen();
    for (const button of [
        "[data-figure=lost_callers] .o_telephony_figure_open", "[data-figure=lost_callers] .o_telephony_figure_note:first", "[data-figure=answer] .o_telephony_figure_open",
        "[data-figure=owed] .o_telephony_figure_note", ".o_telephony_causes_names button:first", ".o_telephony_figures_uncounted button:first",
    ]) {
        await click(button);
        await animationFrame();
    }
    const span = queryFirst(".o_telephony_figures_when strong").textContent.split(", Asia")[0];
    expect.verifySteps([
        `Lost Callers | telephony.callback | [["name","=","debts"]] | list`,
        `calls_of_callers, ${span} | telephony.call | [["name","=","calls_of_callers"]] | list | customer_number`,
        `answered, ${span} | telephony.call | [["name","=","answered"]] | list | wait_seconds`,
        `Callbacks | telephony.callback | [["name","=","late"]] | kanban`,
        `cause_nobody_free, ${span} | telephony.call | [["name","=","cause_nobody_free"]] | list`,
        `end_unknown, ${span} | telephony.call | [["name","=","end_unknown"]] | list`,
    ]);
});

test("a grey change says that it may be chance; red needs a missed target and a clear change", async () => {
    await open();
    expect("[data-figure=lost_calls] .o_telephony_figure_change").toHaveText("not clear");
    expect("[data-figure=lost_calls] .o_telephony_figure_change").toHaveClass("o_telephony_unclear");
    expect("[data-figure=lost_callers] .o_telephony_figure_foot").toHaveText(/Target: at most 10% · missed/);
    expect(".o_telephony_danger, .o_telephony_success").toHaveCount(0);
    before.shares.service_level.n = 170;
    before.shares.short_talk_share.n = 30;
    await contains("select[name=hours]").select("1");
    await animationFrame();
    expect("[data-figure=service_level]").toHaveClass("o_telephony_danger");
    expect("[data-figure=service_level] .o_telephony_figure_change").toHaveText("▼ 26.3 points");
    expect("[data-figure=short_talks]").toHaveClass("o_telephony_success");
    expect.verifySteps([`board "days_30" {}`, `board "days_30" {"in_hours":true}`]);
});

test("another service level is shown without asking the server", async () => {
    await open();
    expect(value("service_level")).toHaveText("63.2%");
    await contains(".o_telephony_figure_level").select("service_level_answered");
    await animationFrame();
    expect(value("service_level")).toHaveText("80%");
    expect("[data-figure=service_level] .o_telephony_figure_note").toHaveText("answered: 150");
    expect.verifySteps([`board "days_30" {}`]);
});

test("period and filters stand in the address, and are read from it", async () => {
    await mountWithCleanup(WebClient);
    router.replaceState({ period: "last_week", source: 5 }, { sync: true });
    await getService("action").doAction({ type: "ir.actions.client", tag: "crm_telephony.report" });
    await animationFrame();
    await animationFrame();
    expect.verifySteps([`board "last_week" {"source_ids":[5]}`]);
    expect("select[name=source]").toHaveValue("5");
    await contains("select[name=period]").select("dates");
    await animationFrame();
    // the browser's own calendar writes a date at once, which typing here does not
    queryFirst("input[name=first]").value = "2026-11-01";
    queryFirst("input[name=last]").value = "2026-11-10";
    await click(".o_telephony_figures_scope .btn-primary");
    await animationFrame();
    expect.verifySteps([`board {"first":"2026-11-01","last":"2026-11-10"} {"source_ids":[5]}`]);
    await animationFrame();
    expect(router.current.period).toBe("dates");
    expect(router.current.first).toBe("2026-11-01");
});

test("the page shows where figures will stand; only the last question counts", async () => {
    const slow = new Deferred();
    onRpc("telephony.report", "get_board", async ({ args: [period] }) => {
        if (period === "days_30") {
            await slow;
            return makeFigures("2026-10-28", "2026-11-26", { lost: 199 });
        }
        return board;
    });
    await open();
    expect(".o_telephony_figures_waiting").toHaveCount(1);
    expect(".o_telephony_figures [role=status]").toHaveText("The figures are being counted.");
    await contains("select[name=period]").select("today");
    await animationFrame();
    await animationFrame();
    slow.resolve();
    await animationFrame();
    expect(value("lost_calls")).toHaveText("25%");
    expect(".o_telephony_figures_waiting").toHaveCount(0);
});

test("an error offers another try, and says that the figures are old", async () => {
    await open();
    onRpc("telephony.report", "get_board", () => {
        throw makeServerError({ type: "UserError", message: "Choose two dates." });
    });
    await contains("select[name=hours]").select("1");
    await animationFrame();
    expect(".o_telephony_figures_error").toHaveText(/Choose two dates\. What you see is old: the figures of Oct 28/);
    expect(".o_telephony_figures_body").toHaveClass("o_telephony_old");
    onRpc("telephony.report", "get_board", () => board);
    await click(".o_telephony_figures_error .btn");
    await animationFrame();
    await animationFrame();
    expect(".o_telephony_figures_error").toHaveCount(0);
    expect(".o_telephony_figures_body").not.toHaveClass("o_telephony_old");
    expect.verifySteps([`board "days_30" {}`]);
});

test("no calls in this time", async () => {
    board = makeFigures("2026-11-26", "2026-11-26", Object.fromEntries(Object.keys(COUNTS).map((name) => [name, 0])));
    Object.assign(board, { hours: [], causes: [] });
    board.owed.value = 0;
    await open();
    expect(".o_telephony_figures_empty").toHaveText(/No calls in this time/);
    expect(".o_telephony_figure").toHaveCount(0);
    expect.verifySteps([`board "days_30" {}`]);
});

test("the days as a table: each number opens its calls", async () => {
    await open();
    await click(".o_telephony_days_toggle");
    await animationFrame();
    expect(queryAllTexts(".o_telephony_days_table tbody td")).toEqual(["25%", "200", "150", "50"]);
    listen();
    await click(".o_telephony_days_table tbody button:last");
    expect.verifySteps([`board "days_30" {}`, `lost, Oct 28, 2026 | telephony.call | [["day","=","2026-10-28"],["name","=","lost"]] | list`]);
});

test("what has changed in the company stands at its day", async () => {
    board.milestones = [{ id: 3, day: "2026-10-28", name: "Two more lines" }];
    await open();
    expect(".o_telephony_days_milestones li").toHaveText("┆ Oct 28: Two more lines");
    await click(".o_telephony_days_toggle");
    await animationFrame();
    expect(".o_telephony_days_milestones li").toHaveCount(1);
    expect.verifySteps([`board "days_30" {}`]);
});

test("a bar of the chart opens its calls", async () => {
    await open();
    listen();
    const canvas = queryFirst(".o_telephony_days_chart canvas");
    const chart = Chart.getChart(canvas);
    const bar = chart.getDatasetMeta(chart.data.datasets.findIndex(({ name }) => name === "answered")).data[0];
    const { x, y, base } = bar.getProps(["x", "y", "base"]);
    await click(canvas, { position: { x, y: (y + base) / 2 }, relative: true });
    await animationFrame();
    expect.verifySteps([`board "days_30" {}`, `answered, Oct 28, 2026 | telephony.call | [["day","=","2026-10-28"],["name","=","answered"]] | list`]);
});

test("the heat map: words, dots, and arrow keys", async () => {
    await mountWithCleanup(HeatMap, {
        props: {
            title: "Lost calls", hours: board.hours, part: "lost", whole: "offered", steps: [0.05, 0.15, 0.3],
            tell: ({ day, hour, n, d }) => `${day} ${hour}: ${n} of ${d}`, open: ({ weekday, hour }) => expect.step(`${weekday} ${hour}`),
        },
    });
    expect(queryAllTexts("thead th")).toEqual(["9", "10", "11"]);
    const row = (name) => `tbody tr:contains(${name})`;
    expect(queryAllTexts(`${row("Mon")} button`)).toEqual(["20%\n▓", "–", "–"]);
    expect(queryAllTexts(`${row("Tue")} button`)).toEqual(["–", "–", "3/7\n█"]);
    expect(`${row("Tue")} button:last`).toHaveAttribute("aria-label", "Tuesday 11:00: 3 of 7");
    expect(".o_telephony_heat_key").toHaveText(/^░ under 5% · ▒ 5% to 15% · ▓ 15% to 30% · █ over 30%/);
    expect(queryAllAttributes("button[tabindex='0']", "data-cell")).toEqual(["0-0"]);
    queryFirst("[data-cell='0-0']").focus();
    for (const key of ["ArrowUp", "End", "ArrowDown", "ArrowRight"]) {
        await press(key);
        await animationFrame();
    }
    expect("[data-cell='1-2']").toBeFocused();
    expect(queryAllAttributes("button[tabindex='0']", "data-cell")).toEqual(["1-2"]);
    queryFirst(`${row("Tue")} button:last`).focus();
    await press("Enter");
    await animationFrame();
    await press("ArrowLeft");
    await press("Enter");
    expect.verifySteps(["1 11"]);
});

test("an hour of the heat map opens what the server says belongs to it", async () => {
    onRpc("telephony.report", "get_cell_domain", ({ args }) => {
        expect.step(JSON.stringify(args));
        return [["hour", "=", 9]];
    });
    await open();
    listen();
    await click("[aria-label='Monday 9:00: 20 of 100 calls lost']");
    await animationFrame();
    expect.verifySteps([`board "days_30" {}`, `["days_30",{},0,9,"lost"]`, `lost, ${queryFirst(".o_telephony_figures_when strong").textContent.split(", Asia")[0]} | telephony.call | [["hour","=",9]] | list`]);
});

test("how dark an hour is", () => {
    const levels = [[0, 0], [0, 100], [4, 100], [5, 100], [14, 100], [15, 100], [30, 100], [31, 100]];
    expect(levels.map(([n, d]) => darkness({ n, d }, [0.05, 0.15, 0.3]))).toEqual([0, 1, 1, 2, 2, 3, 3, 4]);
});

const PERSON = {
    active: true, ring_seconds: 9, talk_inbound: 3600, talk_outbound: 61, acw_seconds: 90,
    ...Object.fromEntries(
        Object.entries({ rang: 40, picked_up: 30, lost_beside_free: 2, contacts: 28, short: 2, attempts: 9, attempts_answered: 4, acw_count: 3 })
            .map(([name, value]) => [name, { value, domain: [["name", "=", name]] }])
    ),
};

test("a tab asks once, when it is opened, and stands in the address", async () => {
    onRpc("telephony.report", "get_tab", ({ args }) => {
        expect.step(JSON.stringify(args));
        return {
            period: board.period,
            people: [
                { ...PERSON, user_id: 1, name: "Aigerim" },
                { ...PERSON, user_id: 2, name: "Bolat", active: false, ring_seconds: null, rang: { value: 5, domain: [] }, picked_up: { value: 4, domain: [] }, acw_count: { value: 0, domain: [] } },
            ],
        };
    });
    await open();
    expect.verifySteps([`board "days_30" {}`]);
    await click("[data-tab=people]");
    await animationFrame();
    await animationFrame();
    expect.verifySteps([`["people","days_30",{},"source"]`]);
    expect(queryAllTexts("tbody tr:first td")).toEqual(["40", "30", "75%", "2", "0:09", "1:01:01", "28", "2", "9", "4", "0:30 of 3"]);
    expect(queryAllTexts("tbody tr:last td").slice(0, 5)).toEqual(["5", "4", "4/5", "2", "–"]);
    expect("tbody tr:last").toHaveClass("o_telephony_muted");
    listen();
    await click("[data-column=lost_beside_free] button:first");
    expect.verifySteps([`Aigerim: Lost beside a free phone, ${queryFirst(".o_telephony_figures_when strong").textContent.split(", Asia")[0]} | telephony.call | [["name","=","lost_beside_free"]] | list`]);
    await animationFrame();
    expect(router.current.tab).toBe("people");
    await click("[data-tab=overview]");
    await animationFrame();
    await animationFrame();
    expect(value("lost_calls")).toHaveText("25%");
    expect.verifySteps([`board "days_30" {}`]);
});

test("a click on a head sorts, another turns the order; what is not known comes last either way", async () => {
    const rows = [["a", 2], ["b", null], ["c", 10]].map(([key, number]) => ({ key, name: key, cells: { number: plainCell(number) } }));
    await mountWithCleanup(FigureTable, {
        props: { head: "Name", columns: [{ name: "number", label: "Number" }], rows, empty: "Nobody.", open: () => {} },
    });
    const names = () => queryAllTexts("tbody th").join("");
    expect(names()).toBe("abc");
    for (const [head, order] of [["Number", "cab"], ["Number", "acb"], ["Name", "abc"]]) {
        await click(`thead button:contains(${head})`);
        await animationFrame();
        expect(names()).toBe(order);
    }
    expect(sorted(rows, { name: "number" }).map(({ key }) => key).join("")).toBe("cab");
});

test("a number that counted nothing opens nothing", async () => {
    await makeMockEnv();
    expect(countCell("Calls", { value: 0, domain: [] })).toEqual({ text: "0", value: 0 });
    expect(countCell("Calls", { value: 3, domain: [] }).list).toEqual({ name: "Calls", domain: [], count: 3 });
    expect(countCell("Calls", { value: 3 })).toEqual({ text: "3", value: 3 });
    expect(plainCell(null)).toEqual({ text: "–", value: null });
});

test("the quarters of an hour without calls are shown too", () => {
    expect(quartersOf({ "09:45": 2, "10:15": 1 })).toEqual([["09:45", 2], ["10:00", 0], ["10:15", 1]]);
    expect(quartersOf({})).toEqual([]);
});

test("a long silence is told in days", async () => {
    await makeMockEnv();
    expect(formatSilence(2 * 24 * 60)).toBe("48 h 00 min");
    expect(formatSilence(167.6 * 60)).toBe("7 days");
});

test("how many people an hour needs", () => {
    expect(peopleNeeded({ people_least: 5, people_most: 6 })).toBe("5–6");
    expect(peopleNeeded({ people_least: 5, people_most: 5 })).toBe("5");
    expect(peopleNeeded({ people_least: null, people_most: null })).toBe("–");
});

test("one's own figures: the team's median only where it is told", async () => {
    await makeMockEnv();
    const none = { value: 0, domain: [] };
    const told = {
        best_hours: { least: 20, weeks: 12, best: [] }, mine: PERSON, unproved: { value: 1, domain: [["evidence", "=", "none"]] }, team: null,
        callbacks: { open: { value: 2, domain: [] }, late: none, opened: { value: 11, domain: [] }, made_good: { value: 9, domain: [] }, served_median: 14 },
    };
    const tileOf = (id, facts) => makeOwnTiles(facts).find((tile) => tile.id === id);
    expect(tileOf("picked_up", told).part).toBe("");
    expect(tileOf("picked_up", { ...told, team: { picked_up: 12.5 } }).part).toBe("team median 12.5");
    expect(tileOf("callbacks", told).part).toBe("made good 9 of 11");
    expect(tileOf("callbacks", told).notes.map(({ text }) => text)).toEqual(["Late: 0", "median 14 min until made good"]);
    expect(tileOf("contacts", told).notes[0].text).toBe("Talk: 1:01:01");
    expect(tileOf("unproved", told).open.context.active_test).toBe(false);
    expect(tileOf("best_hours", told)).toMatchObject({ value: "–", part: "An hour of the week needs 20 calls out.", open: undefined });
    const hour = (weekday, hour, reached) => ({ weekday, hour, reached, dialled: 30, domain: [["hour", "=", hour]] });
    const best = tileOf("best_hours", { ...told, best_hours: { least: 20, weeks: 12, best: [hour(1, 11, 12), hour(3, 16, 9)] } });
    expect(best).toMatchObject({ value: "Tue 11–12", part: "reached in 12 of 30 calls" });
    expect(best.open).toMatchObject({ domain: [["hour", "=", 11]], count: 12 });
    expect(best.notes.map(({ text }) => text)).toEqual(["Thu 16–17: 9 of 30"]);
});

/** What the server tells of both sides of a milestone. */
function makeSides(before = {}, after = {}) {
    const side = (first, last, more) => {
        const figures = makeFigures(first, last, { first_calls: 80, ...more });
        const debts = (value) => ({ value, label: "Callbacks", domain: [["name", "=", "debts"]] });
        Object.assign(figures.callers, { debts_opened: debts(50), debts_tried_soon: debts(25), debts_served: debts(30) });
        return { ...figures, people: 5, lines: 4, won: { n: 8, d: 80 } };
    };
    return {
        milestone: 3, milestones: [{ id: 3, name: "Two more lines", day: "2026-10-01" }, { id: 4, name: "A training", day: "2026-09-01" }],
        weeks: 4, period: { first: "2026-09-03", last: "2026-11-04", days: 63, zones: ["Asia/Almaty"] }, begins: "2026-10-08",
        before: side("2026-09-03", "2026-09-30", before), after: side("2026-10-08", "2026-11-04", after), open_days: 0, won_days: 30, won_open_days: 0,
    };
}

test("before and after: the same figures, and whether a change says anything", async () => {
    await makeMockEnv();
    const rows = (told) => Object.fromEntries(compareSides(told).flatMap(({ rows }) => rows.map((row) => [row.label, row])));
    const cells = ({ before, after, change }) => [before.text, after.text, change?.text ?? null];
    const { lost, lost_in_hours: inHours, offered, ...found } = rows(makeSides({ lost: 90 }, { lost: 50, offered: 260 }));
    expect(cells(lost)).toEqual(["45%", "19.2%", "▼ 25.8 points"]);
    expect(lost.before.part).toBe("90 of 200");
    expect(lost.change.isGood).toBe(true);
    expect(lost.before.list).toEqual({ name: "lost", domain: [["name", "=", "lost"]], count: 90, span: { first: "2026-09-03", last: "2026-09-30", days: 30, zones: ["Asia/Almaty"] } });
    expect(cells(inHours)).toEqual(["5/14", "5/14", "too few"]);
    expect(cells(offered)).toEqual(["200", "260", "▲ 30%"]);
    expect(offered.change.isGood).toBe(undefined);
    expect(cells(found["Time to Answer"])).toEqual(["0:18", "0:18", "not clear"]);
    expect(cells(found["Made Good"])).toEqual(["60%", "60%", "not clear"]);
    expect(found["Made Good"].after.list.model).toBe("telephony.callback");
    expect(cells(found["Won deals"])).toEqual(["10%", "10%", "not clear"]);
    expect(found["Won deals"].after.list).toBe(null);
    expect(cells(found["Most Calls at Once"])).toEqual(["4", "4", null]);
    expect(rows({ ...makeSides(), won_open_days: 12 })["Won deals"].change.text).toBe("not over: 12 days");
});

test("a milestone of the chart leads to its before and after; another and other weeks are asked for", async () => {
    board.milestones = [{ id: 3, day: "2026-10-28", name: "Two more lines" }];
    let told = makeSides();
    onRpc("telephony.report", "get_around", ({ args }) => {
        expect.step(JSON.stringify(args));
        return told;
    });
    await open();
    expect.verifySteps([`board "days_30" {}`]);
    await click(".o_telephony_days_milestones button");
    await animationFrame();
    await animationFrame();
    expect.verifySteps([`[3,4,{}]`]);
    expect("select[name=period]").toHaveCount(0);
    expect("select[name=hours]").toHaveCount(1);
    expect(".o_telephony_sides .o_telephony_figures_when").toHaveText(/^Sep 3 – 30, 2026 → Oct 8 – Nov 4, 2026 The week/);
    expect(queryAllTexts(".o_telephony_sides tbody:first tr:nth-child(2) td")).toEqual(["25% 50 of 200", "25% 50 of 200", "not clear"]);
    listen();
    await click("[data-side=after] button:first");
    await animationFrame();
    expect.verifySteps([`Lost Callers, Oct 8 – Nov 4, 2026 | telephony.callback | [["name","=","debts"]] | list`]);
    told = { ...makeSides(), weeks: 8, open_days: 9 };
    await contains("select[name=weeks]").select("8");
    await animationFrame();
    expect.verifySteps([`[3,8,{}]`]);
    expect(".o_telephony_sides").toHaveText(/The time after is not over, days still to come: 9/);
    told = { ...makeSides(), milestone: 4, before: null, after: null };
    await contains("select[name=milestone]").select("4");
    await animationFrame();
    expect.verifySteps([`[4,8,{}]`]);
    expect(".o_telephony_sides").toHaveText(/There will be something to compare after this day: Oct 8, 2026/);
    expect(".o_telephony_sides table").toHaveCount(0);
    await animationFrame();
    expect(router.current.milestone).toBe(4);
    told = { ...told, milestone: false, milestones: [], period: null };
    await contains("select[name=hours]").select("1");
    await animationFrame();
    expect.verifySteps([`[4,8,{"in_hours":true}]`]);
    expect(".o_telephony_sides").toHaveText(/Nothing to compare yet/);
});
