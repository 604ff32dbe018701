import { registry } from "@web/core/registry";

// The test gives the deliveries of a call in window.telephonyDeliveries: {path, body, headers}.
async function deliver(place) {
    const { path, body, headers } = window.telephonyDeliveries[place];
    const response = await fetch(path, { method: "POST", body, headers });
    if (!response.ok) {
        throw new Error(`the webhook answered ${response.status}`);
    }
}

const line = (fact, state) => `.o_telephony_test_line[data-fact=${fact}][data-state=${state}]`;

registry.category("web_tour.tours").add("telephony_test_call", {
    steps: () => [
        {
            content: "the steps say that the PBX was never tested, and lead to the test",
            trigger: ".o_telephony_start_step[data-step=test] li[data-state=todo] button:contains(Middleware)",
            run: "click",
        },
        {
            trigger: "#o_telephony_test_phone",
            run: "edit 8 777 123 45 67",
        },
        {
            trigger: ".o_telephony_test_begin",
            run: "click",
        },
        {
            content: "nothing has come yet; the phone rings",
            trigger: line("arrival", "waiting"),
            run: () => deliver(0),
        },
        {
            trigger: `${line("caller", "seen")}:contains(+7 777 123 4567)`,
        },
        {
            content: "the tester's own phone rings: the card comes up beside the test",
            trigger: line("card", "seen"),
            run: () => deliver(1),
        },
        {
            trigger: `${line("who", "seen")}:contains(Admin)`,
            run: () => deliver(2),
        },
        {
            trigger: `${line("talk", "seen")}:contains(0:10)`,
            run: () => deliver(3),
        },
        {
            trigger: ".o_telephony_test_now[data-state=passed]",
        },
        {
            trigger: line("recording", "seen"),
        },
        {
            content: "the test is kept",
            trigger: ".o_control_panel button:contains(Earlier Tests)",
            run: "click",
        },
        {
            trigger: ".o_data_row:contains(Passed)",
        },
    ],
});
