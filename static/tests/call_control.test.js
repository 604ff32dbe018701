import { beforeEach, describe, expect, test } from "@odoo/hoot";
import { click, edit, press, queryAll, queryFirst } from "@odoo/hoot-dom";
import { advanceTime, animationFrame, Deferred, mockUserAgent } from "@odoo/hoot-mock";
import {
    contains, defineModels, fields, getService, makeMockEnv, MockServer, mockService, models, mountView, mountWithCleanup,
    onRpc, patchWithCleanup, serverState,
} from "@web/../tests/web_test_helpers";
import { defineMailModels } from "@mail/../tests/mail_test_helpers";
import { browser } from "@web/core/browser/browser";
import { session } from "@web/session";
import { LOOKED_AT } from "@crm_telephony/call_control/open_on_answer";
import { WebClient } from "@web/webclient/webclient";

class Customer extends models.Model {
    _name = "customer";

    name = fields.Char();
    phone = fields.Char();
    _records = [
        { id: 1, name: "Aigul", phone: "+7 777 123 45 67" },
        { id: 2, name: "Nobody", phone: false },
    ];
}

describe.current.tags("desktop");
defineMailModels();
defineModels([Customer]);

const RINGING = {
    type: "ir.actions.client",
    tag: "display_notification",
    params: { title: "Your phone 101 is ringing", message: "Pick it up", type: "info" },
};
const FORM = `<form><sheet><field name="name"/><field name="phone" widget="phone"/></sheet></form>`;
const LIST = `<list><field name="name"/><field name="phone" widget="phone"/></list>`;
const KANBAN = `<kanban><templates><t t-name="card"><field name="name"/><field name="phone" widget="phone"/></t></templates></kanban>`;

beforeEach(() => {
    patchWithCleanup(session, { telephony: { can_call: true } });
    onRpc("telephony.dial", "place_call", ({ args }) => {
        expect.step(args);
        return RINGING;
    });
});

test("without a phone on a PBX a number stays a tel: link", async () => {
    patchWithCleanup(session, { telephony: { can_call: false } });
    await mountView({ type: "list", resModel: "customer", arch: LIST });
    expect("a.o_form_uri").toHaveAttribute("href", "tel:+77771234567");
    expect(".o_telephony_call").toHaveCount(0);
    queryFirst("a.o_form_uri").addEventListener("click", (ev) => {
        expect(ev.defaultPrevented).toBe(false);
        ev.preventDefault();
        expect.step("the browser's own");
    });
    await click("a.o_form_uri");
    expect.verifySteps(["the browser's own"]);
});

test("without a phone on a PBX the form is Odoo's own", async () => {
    patchWithCleanup(session, { telephony: { can_call: false } });
    await mountView({ type: "form", resModel: "customer", resId: 1, arch: FORM });
    expect(".o_phone_form_link").toHaveAttribute("href", "tel:+77771234567");
    expect(".o_telephony_call").toHaveCount(0);
});

test("one click in a list calls, and opens no record", async () => {
    await mountView({
        type: "list", resModel: "customer", arch: LIST,
        selectRecord: () => expect.step("opened"),
    });
    expect(".o_telephony_call").toHaveCount(1, { message: "no button where there is no number" });
    await contains(".o_telephony_call").click();
    await contains("a.o_form_uri").click();
    expect.verifySteps([
        ["+7 777 123 45 67", "customer", 1],
        ["+7 777 123 45 67", "customer", 1],
    ]);
});

test("one click on a card of a kanban calls", async () => {
    await mountView({ type: "kanban", resModel: "customer", arch: KANBAN });
    await contains(".o_kanban_record:eq(0) .o_telephony_call").click();
    expect.verifySteps([["+7 777 123 45 67", "customer", 1]]);
});

test("the form calls the number that stands there, and keeps the SMS button", async () => {
    await mountView({ type: "form", resModel: "customer", resId: 1, arch: FORM });
    expect(".o_field_phone .o_field_phone_sms").toHaveCount(1);
    expect(".o_phone_form_link").toHaveCount(0, { message: "one button to call, not two" });
    await contains(".o_field_phone input").edit("+77010000000");
    await contains(".o_telephony_call").click();
    expect.verifySteps([["+77010000000", "customer", 1]]);
});

test("a number that nobody may change in a form calls too", async () => {
    await mountView({
        type: "form", resModel: "customer", resId: 1, arch: `<form><field name="phone" widget="phone" readonly="1"/></form>`,
    });
    expect(".o_telephony_call").toHaveCount(1);
    await contains("a.o_form_uri").click();
    await contains(".o_telephony_call").click();
    expect.verifySteps([
        ["+7 777 123 45 67", "customer", 1],
        ["+7 777 123 45 67", "customer", 1],
    ]);
});

for (const [type, arch] of [["list", LIST], ["form", `<form><field name="phone" widget="phone" readonly="1"/></form>`]]) {
    test(`on a mobile the number is the mobile's to call, the button the PBX's: ${type}`, async () => {
        mockUserAgent("android");
        await mountView({ type, resModel: "customer", resId: 1, arch });
        queryFirst("a.o_form_uri").addEventListener("click", (ev) => {
            expect(ev.defaultPrevented).toBe(false);
            ev.preventDefault();
            expect.step("the mobile's own");
        });
        await click("a.o_form_uri");
        await contains(".o_telephony_call").click();
        expect.verifySteps(["the mobile's own", ["+7 777 123 45 67", "customer", 1]]);
    });
}

test("on a mobile a form has both ways to call", async () => {
    mockUserAgent("android");
    await mountView({ type: "form", resModel: "customer", resId: 1, arch: FORM });
    expect(".o_phone_form_link").toHaveAttribute("href", "tel:+77771234567");
    expect(".o_phone_form_link").toHaveText("Call");
    expect(".o_telephony_call").toHaveText("PBX");
    expect(".o_telephony_call").toHaveAttribute("title", "Call with my phone at the PBX");
});

test("impatient clicks are one call", async () => {
    const answer = new Deferred();
    onRpc("telephony.dial", "place_call", () => {
        expect.step("asked");
        return answer;
    });
    await mountView({ type: "list", resModel: "customer", arch: LIST });
    await click(".o_telephony_call");
    await click("a.o_form_uri");
    await animationFrame();
    expect(".o_telephony_call").toHaveProperty("disabled", true);
    answer.resolve(RINGING);
    await animationFrame();
    expect(".o_telephony_call").toHaveProperty("disabled", false);
    expect.verifySteps(["asked"]);
});

test("what the server wants confirmed is asked, and said back", async () => {
    onRpc("telephony.dial", "place_call", ({ args }) => {
        expect.step(args);
        if (args[3]) {
            return RINGING;
        }
        return {
            type: "ir.actions.client",
            tag: "crm_telephony.confirm_call",
            params: {
                number: args[0], res_model: args[1], res_id: args[2],
                warnings: ["+77771234567 asked not to be called."], confirmed: ["blacklist"],
            },
        };
    });
    await mountWithCleanup(WebClient);
    await getService("action").doAction({
        type: "ir.actions.act_window", res_model: "customer", views: [[false, "form"]], res_id: 1,
    });
    getService("telephony").state.calls.push({ id: 7, phase: "lost", isFolded: false }, { id: 8, phase: "ended", isFolded: false });
    await contains(".o_telephony_call").click();
    expect(".modal-body").toHaveText("+77771234567 asked not to be called.");
    expect(getService("telephony").state.calls.map((call) => call.isFolded)).toEqual([true, true], {
        message: "cards stand above dialogs",
    });
    await contains(".modal-footer .btn-secondary").click();
    expect(".modal").toHaveCount(0);
    expect(getService("telephony").state.calls.map((call) => call.isFolded)).toEqual([false, true], {
        message: "one is open again",
    });
    await contains(".o_telephony_call").click();
    await contains(".modal-footer .btn-primary").click();
    expect(".o_notification:contains(Your phone 101 is ringing)").toHaveCount(1);
    expect.verifySteps([
        ["+7 777 123 45 67", "customer", 1],
        ["+7 777 123 45 67", "customer", 1],
        ["+7 777 123 45 67", "customer", 1, ["blacklist"]],
    ]);
});

Customer._views = { form: FORM };

const COLLEAGUES = [
    { id: 12, number: "102", name: "Борис Ёлкин", user_id: 7, state: "free" },
    { id: 13, number: "103", name: "103", user_id: false, state: "ringing" },
    { id: 14, number: "104", name: "Saule <b>B</b>", user_id: 8, state: "talking" },
];

async function openTransfer(kinds) {
    onRpc("telephony.call", "get_colleagues", () => ({ kinds, colleagues: COLLEAGUES }));
    onRpc("telephony.call", "transfer", ({ args }) => {
        expect.step(args);
        return { type: "ir.actions.client", tag: "display_notification", params: { message: "The call goes to your colleague." } };
    });
    await mountWithCleanup(WebClient);
    await getService("action").doAction({ type: "ir.actions.client", tag: "crm_telephony.transfer", params: { call_id: 5 } });
    await animationFrame();
}

test("a colleague is found by name, with the state of the phone, and gets the call", async () => {
    await openTransfer(["blind", "attended"]);
    expect(queryAll(".o_telephony_colleague").map((row) => row.querySelector("small").textContent.trim())).toEqual([
        "Free", "Ringing", "Talking",
    ]);
    expect(".o_telephony_colleague:contains('Saule <b>B</b>')").toHaveCount(1);
    expect(".modal input[type=search]").toBeFocused();
    await edit("елкин");
    await animationFrame();
    expect(".o_telephony_colleague").toHaveCount(1);
    await click(".o_telephony_attended");
    await animationFrame();
    expect(".modal").toHaveCount(0);
    expect.verifySteps([[[5], 12, true]]);
});

test("the only one who is left gets it by Enter", async () => {
    await openTransfer(["blind"]);
    expect(".o_telephony_attended").toHaveCount(0, { message: "what the PBX cannot do is not there" });
    await edit("nobody of this name");
    await animationFrame();
    expect(".o_telephony_colleague").toHaveCount(0);
    await edit("103");
    await press("Enter");
    await press("Enter");
    await animationFrame();
    expect.verifySteps([[[5], 13, false]], { message: "impatient keys pass it on once" });
});

const CARD = { id: 7, partner: { id: 3, name: "Aigerim" }, leads: [{ id: 5, is_linked: false }, { id: 6, is_linked: true }] };

/** What the bus tells of call 7. */
async function tell(phase, direction = "inbound") {
    MockServer.env["bus.bus"]._sendone(serverState.partnerId, "crm_telephony.call", {
        id: 7, phase, direction, number: "+77771234567", display: "", extension: "101", outcome: "", seconds: 0, talk_seconds: 0,
    });
    for (let frame = 0; frame < 6; frame++) {
        await animationFrame();
    }
    await advanceTime(1000);
}

async function answerWith(tab, card, opened = null) {
    patchWithCleanup(session, { telephony: { can_call: true, tab } });
    patchWithCleanup(browser, {
        open: (url) => {
            expect.step(url);
            return opened;
        },
    });
    onRpc("telephony.call", "ringing_now", () => []);
    onRpc("telephony.call", "get_card", () => card);
    mockService("action", { doAction: ({ res_model, res_id }) => expect.step([res_model, res_id]) });
    await makeMockEnv();
    await animationFrame();
}

test("who answers sees the deal, if their preferences say so", async () => {
    await answerWith("current", CARD);
    await tell("ringing");
    expect.verifySteps([], { message: "it only rings" });
    await tell("talking");
    await tell("talking");
    await tell("ended");
    expect.verifySteps([["crm.lead", 6]]);
});

test("of several visible windows the one that was looked at last opens it, focused or not", async () => {
    patchWithCleanup(document, { hasFocus: () => false });
    await answerWith("current", CARD);
    mockService("multi_tab", { isOnMainTab: async () => false });
    const answerNext = async () => {
        getService("telephony").dismiss(7);
        await tell("ringing");
        await tell("talking");
    };
    await answerNext();
    expect.verifySteps([["crm.lead", 6]], { message: "they answer in a softphone's window" });
    browser.localStorage.setItem(LOOKED_AT, "another window");
    patchWithCleanup(document, { hasFocus: () => true });
    await answerNext();
    expect.verifySteps([], { message: "the other one opens it" });
    window.dispatchEvent(new Event("focus"));
    await answerNext();
    expect.verifySteps([["crm.lead", 6]]);
});

test("the contact where no deal is linked, nothing where nobody is known, nothing where we called", async () => {
    const card = { ...CARD, leads: [] };
    await answerWith("current", card);
    await tell("ringing");
    await tell("talking");
    expect.verifySteps([["res.partner", 3]]);
    card.partner = false;
    await tell("gone");
    getService("telephony").dismiss(7);
    await tell("ringing");
    await tell("talking");
    getService("telephony").dismiss(7);
    card.partner = CARD.partner;
    await tell("ringing", "outbound");
    await tell("talking", "outbound");
    expect.verifySteps([]);
});

for (const phases of [["ringing", "talking", "ended"], ["ringing", "talking"]]) {
    test(`news of an answer that come when they are old take nobody away: ${phases}`, async () => {
        await answerWith("current", CARD);
        MockServer.env["bus.bus"]._sendmany(phases.map((phase) => [
            serverState.partnerId, "crm_telephony.call", {
                id: 7, phase, direction: "inbound", number: "+77771234567", display: "", extension: "101", outcome: "",
                seconds: 0, talk_seconds: 0,
            },
        ]));
        for (let frame = 0; frame < 6; frame++) {
            await animationFrame();
        }
        expect.verifySteps([]);
    });
}

test("whoever wants to stay on the page stays", async () => {
    await answerWith("stay", CARD);
    await tell("ringing");
    await tell("talking");
    expect.verifySteps([]);
});

test("in a new tab, unless the browser does not let us", async () => {
    await answerWith("new", CARD, {});
    await tell("ringing");
    await tell("talking");
    expect.verifySteps(["/odoo/crm.lead/6"]);
});

test("a tab that the browser blocks opens here", async () => {
    await answerWith("new", CARD);
    await tell("ringing");
    await tell("talking");
    expect.verifySteps(["/odoo/crm.lead/6", ["crm.lead", 6]]);
});
