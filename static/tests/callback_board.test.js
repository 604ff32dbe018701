import { beforeEach, describe, expect, test } from "@odoo/hoot";
import { hover, manuallyDispatchProgrammaticEvent, queryAllTexts } from "@odoo/hoot-dom";
import { advanceTime, animationFrame } from "@odoo/hoot-mock";
import {
    contains, defineModels, fields, MockServer, mockService, models, mountView, onRpc, patchWithCleanup, serverState,
} from "@web/../tests/web_test_helpers";
import { defineMailModels } from "@mail/../tests/mail_test_helpers";

class TelephonyCallback extends models.Model {
    _name = "telephony.callback";

    who = fields.Char();
    busy_with = fields.Char();
    last_call_text = fields.Char();
    status = fields.Selection({ selection: [["late", "Late"], ["open", "Open"], ["saved", "Saved"], ["lost", "Lost"]] });
    _records = [
        { id: 1, who: "Anna's customer", status: "late" },
        { id: 2, who: "Boris's customer", status: "open", busy_with: "You are talking" },
    ];
}

describe.current.tags("desktop");
defineMailModels();
defineModels([TelephonyCallback]);

let tell;

beforeEach(async () => {
    mockService("telephony", {
        onCallbacks(callback) {
            tell = callback;
            return () => (tell = undefined);
        },
    });
    onRpc("telephony.callback", "web_read_group", () => {
        expect.step("load");
    });
    await mountView({
        type: "kanban",
        resModel: "telephony.callback",
        groupBy: ["status"],
        arch: `
            <kanban js_class="telephony_callback_board">
                <progressbar field="status" colors='{"late": "danger"}'/>
                <templates><t t-name="menu"><a class="dropdown-item">Take It</a></t><t t-name="card">
                    <field name="who"/><field name="busy_with"/><field name="last_call_text"/>
                </t></templates>
            </kanban>`,
    });
    expect.verifySteps(["load"]);
});

const company = () => serverState.companies[0].id;
const columns = () => queryAllTexts(".o_kanban_group .o_kanban_record").join(" | ");

test("a talk ends: the card says so, and nobody talks any more", async () => {
    expect(columns()).toInclude("You are talking");
    MockServer.env["telephony.callback"].write([2], { busy_with: false, last_call_text: "Short talk" });
    tell({ company_id: company(), ids: [2] });
    await advanceTime(1_000);
    await animationFrame();
    expect.verifySteps(["load"]);
    expect(columns()).not.toInclude("You are talking");
    expect(columns()).toInclude("Short talk");
});

test("a colleague closes one: it moves to its column, counted there", async () => {
    MockServer.env["telephony.callback"].write([1], { status: "saved" });
    tell({ company_id: company(), ids: null });
    await advanceTime(1_000);
    await animationFrame();
    expect.verifySteps(["load"]);
    expect(queryAllTexts(".o_kanban_group:contains(Saved) .o_kanban_record")).toEqual(["Anna's customer"]);
    expect(".o_kanban_group:contains(Saved) .o_telephony_count").toHaveText("1");
});

test("not for each of many news, not for calls of others and not for another company", async () => {
    for (let news = 0; news < 10; news++) {
        tell({ company_id: company(), ids: [1] });
        await advanceTime(50);
    }
    await advanceTime(2_000);
    expect.verifySteps(["load"]);
    tell({ company_id: company(), ids: [99] });
    tell({ company_id: 99, ids: null });
    await advanceTime(2_000);
    expect.verifySteps([]);
});

test("a menu that is open stays open, and its card tells the news", async () => {
    const card = ".o_kanban_record:contains(customer):first";
    await hover(card);
    await contains(`${card} .o_dropdown_kanban button`, { visible: false }).click();
    MockServer.env["telephony.callback"].write([1], { who: "Somebody's customer" });
    tell({ company_id: company(), ids: null });
    await advanceTime(1_000);
    await animationFrame();
    expect.verifySteps(["load"]);
    expect(columns()).toInclude("Somebody's customer");
    expect(".o-dropdown--menu").toHaveCount(1);
    expect(`${card} .o_dropdown_kanban button`).toHaveAttribute("aria-expanded", "true");
});

test("nobody looks at the page: it is loaded once somebody does", async () => {
    let isHidden = true;
    patchWithCleanup(document, { get hidden() { return isHidden; } });
    tell({ company_id: company(), ids: null });
    await advanceTime(5_000);
    expect.verifySteps([]);
    isHidden = false;
    await manuallyDispatchProgrammaticEvent(document, "visibilitychange");
    await advanceTime(1_000);
    expect.verifySteps(["load"]);
});
