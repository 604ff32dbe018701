import { beforeEach, describe, expect, test } from "@odoo/hoot";
import { queryAllAttributes, queryAllTexts, resize } from "@odoo/hoot-dom";
import { advanceTime, animationFrame, mockDate } from "@odoo/hoot-mock";
import { defineModels, fields, models, mountView } from "@web/../tests/web_test_helpers";
import { defineMailModels } from "@mail/../tests/mail_test_helpers";
import { formatClock } from "@crm_telephony/clock/clock_field";

const OUTCOMES = [
    ["answered", "Answered"],
    ["no_answer", "No answer"],
    ["missed", "Missed"],
];

class TelephonyCall extends models.Model {
    _name = "telephony.call";

    direction = fields.Selection({ selection: [["inbound", "Inbound"], ["outbound", "Outbound"], ["internal", "Internal"]] });
    state = fields.Selection({ selection: [["ringing", "Ringing"], ["in_progress", "In progress"], ["ended", "Ended"]] });
    outcome = fields.Selection({ selection: OUTCOMES });
    is_short = fields.Boolean();
    is_reached = fields.Boolean();
    is_manual = fields.Boolean();
    is_called_back = fields.Boolean();
    start_at = fields.Datetime();
    answered_at = fields.Datetime();
    ended_at = fields.Datetime();
    talk_seconds = fields.Integer({ aggregator: "sum" });
    leg_ids = fields.One2many({ relation: "telephony.call.leg", relation_field: "call_id" });
    recording_ids = fields.One2many({ relation: "telephony.recording", relation_field: "call_id" });
    customer_number = fields.Char();
    partner_id = fields.Many2one({ relation: "res.partner" });
    match_state = fields.Selection({ selection: [["none", "Nobody"], ["ambiguous", "To be chosen"]] });
    is_excluded = fields.Boolean();
    settled_at = fields.Datetime();
    candidates = fields.Json();
}

class TelephonyCallLeg extends models.Model {
    _name = "telephony.call.leg";

    call_id = fields.Many2one({ relation: "telephony.call" });
    extension = fields.Char();
    user_id = fields.Many2one({ relation: "res.users" });
    start_at = fields.Datetime();
    answered_at = fields.Datetime();
    ended_at = fields.Datetime();
    talk_seconds = fields.Integer();
    outcome = fields.Selection({ selection: OUTCOMES });
}

class TelephonyRecording extends models.Model {
    _name = "telephony.recording";

    call_id = fields.Many2one({ relation: "telephony.call" });
    state = fields.Selection({ selection: [["pending", "Pending"], ["ready", "Ready"], ["failed", "Failed"]] });
    player_url = fields.Char();
}

class TelephonyCallback extends models.Model {
    _name = "telephony.callback";

    due_at = fields.Datetime();
    state = fields.Selection({ selection: [["open", "To call"], ["done", "Done"]] });
}

describe.current.tags("desktop");
defineMailModels();
defineModels([TelephonyCall, TelephonyCallLeg, TelephonyRecording, TelephonyCallback]);

beforeEach(() => {
    mockDate("2026-03-10 12:00:00", 0);
    TelephonyCall._records = [
        {
            id: 1, direction: "inbound", state: "ended", outcome: "answered", talk_seconds: 60,
            start_at: "2026-03-10 10:00:00", answered_at: "2026-03-10 10:00:40", ended_at: "2026-03-10 10:01:40",
            leg_ids: [1, 2], recording_ids: [1],
        },
        { id: 2, direction: "outbound", state: "ended", outcome: "answered", is_short: true, talk_seconds: 3700 },
        { id: 3, direction: "inbound", state: "ended", outcome: "missed", is_called_back: true },
        { id: 4, direction: "internal", state: "ringing" },
        { id: 5, direction: "inbound", state: "ended" },
    ];
    TelephonyCallLeg._records = [
        {
            id: 1, call_id: 1, extension: "101", start_at: "2026-03-10 10:00:00", ended_at: "2026-03-10 10:01:40",
            outcome: "no_answer",
        },
        {
            id: 2, call_id: 1, extension: "102", start_at: "2026-03-10 10:00:10", answered_at: "2026-03-10 10:00:40",
            ended_at: "2026-03-10 10:01:40", talk_seconds: 60, outcome: "answered",
        },
    ];
    TelephonyRecording._records = [{ id: 1, call_id: 1, state: "ready", player_url: "/telephony/recording/1" }];
    TelephonyCallback._records = [];
});

const list = (arch) => mountView({ type: "list", resModel: "telephony.call", arch: `<list>${arch}</list>` });
const form = (arch) => mountView({ type: "form", resModel: "telephony.call", resId: 1, arch: `<form>${arch}</form>` });

test("seconds are told as a clock", () => {
    expect([false, undefined, 0, 9, 65, 3700, 59.6].map(formatClock)).toEqual(["", "", "0:00", "0:09", "1:05", "1:01:40", "1:00"]);
});

test("the clock field shows nothing for no talk, and totals as a clock", async () => {
    await list(`<field name="talk_seconds" widget="telephony_clock" sum="Total"/>`);
    expect(queryAllTexts(".o_data_cell")).toEqual(["1:00", "1:01:40", "", "", ""]);
    expect("tfoot .o_list_number").toHaveText("1:02:40");
});

test("a direction is an icon with a name", async () => {
    await list(`<field name="direction" widget="telephony_direction"/>`);
    expect(queryAllAttributes(".o_telephony_direction i", "aria-label")).toEqual(["Inbound", "Outbound", "Inbound", "Internal", "Inbound"]);
    expect(".o_telephony_manual").toHaveCount(0);
});

test("a call that was logged by hand is marked", async () => {
    TelephonyCall._records[1].is_manual = true;
    await list(`<field name="direction" widget="telephony_direction"/>`);
    expect(".o_data_row:eq(1) .o_telephony_manual").toHaveAttribute("aria-label", "Logged by hand");
    expect(".o_telephony_manual").toHaveCount(1);
    expect(".o_data_row:first .oi-arrow-down-left").toHaveCount(1);
});

test("a short talk to a result that counts is no short talk", async () => {
    TelephonyCall._records[1].is_reached = true;
    await list(`<field name="outcome" widget="telephony_outcome"/>`);
    expect(".o_data_row:nth-child(2) .badge").toHaveText("Answered");
    expect(".o_data_row:nth-child(2) .badge").toHaveClass("text-bg-success");
});

test("outcomes: live, short, called back and unknown ends", async () => {
    await list(`<field name="outcome" widget="telephony_outcome"/>`);
    expect(queryAllTexts(".o_telephony_outcome .badge")).toEqual(["Answered", "Short talk", "Missed", "Ringing", "End unknown"]);
    expect(".o_data_row:nth-child(3) .badge").toHaveClass("text-bg-danger");
    expect(".o_telephony_outcome .fa-check").toHaveCount(1);
});

test("the timeline has a bar for ringing and one for talk", async () => {
    await form(`<field name="outcome"/><field name="leg_ids" widget="telephony_timeline"/>`);
    expect(queryAllAttributes(".o_telephony_timeline_track", "aria-label")).toEqual(["101 rang 0:40", "102 rang 0:30, talked 1:00"]);
    expect(".o_telephony_timeline_talk").toHaveCount(1);
    expect(".o_telephony_timeline_talk").toHaveAttribute("style", "left: 40.00%; width: 60.00%");
    expect(queryAllAttributes(".o_telephony_timeline_ring", "style")).toEqual(["left: 0.00%; width: 40.00%", "left: 10.00%; width: 30.00%"]);
    expect(".o_telephony_timeline").toHaveText(/1:40/);
});

for (const known of ["2026-03-10 10:00:00", false]) {
    test(`a call without times (start: ${known}) has no bars, but says who talked how long`, async () => {
        Object.assign(TelephonyCall._records[0], { start_at: known, answered_at: false, ended_at: false });
        for (const leg of TelephonyCallLeg._records) {
            Object.assign(leg, { start_at: false, answered_at: false, ended_at: false });
        }
        await form(`<field name="outcome"/><field name="leg_ids" widget="telephony_timeline"/>`);
        expect(".o_telephony_timeline_track").toHaveCount(0);
        expect(".o_telephony_timeline").toHaveText(/^101\s+No answer\s+102\s+Answered\s?1:00$/);
    });
}

test("a phone that still rings has a bar up to now", async () => {
    Object.assign(TelephonyCall._records[0], {
        state: "ringing", outcome: false, start_at: "2026-03-10 11:59:00", answered_at: false, ended_at: false, leg_ids: [1],
    });
    TelephonyCallLeg._records = [{ id: 1, call_id: 1, extension: "101", start_at: "2026-03-10 11:59:30" }];
    await form(`<field name="outcome"/><field name="leg_ids" widget="telephony_timeline"/>`);
    expect(".o_telephony_timeline_track").toHaveAttribute("aria-label", "101 rang 0:30");
    expect(".o_telephony_timeline_row:last").toHaveText(/Ringing/);
});

test("columns of icons have a name for who does not see them", async () => {
    await list(`
        <field name="direction" widget="telephony_direction" nolabel="1"/>
        <field name="recording_ids" string="Recording" widget="telephony_recording_button" nolabel="1"/>
        <field name="outcome" nolabel="1"/>`);
    expect(queryAllTexts("th[data-name] .visually-hidden")).toEqual(["Direction", "Recording"]);
});

test("to settle: in a narrow window other columns give way to the question", async () => {
    const columns = () => queryAllAttributes("th[data-name]", "data-name");
    await resize({ width: 1440 });
    await mountView({
        type: "list", resModel: "telephony.call",
        arch: `<list js_class="telephony_settle_list"><field name="start_at"/><field name="outcome"/><field name="talk_seconds"/></list>`,
    });
    expect(columns()).toEqual(["start_at", "outcome", "talk_seconds"]);
    await resize({ width: 1200 });
    await animationFrame();
    await animationFrame();
    expect(columns()).toEqual(["start_at", "talk_seconds"]);
    await resize({ width: 1024 });
    await animationFrame();
    await animationFrame();
    expect(columns()).toEqual(["start_at"]);
});

test("due times are told from now", async () => {
    TelephonyCallback._records = [
        { id: 1, state: "open", due_at: "2026-03-10 12:10:30" },
        { id: 2, state: "open", due_at: "2026-03-10 11:30:00" },
        { id: 3, state: "open", due_at: "2026-03-11 09:15:00" },
        { id: 4, state: "open", due_at: "2026-03-07 09:15:00" },
        { id: 5, state: "done", due_at: "2026-03-10 11:30:00" },
    ];
    await mountView({
        type: "list", resModel: "telephony.callback", arch: `<list><field name="due_at" widget="telephony_due"/></list>`,
    });
    expect(queryAllTexts(".o_telephony_due").slice(0, 4)).toEqual(["In 10 minutes", "Today 11:30", "Tomorrow 09:15", "3 days ago"]);
    expect(".o_data_row:nth-child(1) .o_telephony_due").toHaveClass("text-warning");
    expect(".o_data_row:nth-child(2) .o_telephony_due").toHaveClass("text-danger");
    expect(".o_data_row:nth-child(5) .o_telephony_due").not.toHaveClass("text-danger");
    await advanceTime(12 * 60_000);
    await animationFrame();
    expect(".o_data_row:nth-child(1) .o_telephony_due").toHaveText("Today 12:10");
});

test("deals of colleagues are told in words, and what one may not say is not offered", async () => {
    const none = { deals: [], contacts: [], hidden: 0, hidden_deals: "", further_contacts: 0, can_ignore: true };
    const deal = { id: 9, name: "Flour", score: 50, reasons: [] };
    TelephonyCall._records = [
        { id: 1, customer_number: "+77771234567", match_state: "none", candidates: none },
        {
            id: 2, customer_number: "+77771234568", match_state: "ambiguous",
            candidates: { ...none, hidden: 3, hidden_deals: "3 deals: Boris, Saule", can_ignore: false },
        },
        {
            id: 3, customer_number: "+77771234569", match_state: "ambiguous",
            candidates: { ...none, deals: [deal], hidden: 1, hidden_deals: "One deal: Boris", can_ignore: false },
        },
    ];
    await mountView({
        type: "list", resModel: "telephony.call",
        arch: `<list><field name="candidates" widget="telephony_candidates"/></list>`,
    });
    expect(queryAllTexts(".o_telephony_hidden_deals")).toEqual(["3 deals: Boris, Saule"]);
    expect(queryAllTexts(".o_telephony_offers")).toEqual(["Flour\n50\n+1"]);
    expect(".o_data_row:first .o_telephony_ignore").toHaveCount(1);
    expect(".o_telephony_ignore").toHaveCount(1);
});
