import { registry } from "@web/core/registry";

const LATE = ".o_telephony_board .o_kanban_group:contains(Late)";

/** Steps that choose an item of a card's menu. */
function choose(content, card, item) {
    return [
        { content, trigger: card, run: `hover && click ${card} .o_dropdown_kanban button` },
        { trigger: `.o-dropdown--menu .dropdown-item:contains(${item})`, run: "click" },
    ];
}

registry.category("web_tour.tours").add("telephony_board", {
    steps: () => [
        {
            content: "three wait, with the money of their deals",
            trigger: `${LATE}:has(.o_telephony_count:contains(3)) .o_kanban_counter:contains(900)`,
        },
        {
            content: "the bar says what its colour means",
            trigger: `${LATE} .progress-bar.bg-danger[data-tooltip="3 Late"]`,
        },
        {
            content: "the one with high priority stands first, with its owner and how late it is",
            trigger: `${LATE} .o_kanban_record:first:contains(Big customer):contains(Twenty tons):contains(Late by)`,
        },
        ...choose("take the unknown caller's", `${LATE} .o_kanban_record:contains(+7 701 000 0002)`, "Take It"),
        {
            content: "it is mine, says the systray",
            trigger: ".o_telephony_systray_toggle .text-bg-danger:contains(1)",
        },
        ...choose("cancel the third, with a reason", `${LATE} .o_kanban_record:contains(+7 701 000 0003)`, "Cancel"),
        {
            trigger: ".modal .o_selection_badge:contains(Bought elsewhere)",
            run: "click",
        },
        {
            trigger: ".modal .o_field_widget[name=note] input",
            run: "edit was cheaper",
        },
        {
            trigger: ".modal button[name=action_cancel]",
            run: "click",
        },
        {
            content: "it is lost, and the board says why",
            trigger: ".o_telephony_board .o_kanban_group:contains(Lost) .o_kanban_record:contains(Bought elsewhere)",
        },
        ...choose("lost by mistake: a supervisor opens it again", ".o_telephony_board .o_kanban_group:contains(Lost) .o_kanban_record:contains(+7 701 000 0003)", "Reopen"),
        ...choose("and closes it by hand, after a talk on a mobile: nothing but a call says so", `${LATE} .o_kanban_record:contains(+7 701 000 0003)`, "Done"),
        {
            trigger: ".modal .modal-footer button:contains(Log the Call)",
            run: "click",
        },
        {
            content: "prefilled",
            trigger: ".modal:contains(Log a Call) .o_field_widget[name=number] input:value(+77010000003)",
        },
        {
            trigger: ".modal .btn-secondary:contains(Discard)",
            run: "click",
        },
        ...choose("another one was served in another way", `${LATE} .o_kanban_record:contains(+7 701 000 0003)`, "Done"),
        {
            trigger: ".modal .o_radio_item:contains(In another way) input",
            run: "click",
        },
        {
            trigger: ".modal .o_field_widget[name=note] input",
            run: "edit came to the shop",
        },
        {
            trigger: ".modal .modal-footer button:contains(Close Callback)",
            run: "click",
        },
        {
            content: "it is saved by hand: no talk, no minutes",
            trigger:
                ".o_telephony_board .o_kanban_group:contains(Saved) .o_kanban_record:contains(came to the shop):not(:contains(after)) .badge:contains(By hand)",
        },
        {
            content: "call from the systray",
            trigger: ".o_telephony_systray_toggle",
            run: "click",
        },
        {
            trigger: ".o_telephony_systray li:contains(+7 701 000 0002) .btn-primary:contains(Call)",
        },
        {
            trigger: ".o_telephony_systray .btn-link:contains(View all)",
            run: "click",
        },
        {
            content: "only mine are left",
            trigger: `${LATE}:has(.o_telephony_count:contains(1)) .o_kanban_record:contains(+7 701 000 0002)`,
        },
        {
            trigger: ".o_switch_view.o_list",
            run: "click",
        },
        {
            trigger: ".o_data_row:contains(+7 701 000 0002):contains(Late)",
        },
    ],
});

// The test gives the deliveries of calls in window.telephonyDeliveries: {path, body, headers}.
async function deliver(place) {
    const { path, body, headers } = window.telephonyDeliveries[place];
    const response = await fetch(path, { method: "POST", body, headers });
    if (!response.ok) {
        throw new Error(`the webhook answered ${response.status}`);
    }
}

/** As a colleague does on another page. */
async function saveResult(name) {
    const { orm } = odoo.__WOWL_DEBUG__.root.env.services;
    const [call] = await orm.searchRead("telephony.call", [["external_id", "=", "o1"]], ["id"]);
    const [result] = await orm.searchRead("telephony.disposition", [["name", "=", name]], ["id"]);
    await orm.call("telephony.call", "save_result", [[call.id], { disposition_id: result.id }]);
}

const CUSTOMER = ".o_kanban_record:contains(+7 777 123 4567)";

registry.category("web_tour.tours").add("telephony_board_live", {
    steps: () => [
        {
            trigger: `.o_telephony_board ${CUSTOMER}:contains(Missed):not(:has([role=status]))`,
            run: () => deliver(0),
        },
        {
            content: "a colleague talks to the customer",
            trigger: `${CUSTOMER} [role=status]:contains(Anna is talking)`,
            run: () => deliver(1),
        },
        {
            content: "no longer, and the talk was too short to count",
            trigger: `${CUSTOMER}:not(:has([role=status])):contains(Short talk, 0:20, does not count):contains(Tried by us: 1)`,
            run: async () => {
                await saveResult("Agreed");
                await deliver(2);
            },
        },
        {
            content: "but to a result: it is saved",
            trigger: `.o_telephony_board .o_kanban_group:contains(Saved):has(.o_telephony_count) ${CUSTOMER}:contains(We called)`,
        },
    ],
});

registry.category("web_tour.tours").add("telephony_recovery", {
    steps: () => [
        {
            content: "one of three, in whole per cent",
            trigger: ".o_pivot .o_value:contains(/^33%$/)",
        },
        {
            trigger: ".o_switch_view.o_graph",
            run: "click",
        },
        {
            content: "a bar a day, not one for each number of minutes",
            trigger: ".o_graph_canvas_container canvas",
            run() {
                const { labels, datasets } = window.Chart.getChart(this.anchor).data;
                if (labels.length !== 1 || datasets.length !== 1 || Math.round(datasets[0].data[0] * 100) !== 33) {
                    throw new Error(JSON.stringify([labels, datasets.map((dataset) => dataset.data)]));
                }
            },
        },
    ],
});
