import { describe, expect, test } from "@odoo/hoot";
import { click } from "@odoo/hoot-dom";
import { animationFrame } from "@odoo/hoot-mock";
import { defineModels, fields, models, mountView, onRpc } from "@web/../tests/web_test_helpers";
import { defineMailModels } from "@mail/../tests/mail_test_helpers";

class TelephonyAccount extends models.Model {
    _name = "telephony.account";

    name = fields.Char();
    strangers = fields.Json();

    _records = [
        {
            id: 1, name: "Office",
            strangers: [
                { name: "SIP/205", extension: "205", is_trunk: false },
                { name: "SIP/701", extension: "701", is_trunk: true },
            ],
        },
    ];
}

describe.current.tags("desktop");
defineMailModels();
defineModels([TelephonyAccount]);

test("an endpoint that nobody has entered is a trunk or a phone with one click", async () => {
    const strangers = TelephonyAccount._records[0].strangers;
    const said = (method) => onRpc("telephony.account", method, ({ args }) => {
        expect.step([method, ...args]);
        strangers.splice(0, strangers.length);
        return true;
    });
    said("action_is_trunk");
    said("action_is_phone");
    await mountView({
        type: "form", resModel: "telephony.account", resId: 1,
        arch: `<form><field name="name"/><field name="strangers" widget="telephony_strangers" readonly="1"/></form>`,
    });
    expect(".o_telephony_strangers code:eq(1)").toHaveText("SIP/701");
    expect(".o_telephony_strangers").toHaveText(/SIP\/205\s*taken for a phone/);
    expect(".o_telephony_strangers").toHaveText(/SIP\/701\s*taken for a trunk/);

    await click(".o_telephony_strangers button:contains('Is a Phone'):first");
    await animationFrame();
    expect.verifySteps([["action_is_phone", [1], "205"]]);
});
