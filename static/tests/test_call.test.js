import { beforeEach, describe, expect, test } from "@odoo/hoot";
import { click, edit, queryAllTexts } from "@odoo/hoot-dom";
import { advanceTime, animationFrame, Deferred } from "@odoo/hoot-mock";
import {
    contains, defineModels, fields, getService, mockService, models, mountView, mountWithCleanup, onRpc,
} from "@web/../tests/web_test_helpers";
import { defineMailModels } from "@mail/../tests/mail_test_helpers";
import { reactive } from "@odoo/owl";
import { WebClient } from "@web/webclient/webclient";

class TelephonyAccount extends models.Model {
    _name = "telephony.account";
    name = fields.Char();
    _records = [{ id: 1, name: "Office" }];
}

class TelephonyCall extends models.Model {
    _name = "telephony.call";
}

class TelephonyTestCall extends models.Model {
    _name = "telephony.test.call";
    account_id = fields.Many2one({ relation: "telephony.account" });
    call_id = fields.Many2one({ relation: "telephony.call" });
    state = fields.Selection({ selection: [["waiting", "Running"], ["failed", "Something Is Missing"]] });
    lines = fields.Json();
    _records = [{ id: 3, account_id: 1, state: "failed", lines: [line("who", "missing", { text: "<b>Enter</b> 103", place: "account" })] }];
}

class TelephonyGetStarted extends models.Model {
    _name = "telephony.get.started";
}

function line(fact, state, more = {}) {
    return { fact, label: fact, state, value: "", after: state === "seen" ? 7 : null, text: "", place: "", ...more };
}

describe.current.tags("desktop");
defineMailModels();
defineModels([TelephonyAccount, TelephonyCall, TelephonyTestCall, TelephonyGetStarted]);

let hear, progress;

beforeEach(() => {
    mockService("telephony", {
        state: reactive({ calls: [], isOnWall: false, preferences: {} }),
        onTestCall(handler) {
            hear = handler;
            return () => (hear = undefined);
        },
    });
    progress = {
        id: 9, state: "waiting", state_label: "Running", account_id: 1, account: "Office", number_id: 5, number: "+7 727 250 7612", phone: "",
        is_missed: false, seconds: 0, call_id: false, who: "", found_by: "", is_sure: false, next_seconds: 30,
        lines: [line("arrival", "waiting"), line("who", "waiting")],
    };
    onRpc("telephony.test.call", "get_test_choices", () => [
        { id: 1, name: "Office", note: "", numbers: [{ id: 5, name: "+77272507612" }, { id: 6, name: "+77272507699" }] },
        { id: 2, name: "Cloud", note: "Not tested since: new extensions: 105", numbers: [] },
    ]);
    onRpc("telephony.test.call", "begin_test", ({ args }) => {
        expect.step(["begin_test", ...args]);
        return progress;
    });
    for (const method of ["get_progress", "not_this_call", "end_test"]) {
        onRpc("telephony.test.call", method, ({ args: [[id]] }) => {
            expect.step(`${method} ${id}`);
            return method === "end_test" || progress;
        });
    }
});

async function open(params = {}) {
    await mountWithCleanup(WebClient);
    await getService("action").doAction({ type: "ir.actions.client", tag: "crm_telephony.test_call", params });
}

async function begin() {
    await open();
    await click(".o_telephony_test_begin");
    await animationFrame();
    expect.verifySteps([["begin_test", 1, 5, "", false]]);
}

test("what is chosen is tested", async () => {
    await open({ account_id: 2 });
    expect("#o_telephony_test_pbx").toHaveValue("2");
    expect(".o_telephony_test_note:first").toHaveText("Not tested since: new extensions: 105");
    expect("#o_telephony_test_number").toHaveCount(0);
    await contains("#o_telephony_test_pbx").select("1");
    await contains("#o_telephony_test_number").select("6");
    await click("#o_telephony_test_phone");
    await edit(" 8 777 123 45 67 ");
    await click(".o_telephony_test_kind input:last");
    await click(".o_telephony_test_begin");
    await animationFrame();
    expect.verifySteps([["begin_test", 1, 6, "8 777 123 45 67", true]]);
});

test("facts are ticked off when the server tells, without asking in between", async () => {
    await begin();
    expect(".o_telephony_test_now h2 a").toHaveAttribute("href", "tel:+77272507612");
    await advanceTime(20_000);
    expect.verifySteps([]);
    progress = { ...progress, call_id: 4, who: "Anna", found_by: "The first call", lines: [line("arrival", "seen"), line("who", "waiting")] };
    hear({ id: 8 }); // a colleague's test
    await animationFrame();
    expect.verifySteps([]);
    const answer = new Deferred();
    onRpc("telephony.test.call", "get_progress", async () => {
        await answer;
        return progress;
    });
    hear({ id: 9, seen: ["arrival"] });
    await animationFrame();
    expect(".o_telephony_test_line[data-fact=arrival]").toHaveAttribute("data-state", "seen", { message: "before the server has told the rest" });
    answer.resolve();
    await animationFrame();
    await animationFrame();
    expect(".o_telephony_test_line[data-state=seen]").toHaveText(/arrival.*has come.*0:07/s);
    expect(".o_telephony_test_about").toHaveText(/The first call/);
    progress = { ...progress, who: "Boris" };
    hear({}); // the bus was lost
    await animationFrame();
    await animationFrame();
    expect(".o_telephony_test_now h2").toHaveText("The call is here: Boris");
});

test("what has not come in its time is named, and leads to where it is mended", async () => {
    await begin();
    progress = { ...progress, next_seconds: null, state: "failed", lines: [line("arrival", "missing", { text: "Enter the address.", place: "account" })] };
    await advanceTime(30_000);
    await animationFrame();
    expect.verifySteps(["get_progress 9"]);
    expect(".o_telephony_test_text").toHaveText(/Enter the address/);
    expect(".o_telephony_test_now").toHaveAttribute("data-state", "failed");
    await advanceTime(600_000);
    expect.verifySteps([]);
    await click(".o_telephony_test_now .btn-primary");
    await animationFrame();
    expect.verifySteps([["begin_test", 1, 5, "", false]]);
});

test("somebody else's call is let go, and a test is stopped", async () => {
    await begin();
    expect("button:contains('Not My Call')").toHaveCount(0);
    progress = { ...progress, call_id: 4, who: "Stranger", found_by: "The first call" };
    hear({ id: 9 });
    await animationFrame();
    await click("button:contains('Not My Call')");
    await animationFrame();
    await click("button:contains('Stop')");
    await animationFrame();
    expect.verifySteps(["get_progress 9", "not_this_call 9", "end_test 9"]);
    expect(".o_telephony_test_choice").toHaveCount(1);
    hear({ id: 9 });
    await advanceTime(60_000);
    expect.verifySteps([]);
});

test("the form of a test that is over shows its facts", async () => {
    mockService("action", { doAction: (action) => expect.step([action.res_model, action.res_id]) });
    await mountView({
        type: "form", resModel: "telephony.test.call", resId: 3,
        arch: `<form><field name="lines" widget="telephony_test_lines"/></form>`,
    });
    expect(".o_telephony_test_text").toHaveText(/<b>Enter<\/b> 103/);
    await click("button:contains('Open the PBX')");
    await animationFrame();
    expect.verifySteps([["telephony.account", 1]]);
});

test("the first steps lead to what is missing", async () => {
    const item = (state, text, action = false) => ({ state, text, action });
    onRpc("telephony.get.started", "get_steps", () => [
        { code: "scheme", title: "Choose the scheme", help: "", state: "done", items: [item("done", "Office")] },
        { code: "test", title: "Make a test call", help: "", state: "todo", items: [item("todo", "Office: never tested", "some.action"), item("done", "Cloud")] },
        { code: "live", title: "Go live", help: "", state: "later", items: [item("later", "Office")] },
    ]);
    await mountWithCleanup(WebClient);
    await getService("action").doAction({ type: "ir.actions.client", tag: "crm_telephony.get_started" });
    expect(".o_telephony_start_progress").toHaveText("1 of 3 steps are done");
    expect(queryAllTexts(".o_telephony_start_number")).toEqual(["", "2", "3"]);
    expect("[aria-current=step]").toHaveAttribute("data-step", "test");
    expect(".o_telephony_start_step button").toHaveCount(1);
    expect(".o_telephony_start_step button").toHaveText("Office: never tested");
});
