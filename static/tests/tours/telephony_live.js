import { registry } from "@web/core/registry";

// The test gives the deliveries of a call in window.telephonyDeliveries: {path, body, headers}.
async function deliver(place) {
    const { path, body, headers } = window.telephonyDeliveries[place];
    const response = await fetch(path, { method: "POST", body, headers });
    if (!response.ok) {
        throw new Error(`the webhook answered ${response.status}`);
    }
}

registry.category("web_tour.tours").add("telephony_live", {
    steps: () => [
        {
            content: "nobody calls yet",
            trigger: ".o_telephony_live_calls .o_telephony_live_nothing",
            run: async () => {
                window.telephonyPage = "the same";
                await deliver(0);
            },
        },
        {
            content: "a caller waits in the queue",
            trigger: ".o_telephony_live_call[data-phase=waiting]:contains(Customer)",
            run: () => deliver(1),
        },
        {
            content: "Anna's phone rings",
            trigger: ".o_telephony_live_call[data-phase=ringing]:contains(Anna)",
        },
        {
            trigger: ".o_telephony_live_person[data-state=ringing]:contains(Anna)",
            run: () => deliver(2),
        },
        {
            trigger: ".o_telephony_live_call[data-phase=talking]:contains(Anna)",
        },
        {
            trigger: ".o_telephony_live_person[data-state=talking]:contains(Anna)",
        },
        {
            content: "the same on the wall",
            trigger: ".o_telephony_wallboard_on",
            run: "click",
        },
        {
            trigger: ".o_telephony_wallboard .o_telephony_live_call[data-phase=talking]",
            run: () => deliver(3),
        },
        {
            content: "the call is over",
            trigger: ".o_telephony_wallboard .o_telephony_live_calls .o_telephony_live_nothing",
        },
        {
            content: "back on the page, which was never loaded again",
            trigger: ".o_telephony_wallboard_off:not(:visible), .o_telephony_wallboard_off",
            run: () => {
                if (window.telephonyPage !== "the same") {
                    throw new Error("the page was loaded again");
                }
                document.querySelector(".o_telephony_wallboard_off").click();
            },
        },
        {
            trigger: ".o_telephony_live .o_control_panel",
        },
    ],
});
