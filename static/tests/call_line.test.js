import { describe, expect, test } from "@odoo/hoot";
import { queryAllTexts, queryOne, queryText } from "@odoo/hoot-dom";
import { getService, mountWithCleanup } from "@web/../tests/web_test_helpers";
import { contains, defineMailModels, openFormView, start, startServer } from "@mail/../tests/mail_test_helpers";
import { CallLine } from "@crm_telephony/chatter/call_line";

describe.current.tags("desktop");
defineMailModels();

const CALL = {
    id: 7, direction: "inbound", direction_label: "Входящий", outcome: "answered", outcome_label: "Отвечен", is_short: false,
    is_manual: false, name: "Гульнара", number: "+7 777 123 4567", user: "Айгерим", talk_seconds: 70, wait_seconds: 5,
    result: "Договорились", note: "Просит <b>скидку</b>\nи доставку", can_open: true,
    recordings: [{ id: 3, state: "ready", url: "/telephony/recording/3", duration: 70, words: "", error: "", source: false, keep_until: false }],
};

test("a line tells what happened, with whom, what came of it, and can be heard", async () => {
    await mountWithCleanup(CallLine, { props: { call: CALL, author: "Айгерим" } });
    expect(".o_telephony_call_line a").toHaveText("Входящий");
    expect(".o_telephony_call_line a").toHaveAttribute("data-oe-model", "telephony.call");
    expect(".o_telephony_call_line a").toHaveAttribute("data-oe-id", "7");
    expect(queryAllTexts(".badge")).toEqual(["Отвечен", "Договорились"]);
    expect(queryText(".o_telephony_call_line")).toMatch(/Гульнара\s*\+7 777 123 4567\s*talk 1:10/);
    expect(".fa-user").toHaveCount(0, { message: "the head of the message says who talked" });
    expect(queryOne(".o_telephony_call_line_note").textContent).toBe(CALL.note);
    expect(".o_telephony_recording_unfold").toHaveText("1:10");
    expect("audio").toHaveCount(0, { message: "the player opens with a click" });
});

test("what is missing takes no room, and nothing opens that may not be read", async () => {
    await mountWithCleanup(CallLine, {
        props: {
            call: {
                ...CALL, outcome: "missed", outcome_label: "Пропущен", name: "", number: "", result: "", note: "", user: "",
                recordings: [], can_open: false, is_manual: true,
            },
            author: "OdooBot",
        },
    });
    expect("a, button, .o_telephony_call_line_note, .o_telephony_call_line_result, strong").toHaveCount(0);
    expect(".badge").toHaveText("Пропущен");
    expect(queryText(".o_telephony_call_line")).toMatch(/wait 0:05/);
    expect(".fa-pencil").toHaveCount(1);
});

test("a short talk is none, and another talker than the author is named", async () => {
    await mountWithCleanup(CallLine, { props: { call: { ...CALL, is_short: true }, author: "OdooBot" } });
    expect(".o_telephony_call_line_outcome").toHaveText("Short talk");
    expect(queryText(".o_telephony_call_line")).toInclude("Айгерим");
});

test("the chatter draws the line in place of the message's body, and leaves other messages alone", async () => {
    const pyEnv = await startServer();
    const partnerId = pyEnv["res.partner"].create({ name: "Customer" });
    const author_id = pyEnv["res.partner"].create({ name: "Айгерим" });
    const base = { author_id, model: "res.partner", res_id: partnerId, message_type: "notification" };
    const call = pyEnv["mail.message"].create({ ...base, body: "Inbound: Answered" });
    pyEnv["mail.message"].create({ ...base, body: "Stage changed" });
    await start();
    await openFormView("res.partner", partnerId);
    await contains(".o-mail-Message", { count: 2 });
    getService("mail.store")["mail.message"].insert({ id: call, telephony_call: CALL });
    await contains(".o-mail-Message .o_telephony_call_line", { count: 1 });
    await contains(".o-mail-Message", { text: "Inbound: Answered", count: 0 });
    await contains(".o-mail-Message", { text: "Stage changed" });
});
