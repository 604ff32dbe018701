import { beforeEach, describe, expect, test } from "@odoo/hoot";
import { press, queryAllTexts, queryOne } from "@odoo/hoot-dom";
import { advanceTime, animationFrame, Deferred, mockDate, tick } from "@odoo/hoot-mock";
import {
    contains, getService, makeMockEnv, MockServer, mountWithCleanup, onRpc, patchWithCleanup, serverState,
} from "@web/../tests/web_test_helpers";
import { defineMailModels } from "@mail/../tests/mail_test_helpers";
import { browser } from "@web/core/browser/browser";
import { session } from "@web/session";
import { CallCards } from "@crm_telephony/call_card/call_cards";
import { TelephonySystray } from "@crm_telephony/systray/telephony_systray";
import { CHECK_EVERY, STAYS, STAYS_SHARED } from "@crm_telephony/call_store/call_store";

describe.current.tags("desktop");
defineMailModels();

const CARD = {
    id: 7,
    name: "Aigerim", company: "", line: "Billboard", queue: "",
    partner: { id: 3, name: "Aigerim", company: "Bakery", function: "Buyer", is_company: false, image: "/web/image/3" },
    people: [], is_hidden: false, owners: [],
    leads: [
        { id: 5, name: "Flour", stage: "New", amount: "$ 5", user: "", points: "", why: "has this number", is_linked: false },
        { id: 6, name: "Oven", stage: "Won", amount: "", user: "Boris", points: "", why: "", is_linked: false },
    ],
    match_state: "ambiguous", match_reason: "", match_points: "",
    contacts: [{ icon: "fa-calendar", kind: "meeting", at: "2026-03-09 12:00:00", note: "", text: "Tasting", model: "calendar.event", id: 1, is_bad: false }],
    callback: false, reasons: [{ weight: 1, icon: "fa-truck", text: "Delivery is late", model: "stock.picking", id: 2 }],
    note: "", can_create: true, can_open: true, can_keep: false, controls: { hang_up: false, transfer: [] },
};
const STRANGER = { ...CARD, name: "", partner: false, leads: [], contacts: [], reasons: [] };
const FORM = {
    dispositions: [
        { id: 1, name: "Agreed", color: 1, activity_type_id: false, activity_days: 1 },
        { id: 2, name: "Later", color: 2, activity_type_id: 4, activity_days: 3 },
    ],
    stages: [{ id: 10, name: "New" }, { id: 11, name: "Won" }], stage_id: 10,
    activity_types: [{ id: 4, name: "Call", icon: "fa-phone" }],
    calls_to_do: [
        { id: 20, summary: "Ask", date: "2026-03-09", is_late: true, is_due: true },
        { id: 21, summary: "In a month", date: "2026-04-10", is_late: false, is_due: false },
    ],
    has_talked: true, disposition_id: false, note: "",
};

/** What the server was asked: the names of the methods, with arguments where they matter. */
let asked;
let cards, ringing;

beforeEach(() => {
    mockDate("2026-03-10 12:00:00", 0);
    patchWithCleanup(session, { telephony: { can_call: false, pop: true, sound: false, dnd: false, tab: "stay" } });
    asked = [];
    cards = { 7: CARD };
    ringing = [];
    onRpc("telephony.call", "ringing_now", () => {
        asked.push("ringing_now");
        return ringing;
    });
    onRpc("telephony.call", "get_card", ({ args }) => {
        asked.push("get_card");
        return cards[args[0][0]] || STRANGER;
    });
    onRpc("telephony.call", "get_result_form", () => FORM);
});

/** Until the bus has brought something of this type. */
function untilHeard(type) {
    const arrived = new Deferred();
    getService("bus_service").subscribe(type, () => arrived.resolve());
    return arrived;
}

/** What the server says over the bus, until it is on the screen. */
async function tell(...messages) {
    const arrived = untilHeard("crm_telephony.call");
    MockServer.env["bus.bus"]._sendmany(messages.map((message) => [serverState.partnerId, "crm_telephony.call", {
        id: 7, direction: "inbound", number: "+77771234567", display: "+7 777 123 4567", extension: "101", outcome: "",
        seconds: 0, talk_seconds: 0, ...message,
    }]));
    await arrived;
    for (let frame = 0; frame < 3; frame++) {
        await animationFrame();
    }
}

async function open() {
    await makeMockEnv();
    await mountWithCleanup(CallCards, { noMainContainer: true });
    await animationFrame();
    expect(asked.splice(0)).toEqual(["ringing_now"]);
}

test("the number is there before anything else is known", async () => {
    const answer = new Deferred();
    onRpc("telephony.call", "get_card", () => answer);
    await open();
    await tell({ phase: "ringing" });
    expect(".o_telephony_card_name").toHaveText("+7 777 123 4567");
    expect(".o_telephony_card_body").toHaveCount(0);
    answer.resolve(CARD);
    await animationFrame();
    await animationFrame();
    expect(".o_telephony_card_name").toHaveText("Aigerim");
    expect(".o_telephony_card_reasons").toHaveText(/Delivery is late/);
    expect(queryAllTexts(".o_telephony_card_pick")).toEqual(["This one", "This one"]);
    expect(".o_telephony_cards [role=status]").toHaveText("Incoming call: Aigerim");
});

test("ringing, talking with a clock, ended: one card", async () => {
    await open();
    await tell({ phase: "ringing", seconds: 3 });
    expect(".o_telephony_card_clock").toHaveText("0:03");
    await tell({ phase: "ringing", seconds: 3 });
    await advanceTime(2000);
    expect(".o_telephony_card_clock").toHaveText("0:05");
    await tell({ phase: "talking" });
    await advanceTime(42_000);
    expect(".o_telephony_card").toHaveCount(1);
    expect(".o_telephony_card").toHaveAttribute("data-phase", "talking");
    expect(".o_telephony_card_clock").toHaveText(/0:4[12]/);
    await tell({ phase: "ended", outcome: "answered", talk_seconds: 66 });
    expect(".o_telephony_card_clock").toHaveText("1:06");
    expect(".o_telephony_result").toHaveCount(1);
    expect(asked.splice(0)).toEqual(["get_card", "get_card", "get_card", "get_card"]);
});

test("names are text", async () => {
    cards[7] = { ...CARD, name: "<b>Bold</b>", contacts: [{ ...CARD.contacts[0], note: "<b>Loud</b>" }] };
    await open();
    await tell({ phase: "ringing" });
    expect(".o_telephony_card_name").toHaveText("<b>Bold</b>");
    expect(".o_telephony_card_quote").toHaveText("“<b>Loud</b>”");
    expect(".o_telephony_card b").toHaveCount(0);
    expect(asked.splice(0)).toEqual(["get_card"]);
});

test("a caller whom the user may not see is not asked for", async () => {
    cards[7] = { ...STRANGER, is_hidden: true };
    await open();
    await tell({ phase: "ringing" });
    expect(".o_telephony_card_create").toHaveCount(0);
    expect(".o_telephony_card_body").toHaveText(/no access to this customer/);
    expect(asked.splice(0)).toEqual(["get_card"]);
});

test("a deal names who has no contact", async () => {
    cards[7] = { ...STRANGER, name: "Zeinep", company: "Dostyk", leads: [{ ...CARD.leads[0], is_linked: true }] };
    await open();
    await tell({ phase: "ringing" });
    expect("h2.o_telephony_card_name").toHaveText("Zeinep");
    expect(".o_telephony_card_who").toHaveText(/Dostyk\n\+7 777 123 4567/);
    expect(".o_telephony_cards [role=status]").toHaveText("Incoming call: Zeinep");
});

test("a colleague's customer is passed on to the colleague with one click", async () => {
    const owner = { id: 2, name: "Boris", deals: 2, state: "free", phone: false };
    cards[7] = { ...CARD, leads: [], is_hidden: true, owners: [owner, { id: 3, name: "Saule", deals: 1, state: "", phone: false }] };
    onRpc("telephony.call", "transfer", ({ args }) => {
        asked.push(args);
        return { type: "ir.actions.act_window_close" };
    });
    await open();
    await tell({ phase: "ringing" });
    expect(queryAllTexts(".o_telephony_card_owner")).toEqual(["Customer of Boris (2 open deals)", "Customer of Saule (1 open deal)"]);
    expect(".o_telephony_card_owner [role=img]").toHaveAttribute("aria-label", "Free");
    expect(".o_telephony_card_body").not.toHaveText(/no access to this customer/);
    expect(".o_telephony_card_new_lead").toHaveCount(0);
    cards[7] = { ...cards[7], owners: [{ ...owner, phone: 12 }] };
    await tell({ phase: "talking" });
    asked.splice(0);
    await contains(".o_telephony_card_transfer_to:contains(Transfer to Boris)").click();
    expect(asked.splice(0)).toEqual([[[7], 12]]);
});

test("what was said last comes first, in quotes; the buttons stand before the history", async () => {
    cards[7] = {
        ...CARD, controls: { hang_up: true, transfer: [] },
        contacts: [{ ...CARD.contacts[0], note: "Wants a discount", text: "Answered · 1:00 · Anna" }],
    };
    await open();
    await tell({ phase: "talking" });
    expect(".o_telephony_card_contacts li .o_telephony_card_words").toHaveText(/^“Wants a discount”\nAnswered · 1:00 · Anna/);
    const position = queryOne(".o_telephony_card_hang_up").compareDocumentPosition(queryOne(".o_telephony_card_contacts"));
    expect(Boolean(position & Node.DOCUMENT_POSITION_FOLLOWING)).toBe(true);
});

test("a button's name begins with what it shows, and points are a tooltip", async () => {
    cards[7] = { ...CARD, leads: [{ ...CARD.leads[0], points: "+80 has this number" }, CARD.leads[1]] };
    await open();
    await tell({ phase: "ringing" });
    expect(".o_telephony_card_pick:first").toHaveAttribute("aria-label", "This one: Flour");
    expect(".o_telephony_card_lead:first").not.toHaveText(/80/);
    expect(".o_telephony_card_lead:first [title='+80 has this number']").toHaveText("has this number");
});

test("the deal stands above the results, and another can be chosen", async () => {
    const linked = (id) => ({ ...CARD, leads: CARD.leads.map((lead) => ({ ...lead, is_linked: lead.id === id })) });
    cards[7] = linked(5);
    onRpc("telephony.call", "link_caller", ({ kwargs }) => {
        asked.push(kwargs.lead_id);
        return linked(kwargs.lead_id);
    });
    await open();
    await tell({ phase: "ended", outcome: "answered" });
    expect(".o_telephony_card_deal").toHaveText(/Flour\nNew · \$ 5/);
    await contains(".o_telephony_result_note").edit("Hm", { confirm: false });
    await contains(".o_telephony_card_other_deal").click();
    await contains(".o_telephony_card_pick").click();
    expect(asked.splice(0)).toEqual(["get_card", 6]);
    expect(".o_telephony_card_deal").toHaveText(/Oven/);
    expect(".o_telephony_result_note").toHaveValue("Hm");
    cards[7] = { ...CARD, leads: [{ ...CARD.leads[0], is_linked: true }] };
    await tell({ id: 8, phase: "ringing" });
    await tell({ phase: "ended", outcome: "answered", seconds: 1 });
    expect("[data-call='7'] .o_telephony_card_other_deal").toHaveCount(0);
});

const ENDED = {
    id: 7, phase: "ended", direction: "inbound", number: "+7701", display: "+7 701", extension: "101", outcome: "answered",
    seconds: 60, talk_seconds: 42, told_at: 300,
};

test("what was typed is there after the page was loaded again", async () => {
    const draft = { note: "Wants samples", noteBefore: "", result: {
        note: "Wants samples", noteBefore: "", disposition: 2, stage: 11, activityType: 4, activityDate: "2026-03-13", summary: "",
        done: { 20: false, 99: true },
    } };
    browser.sessionStorage.setItem("crm_telephony.draft.7", JSON.stringify(draft));
    browser.sessionStorage.setItem("crm_telephony.draft.9", JSON.stringify(draft));
    onRpc("telephony.call", "ringing_now", ({ kwargs }) => {
        asked.push(kwargs.begun);
        return [ENDED];
    });
    onRpc("telephony.call", "save_result", ({ args }) => {
        asked.push(args[1]);
        return true;
    });
    await makeMockEnv();
    await mountWithCleanup(CallCards, { noMainContainer: true });
    await animationFrame();
    await animationFrame();
    expect(".o_telephony_card").toHaveAttribute("data-phase", "ended");
    expect(".o_telephony_card_clock").toHaveText("0:42");
    expect(".o_telephony_result_note").toHaveValue("Wants samples");
    expect(".o_telephony_disposition[aria-pressed=true]").toHaveText("Later");
    expect(browser.sessionStorage.getItem("crm_telephony.draft.9")).toBe(null, { message: "it was saved elsewhere" });
    await advanceTime(STAYS.ended * 2);
    await contains(".o_telephony_result_save").click();
    expect(asked.splice(0)).toEqual([[7, 9], "get_card", {
        disposition_id: 2, note: "Wants samples", note_before: "", stage_id: 11,
        activity: { type_id: 4, date: "2026-03-13", summary: "" }, done_ids: [],
    }]);
    expect(browser.sessionStorage.getItem("crm_telephony.draft.7")).toBe(null);
});

test("what is being written is kept as it is written", async () => {
    onRpc("telephony.call", "save_result", () => true);
    await open();
    await tell({ phase: "talking" });
    await contains(".o_telephony_card_note").edit("Oven", { confirm: false });
    const kept = () => JSON.parse(browser.sessionStorage.getItem("crm_telephony.draft.7"));
    expect(kept()).toEqual({ note: "Oven", noteBefore: "" });
    await tell({ phase: "ended", outcome: "answered" });
    await contains(".o_telephony_disposition:first").click();
    await animationFrame();
    expect([kept().result.disposition, kept().result.note]).toEqual([1, "Oven"]);
    await contains(".o_telephony_result_skip").click();
    expect(kept()).toBe(null);
    cards[8] = STRANGER;
    await tell({ id: 8, phase: "ringing" });
    await contains("input[name=name]").edit("Timur", { confirm: false });
    expect(JSON.parse(browser.sessionStorage.getItem("crm_telephony.draft.8")).caller).toEqual({ name: "Timur", company: "" });
});

test("a result that was skipped is asked for no more, after a reload neither", async () => {
    browser.localStorage.setItem(`crm_telephony.skipped.${session.db}`, JSON.stringify({ 7: Date.now() - 60_000, 8: Date.now() - 7_200_000 }));
    ringing = [ENDED, { ...ENDED, id: 8 }];
    await makeMockEnv();
    await mountWithCleanup(CallCards, { noMainContainer: true });
    await animationFrame();
    await animationFrame();
    expect("[data-call='7']").toHaveCount(0);
    expect("[data-call='8']").toHaveCount(1);
    await contains(".o_telephony_result_skip").click();
    expect(Object.keys(JSON.parse(browser.localStorage.getItem(`crm_telephony.skipped.${session.db}`)))).toEqual(["7", "8"]);
});

test("a card that cannot be loaded keeps what is known", async () => {
    onRpc("telephony.call", "get_card", () => {
        throw new Error("no");
    });
    await open();
    await tell({ phase: "ringing" });
    expect(".o_telephony_card_name").toHaveText("+7 777 123 4567");
    await tell({ phase: "talking" });
    expect(".o_telephony_card").toHaveAttribute("data-phase", "talking");
});

test("a call that is over before it could be seen shows nothing", async () => {
    await open();
    await tell(
        { phase: "ringing" }, { phase: "lost", outcome: "missed" }, { id: 8, phase: "gone", by: "Boris" });
    expect(".o_telephony_card").toHaveCount(0);
    expect(asked.splice(0)).toEqual(["get_card"]);
});

for (const [phase, message] of [["gone", { by: "Boris" }], ["lost", { outcome: "missed" }], ["ended", { outcome: "answered" }]]) {
    test(`a card that nobody touches leaves by itself: ${phase}`, async () => {
        await open();
        await tell({ phase: "ringing" });
        await advanceTime(2000);
        await tell({ phase, ...message });
        await advanceTime(STAYS[phase] - 1000);
        expect(".o_telephony_card").toHaveCount(1);
        await advanceTime(2000);
        expect(".o_telephony_card").toHaveCount(0);
    });
}

test("a result that somebody writes stays", async () => {
    await open();
    await tell({ phase: "ended", outcome: "answered" });
    await contains(".o_telephony_result_note").edit("Hm");
    await advanceTime(STAYS.ended * 2);
    expect(".o_telephony_result").toHaveCount(1);
});

test("after a minute without the websocket the server says what is going on", async () => {
    await open();
    await tell({ phase: "ringing" });
    ringing = [{ id: 9, phase: "talking", direction: "outbound", number: "+7701", display: "+7 701", extension: "101", outcome: "", seconds: 30, talk_seconds: 0 }];
    getService("bus_service").trigger("BUS:RECONNECT");
    await animationFrame();
    await animationFrame();
    expect(".o_telephony_card").toHaveCount(1);
    expect(".o_telephony_card").toHaveAttribute("data-call", "9");
    expect(".o_telephony_card_clock").toHaveText("0:30");
    expect(asked.splice(0)).toEqual(["get_card", "ringing_now", "get_card"]);
});

test("what the bus says again is older than what the server has said meanwhile", async () => {
    await open();
    const facts = { direction: "inbound", number: "+7701", display: "+7 701", extension: "101", outcome: "", talk_seconds: 0 };
    await tell({ phase: "talking", seconds: 0, told_at: 110 });
    ringing = [{ ...facts, id: 7, phase: "talking", seconds: 40, told_at: 150 }];
    getService("bus_service").trigger("BUS:RECONNECT");
    await animationFrame();
    await animationFrame();
    expect(".o_telephony_card_clock").toHaveText(/0:(39|40)/, { message: "the news was 40 seconds late" });
    await contains(".o_telephony_card_fold").click();
    await tell({ phase: "ringing", told_at: 100 }, { phase: "talking", told_at: 110 });
    expect(".o_telephony_card_clock").toHaveText(/0:(39|4[01])/);
    expect(".o_telephony_card_body").toHaveCount(0, { message: "it stays folded" });
    await contains(".o_telephony_card_close").click();
    await tell({ phase: "ringing", told_at: 100 });
    expect(".o_telephony_card").toHaveCount(0, { message: "and closed" });
});

test("an end that never came is found out", async () => {
    await open();
    await tell({ phase: "talking" });
    await advanceTime(CHECK_EVERY + 1000);
    await animationFrame();
    expect(".o_telephony_card").toHaveCount(0);
    await advanceTime(CHECK_EVERY * 3);
    expect(asked.splice(0)).toEqual(["get_card", "ringing_now"]);
});

test("an answer of the server that is older than the bus's news takes nothing back", async () => {
    let answer;
    onRpc("telephony.call", "ringing_now", () => (answer = new Deferred()));
    await makeMockEnv();
    await mountWithCleanup(CallCards, { noMainContainer: true });
    answer.resolve([]);
    const rows = (...phases) => phases.map((phase, index) => ({
        id: 7 + index, phase, direction: "inbound", number: "+7701", display: "", extension: "101", outcome: "", seconds: 0,
        talk_seconds: 0, told_at: 200,
    }));
    await tell({ phase: "talking", told_at: 100 });
    getService("bus_service").trigger("BUS:RECONNECT");
    await tell({ phase: "ended", outcome: "answered", told_at: 199 });
    await contains(".o_telephony_result_note").edit("Wants samples", { confirm: false });
    await tell({ id: 8, phase: "lost", outcome: "missed", told_at: 200 });
    await tell({ id: 9, phase: "talking", told_at: 200 });
    answer.resolve(rows("talking", "ringing"));
    await animationFrame();
    await animationFrame();
    expect(".o_telephony_result_note").toHaveValue("Wants samples");
    expect("[data-call='8']").toHaveCount(0, { message: "it was over before its card came up" });
    expect("[data-call='9']").toHaveAttribute("data-phase", "talking", { message: "it began after the question" });
    getService("bus_service").trigger("BUS:RECONNECT");
    await animationFrame();
    await tell({ id: 8, phase: "lost", told_at: 180 });
    answer.resolve(rows("ringing", "ringing"));
    await animationFrame();
    await animationFrame();
    expect("[data-call='8']").toHaveCount(1, { message: "what the bus says again meanwhile is older" });
    expect("[data-call='9']").toHaveCount(0);
    await tell({ id: 8, phase: "talking", told_at: 199 });
    expect("[data-call='8']").toHaveAttribute("data-phase", "talking", { message: "told before the answer, committed after it" });
});

test("nothing is asked for who has nothing to do with telephony", async () => {
    patchWithCleanup(session, { telephony: false });
    await makeMockEnv();
    await mountWithCleanup(CallCards, { noMainContainer: true });
    await animationFrame();
    expect(".o_telephony_card").toHaveCount(0);
    expect(asked.splice(0)).toEqual([]);
});

test("the focus stays where it is; keys bring it, fold the card and close it", async () => {
    await open();
    await tell({ phase: "ringing" });
    expect(queryOne(".o_telephony_card")).not.toBe(document.activeElement);
    await press("Escape");
    await animationFrame();
    expect(".o_telephony_card_body").toHaveCount(1, { message: "an Escape elsewhere is not ours" });
    await press(["alt", "shift", "k"]);
    expect(".o_telephony_card").toBeFocused();
    await press("Escape");
    await animationFrame();
    expect(".o_telephony_card_body").toHaveCount(0);
    expect(".o_telephony_card_fold").toHaveAttribute("aria-expanded", "false");
    await press("Escape");
    await animationFrame();
    expect(".o_telephony_card").toHaveCount(0);
});

test("Escape does not throw away what was written", async () => {
    await open();
    await tell({ phase: "ended", outcome: "answered" });
    await contains(".o_telephony_result_note").edit("Wants samples", { confirm: false });
    for (let times = 0; times < 2; times++) {
        await press("Escape");
        await animationFrame();
        expect(".o_telephony_result_note").not.toBeVisible();
        queryOne(".o_telephony_card").focus();
    }
    await contains(".o_telephony_card_fold").click();
    expect(".o_telephony_result_note").toHaveValue("Wants samples");
    await tell({ id: 8, phase: "ended", outcome: "answered" });
    queryOne("[data-call='8']").focus();
    await press("Escape");
    await animationFrame();
    expect("[data-call='8']").toHaveCount(0, { message: "nothing was written there" });
    cards[9] = STRANGER;
    await tell({ id: 9, phase: "lost", outcome: "missed" }, { id: 9, phase: "ringing" });
    await contains("[data-call='9'] input[name=name]").edit("Timur", { confirm: false });
    await press("Escape");
    await animationFrame();
    queryOne("[data-call='9']").focus();
    await press("Escape");
    await animationFrame();
    await contains("[data-call='9'] .o_telephony_card_fold").click();
    expect("[data-call='9'] input[name=name]").toHaveValue("Timur");
});

test("every card can be folded", async () => {
    await open();
    await tell({ phase: "ringing" });
    await advanceTime(2000);
    for (const [phase, outcome] of [["lost", "missed"], ["gone", ""]]) {
        await tell({ phase, outcome });
        await contains(".o_telephony_card_fold").click();
        expect(".o_telephony_card_unfolded").toHaveCount(0);
        await contains(".o_telephony_card_fold").click();
        expect(".o_telephony_card_unfolded").toHaveCount(1);
    }
});

test("while one talks the next call is told in short; a talk opens its card", async () => {
    await open();
    await tell({ phase: "talking" });
    await tell({ id: 8, phase: "ringing" });
    expect(".o_telephony_card").toHaveCount(2);
    expect(".o_telephony_card[data-call='8'] .o_telephony_card_body").toHaveCount(0);
    await tell({ id: 8, phase: "talking" });
    expect(".o_telephony_card[data-call='8'] .o_telephony_card_body").toHaveCount(1);
    expect(".o_telephony_card[data-call='7'] .o_telephony_card_body").toHaveCount(0);
});

test("a page that is loaded while it rings shows what rings before what is over", async () => {
    const told = { direction: "inbound", number: "+77771234567", display: "+7 777 123 4567", extension: "101", outcome: "" };
    ringing = [
        { ...told, id: 8, phase: "ringing", seconds: 1, talk_seconds: 0 },
        { ...told, id: 7, phase: "ended", outcome: "answered", seconds: 60, talk_seconds: 42 },
    ];
    await makeMockEnv();
    await mountWithCleanup(CallCards, { noMainContainer: true });
    for (let frame = 0; frame < 3; frame++) {
        await animationFrame();
    }
    expect(".o_telephony_card").toHaveCount(2);
    expect(".o_telephony_card_unfolded").toHaveAttribute("data-phase", "ringing");
});

test("what was closed stays closed until something new happens", async () => {
    onRpc("telephony.call", "save_result", () => true);
    await open();
    await tell({ phase: "ringing" });
    await contains(".o_telephony_card_close").click();
    await tell({ phase: "ringing" });
    expect(".o_telephony_card").toHaveCount(0, { message: "another phone of the group rings too" });
    await tell({ phase: "talking" });
    expect(".o_telephony_card").toHaveCount(1);
    await tell({ phase: "ended", outcome: "answered" });
    await contains(".o_telephony_result_save").click();
    await tell({ phase: "ended", outcome: "answered" });
    expect(".o_telephony_card").toHaveCount(0, { message: "the PBX has told something more of it" });
});

test("what one tab closes, all close", async () => {
    await open();
    await tell({ phase: "ended", outcome: "answered" });
    await tell({ phase: "closed" });
    expect(".o_telephony_card").toHaveCount(0);
    await tell({ id: 8, phase: "ringing" });
    new BroadcastChannel("crm_telephony.another").postMessage({ dismissed: 8 });
    await tick();
    await animationFrame();
    expect(".o_telephony_card").toHaveCount(1, { message: "another database of this host has a call of the same id" });
    new BroadcastChannel(`crm_telephony.${session.db}`).postMessage({ dismissed: 8 });
    await tick();
    await animationFrame();
    expect(".o_telephony_card").toHaveCount(0);
});

test("an outgoing call whose answer is not told: neither dialling nor talking is claimed, and a note can be written", async () => {
    await open();
    await tell({ phase: "talking", direction: "outbound", may_be_answered: true, seconds: 5 });
    expect(".o_telephony_card_phase").toHaveText("On the line");
    expect(".o_telephony_card_clock").toHaveText("0:05");
    expect(".o_telephony_card_note").toHaveCount(1);
    await tell({ phase: "ended", direction: "outbound", may_be_answered: false, outcome: "no_answer" });
    expect(".o_telephony_card_phase").toHaveText("No answer");
});

test("the result of a talk at a shared phone is for who talked; the others find it folded", async () => {
    onRpc("telephony.call", "save_result", () => true);
    await open();
    await tell({ phase: "ringing" });
    await tell({ phase: "talking", is_shared: true });
    expect(".o_telephony_card_phase").toHaveText("Talk at phone 101");
    await tell({ phase: "ended", is_shared: true, outcome: "answered" });
    expect(".o_telephony_result").not.toBeVisible();
    await contains(".o_telephony_card_fold").click();
    expect(".o_telephony_result").toBeVisible();
    await advanceTime(STAYS_SHARED + 1000);
    expect(".o_telephony_card").toHaveCount(0);
    // who has written about it is who talked
    await tell({ id: 8, phase: "talking", is_shared: true });
    await contains(".o_telephony_card_note").edit("Samples", { confirm: false });
    await tell({ id: 8, phase: "ended", is_shared: true, outcome: "answered" });
    expect(".o_telephony_result_note").toBeVisible();
    expect(".o_telephony_result_note").toHaveValue("Samples");
});

test("a talk at a shared phone does not fold one's own", async () => {
    await open();
    await tell({ phase: "talking" });
    await tell({ id: 8, phase: "ringing" });
    await tell({ id: 8, phase: "talking", is_shared: true });
    expect(".o_telephony_card[data-call='7'] .o_telephony_card_body").toHaveCount(1);
    expect(".o_telephony_card[data-call='8'] .o_telephony_card_body").toHaveCount(0);
});

test("a tab in the background asks when somebody looks at it", async () => {
    await open();
    let visibility = "hidden";
    patchWithCleanup(document, { get visibilityState() { return visibility; } });
    await tell({ phase: "ringing" });
    expect(".o_telephony_card_name").toHaveText("+7 777 123 4567");
    expect(asked.splice(0)).toEqual([]);
    visibility = "visible";
    document.dispatchEvent(new Event("visibilitychange"));
    await animationFrame();
    await animationFrame();
    expect(asked.splice(0)).toEqual(["get_card"]);
    expect(".o_telephony_card_name").toHaveText("Aigerim");
});

test("of twenty tabs that have lost the websocket only the one that is looked at asks", async () => {
    await open();
    let visibility = "hidden";
    patchWithCleanup(document, { get visibilityState() { return visibility; } });
    const stop = getService("telephony").onMyCallbacks(() => asked.push("my_callbacks"));
    getService("bus_service").trigger("BUS:RECONNECT");
    getService("bus_service").trigger("BUS:RECONNECT");
    for (let change = 0; change < 2; change++) {
        const arrived = new Deferred();
        getService("bus_service").subscribe("crm_telephony.my_callbacks", () => arrived.resolve());
        MockServer.env["bus.bus"]._sendone(serverState.partnerId, "crm_telephony.my_callbacks", {});
        await arrived;
    }
    expect(asked.splice(0)).toEqual([]);
    visibility = "visible";
    document.dispatchEvent(new Event("visibilitychange"));
    await animationFrame();
    expect(asked.splice(0).sort()).toEqual(["my_callbacks", "ringing_now"]);
    stop();
});

test("a click says which deal, a form who calls", async () => {
    onRpc("telephony.call", "link_caller", ({ args, kwargs }) => {
        asked.push([...args, kwargs.lead_id]);
        return { ...CARD, leads: CARD.leads.map((lead) => ({ ...lead, is_linked: lead.id === 5 })) };
    });
    onRpc("telephony.call", "create_caller", ({ args }) => {
        asked.push(args);
        return CARD;
    });
    await open();
    await tell({ phase: "ringing" });
    await contains(".o_telephony_card_pick:first").click();
    expect(".o_telephony_card_lead .fa-check").toHaveCount(1);
    await tell({ id: 8, phase: "ringing" });
    await contains("[data-call='8'] input[name=name]").edit("Timur", { confirm: false });
    await contains("[data-call='8'] .o_telephony_card_new_lead").click();
    expect(asked.splice(0)).toEqual(["get_card", [[7], 5], "get_card", [[8], { name: "Timur", company: "", kind: "lead" }]]);
});

test("what a queue takes to another phone and back before one can look rings here again", async () => {
    await open();
    await tell({ phase: "ringing", told_at: 100 }, { phase: "gone", by: "", told_at: 110 });
    await tell({ phase: "ringing", told_at: 100 });
    expect(".o_telephony_card").toHaveCount(0, { message: "the bus says it again" });
    await tell({ phase: "ringing", told_at: 111 });
    expect(".o_telephony_card").toHaveCount(1);
});

test("what the user has not touched is not saved: a colleague may have written it meanwhile", async () => {
    onRpc("telephony.call", "save_result", ({ args }) => {
        asked.push(args[1]);
        return true;
    });
    await open();
    await tell({ phase: "talking" });
    asked.splice(0);
    await contains(".o_telephony_card_note").edit("Wants");
    expect(asked.splice(0)).toEqual([{ note: "Wants", note_before: "", is_final: false }]);
    await contains(".o_telephony_card_note").edit("Wants flour");
    expect(asked.splice(0)).toEqual([{ note: "Wants flour", note_before: "Wants", is_final: false }]);
    onRpc("telephony.call", "get_result_form", () => ({ ...FORM, note: "Wants flour\n40 t", disposition_id: 1, calls_to_do: [] }));
    await tell({ phase: "ended", outcome: "" });
    expect(".o_telephony_result_note").toHaveValue("Wants flour\n40 t", { message: "with what stands there by now" });
    await contains(".o_telephony_result_stage").select("11");
    asked.splice(0);
    await contains(".o_telephony_result_save").click();
    expect(asked.splice(0)).toEqual([{ stage_id: 11, done_ids: [] }]);
    // what is not saved yet is compared with what stood there when it was begun
    await tell({ id: 8, phase: "talking" });
    await contains("[data-call='8'] .o_telephony_card_note").edit("Oven", { confirm: false });
    await tell({ id: 8, phase: "ended", outcome: "answered" });
    expect(".o_telephony_result_note").toHaveValue("Oven");
    await contains(".o_telephony_result_save").click();
    expect(asked.at(-1)).toEqual({ note: "Oven", note_before: "", done_ids: [] });
});

test("who passes a call on while it goes on has done their activities all the same", async () => {
    await open();
    await tell({ phase: "ended", outcome: "" });
    expect(".o_telephony_result_done input:first").toBeChecked();
});

test("who may not read a call is not offered to open it, and calls back by its card", async () => {
    session.telephony.can_call = true;
    cards[7] = { ...STRANGER, is_hidden: true, can_open: false };
    onRpc("telephony.dial", "place_call", ({ args }) => {
        asked.push(args);
        return { type: "ir.actions.act_window_close" };
    });
    await open();
    await tell({ phase: "ringing" });
    expect(".o_telephony_card_open").toHaveCount(0);
    await advanceTime(1000);
    await tell({ phase: "lost", outcome: "missed" });
    asked.splice(0);
    await contains(".o_telephony_card_call_back").click();
    expect(asked.splice(0)).toEqual([["+77771234567", "telephony.call", 7]]);
});

test("a contact is made of a number or a name", async () => {
    cards[7] = STRANGER;
    await open();
    await tell({ phase: "ringing", number: "", display: "" });
    expect(".o_telephony_card_create [type=submit]").not.toBeEnabled();
    await contains("input[name=name]").edit("Timur", { confirm: false });
    await animationFrame();
    expect(".o_telephony_card_create [type=submit]").toBeEnabled();
    await tell({ id: 8, phase: "ringing" });
    await contains("[data-call='8'] .o_telephony_card_fold").click();
    expect("[data-call='8'] .o_telephony_card_create [type=submit]").toBeEnabled();
});

test("the result is saved in one step", async () => {
    onRpc("telephony.call", "save_result", ({ args }) => {
        asked.push(args);
        return true;
    });
    await open();
    await tell({ phase: "ended", outcome: "answered", talk_seconds: 60 });
    expect(".o_telephony_result_done:contains(Ask) input").toBeChecked();
    expect(".o_telephony_result_done:contains(In a month) input").not.toBeChecked();
    await contains(".o_telephony_disposition:last").click();
    expect(queryOne(".o_telephony_result_date").value).toBe("2026-03-13");
    await contains(".o_telephony_result_note").edit("Samples");
    await contains(".o_telephony_result_stage").select("11");
    await contains(".o_telephony_result_save").click();
    expect(asked.splice(0)).toEqual(["get_card", [[7], {
        disposition_id: 2, note: "Samples", note_before: "", stage_id: 11, activity: { type_id: 4, date: "2026-03-13", summary: "" },
        done_ids: [20],
    }]]);
    expect(".o_telephony_card").toHaveCount(0);
});

test("a note that is being written outlives the talk, another card and the choice of a deal", async () => {
    onRpc("telephony.call", "link_caller", () => ({
        ...CARD, leads: CARD.leads.map((lead) => ({ ...lead, is_linked: lead.id === 5 })),
    }));
    onRpc("telephony.call", "save_result", () => true);
    await open();
    await tell({ phase: "talking" });
    await contains(".o_telephony_card_note").edit("Wants sam", { confirm: false });
    await tell({ id: 8, phase: "talking" });
    await contains("[data-call='7'] .o_telephony_card_fold").click();
    expect("[data-call='7'] .o_telephony_card_note").toHaveValue("Wants sam");
    await contains("[data-call='7'] .o_telephony_card_note").click();
    await tell({ phase: "ended", outcome: "answered" });
    expect(".o_telephony_result_note").toHaveValue("Wants sam");
    expect(".o_telephony_result_note").toBeFocused({ message: "who writes goes on writing" });
    await contains(".o_telephony_result_note").edit("Wants samples", { confirm: false });
    await contains(".o_telephony_disposition:first").click();
    await contains(".o_telephony_card_pick:first").click();
    expect(".o_telephony_result_note").toHaveValue("Wants samples");
    expect(".o_telephony_disposition:first").toHaveAttribute("aria-pressed", "true");
});

test("who was unknown can be entered after the talk, with what was typed during it", async () => {
    cards[7] = STRANGER;
    onRpc("telephony.call", "create_caller", ({ args }) => {
        asked.push(args);
        return CARD;
    });
    await open();
    await tell({ phase: "talking" });
    await contains("input[name=name]").edit("Timur", { confirm: false });
    await tell({ phase: "ended", outcome: "answered" });
    await contains(".o_telephony_card_create button[type=submit]").click();
    expect(asked.splice(0)).toEqual(["get_card", "get_card", [[7], { name: "Timur", company: "", kind: "contact" }]]);
    expect(".o_telephony_card_create").toHaveCount(0);
});

test("who writes a result is not disturbed by the next call, and loses nothing when they take it", async () => {
    await open();
    await tell({ phase: "ended", outcome: "answered" });
    await contains(".o_telephony_result_note").edit("Wants samples", { confirm: false });
    await contains(".o_telephony_disposition:first").click();
    await contains(".o_telephony_result_note").click();
    await tell({ id: 8, phase: "ringing" });
    expect("[data-call='7'] .o_telephony_result_note").toBeVisible();
    expect("[data-call='7'] .o_telephony_result_note").toBeFocused();
    expect("[data-call='8'] .o_telephony_card_body").toHaveCount(0);
    await tell({ id: 8, phase: "talking" });
    expect("[data-call='7'] .o_telephony_result_note").not.toBeVisible();
    await contains("[data-call='7'] .o_telephony_card_fold").click();
    expect("[data-call='7'] .o_telephony_result_note").toHaveValue("Wants samples");
    expect("[data-call='7'] .o_telephony_disposition:first").toHaveAttribute("aria-pressed", "true");
});

test("what nobody reached does not tick its activity off", async () => {
    onRpc("telephony.call", "get_result_form", () => ({ ...FORM, has_talked: false }));
    await open();
    await tell({ phase: "ended", direction: "outbound", outcome: "busy" });
    expect(".o_telephony_card_phase").toHaveText("Busy");
    expect(".o_telephony_result_done input").not.toBeChecked();
});

test("a browser that allows no sound, or has none, shows the card all the same", async () => {
    patchWithCleanup(session, { telephony: { ...session.telephony, sound: true } });
    patchWithCleanup(window, {
        AudioContext: class {
            state = "suspended";
            resume() {
                asked.push("blocked");
                return Promise.reject(new DOMException("not allowed", "NotAllowedError"));
            }
            close() {
                asked.push("closed");
                return Promise.resolve();
            }
        },
    });
    await makeMockEnv();
    patchWithCleanup(getService("multi_tab"), { isOnMainTab: () => true });
    await mountWithCleanup(CallCards, { noMainContainer: true });
    await tell({ phase: "ringing" });
    expect(".o_telephony_card").toHaveCount(1);
    await tell({ phase: "talking" });
    expect(asked.splice(0)).toEqual(["ringing_now", "get_card", "blocked", "get_card", "closed"]);
    patchWithCleanup(window, { AudioContext: undefined });
    await tell({ id: 8, phase: "ringing" });
    expect(".o_telephony_card").toHaveCount(2);
});

test("preferences that change hold in every open tab at once", async () => {
    patchWithCleanup(session, { telephony: { ...session.telephony, sound: true } });
    patchWithCleanup(window, {
        AudioContext: class {
            constructor() {
                asked.push("rings");
            }
            resume() {}
            close() {
                asked.push("silence");
                return Promise.resolve();
            }
        },
    });
    const change = async (values) => {
        const arrived = untilHeard("crm_telephony.preferences");
        MockServer.env["bus.bus"]._sendone(serverState.partnerId, "crm_telephony.preferences", values);
        await arrived;
        for (let frame = 0; frame < 4; frame++) {
            await animationFrame();
        }
    };
    await makeMockEnv();
    patchWithCleanup(getService("multi_tab"), { isOnMainTab: () => true });
    await mountWithCleanup(CallCards, { noMainContainer: true });
    await tell({ phase: "ringing" });
    expect(asked.splice(0)).toEqual(["ringing_now", "get_card", "rings"]);
    ringing = [{ id: 7, phase: "ringing", direction: "inbound", number: "+7701", display: "+7 701", extension: "101", outcome: "", seconds: 3, talk_seconds: 0 }];
    await change({ pop: true, sound: false, dnd: false, tab: "stay" });
    expect(asked.splice(0)).toEqual(["ringing_now", "get_card", "silence"]);
    expect(".o_telephony_card").toHaveCount(1);
    [ringing, cards.old] = [[], ringing];
    await change({ pop: true, sound: true, dnd: true, tab: "stay" });
    expect(asked.splice(0)).toEqual(["ringing_now"]);
    expect(".o_telephony_card").toHaveCount(0, { message: "its end will not be told" });
    ringing = cards.old;
    await change({ pop: true, sound: true, dnd: false, tab: "stay" });
    expect(asked.splice(0)).toEqual(["ringing_now", "get_card", "rings"]);
    expect(".o_telephony_card").toHaveCount(1);
});

test("do not disturb stands in the systray, and is switched there", async () => {
    onRpc("res.users", "write", ({ args }) => {
        asked.push(args);
        MockServer.env["bus.bus"]._sendone(serverState.partnerId, "crm_telephony.preferences", {
            pop: true, sound: false, dnd: args[1].telephony_dnd, tab: "stay",
        });
        return true;
    });
    onRpc("telephony.callback", "get_my_callbacks", () => ({ open: 0, late: 0, callbacks: [] }));
    patchWithCleanup(session, { telephony: { ...session.telephony, callbacks: { open: 0, late: 0 } } });
    await makeMockEnv();
    await mountWithCleanup(TelephonySystray);
    asked = [];
    expect(".o_telephony_dnd").toHaveCount(0);
    for (const dnd of [true, false]) {
        await contains(".o_telephony_systray_toggle").click();
        const arrived = untilHeard("crm_telephony.preferences");
        await contains(".o_telephony_systray .form-check-input").click();
        await arrived;
        await animationFrame();
        await animationFrame();
        expect(".o_telephony_dnd").toHaveCount(dnd ? 1 : 0);
        expect(".o_telephony_systray .form-check-input").toHaveProperty("checked", dnd);
        expect(asked.splice(0)).toEqual([[[serverState.userId], { telephony_dnd: dnd }], "ringing_now"]);
        await contains(".o_telephony_systray_toggle").click();
    }
});

test("of many tabs one rings", async () => {
    patchWithCleanup(session, { telephony: { ...session.telephony, sound: true } });
    patchWithCleanup(window, {
        AudioContext: class {
            constructor() {
                asked.push("rings");
            }
        },
    });
    await makeMockEnv();
    patchWithCleanup(getService("multi_tab"), { isOnMainTab: () => false });
    await mountWithCleanup(CallCards, { noMainContainer: true });
    await tell({ phase: "ringing" });
    expect(asked.splice(0)).toEqual(["ringing_now", "get_card"]);
});

test("on a wall no card is shown and nothing rings, and again after it", async () => {
    patchWithCleanup(session, { telephony: { ...session.telephony, sound: true } });
    patchWithCleanup(window, {
        AudioContext: class {
            constructor() {
                asked.push("rings");
            }
            resume() {}
            close() {
                asked.push("silence");
                return Promise.resolve();
            }
        },
    });
    await makeMockEnv();
    patchWithCleanup(getService("multi_tab"), { isOnMainTab: () => true });
    await mountWithCleanup(CallCards, { noMainContainer: true });
    const { state } = getService("telephony");
    state.isOnWall = true;
    await tell({ phase: "ringing" });
    expect(".o_telephony_card").not.toBeVisible();
    expect(asked.splice(0)).toEqual(["ringing_now", "get_card"]);
    state.isOnWall = false;
    await animationFrame();
    expect(".o_telephony_card").toBeVisible();
    expect(asked.splice(0)).toEqual(["rings"]);
    state.isOnWall = true;
    await animationFrame();
    expect(asked.splice(0)).toEqual(["silence"]);
});
