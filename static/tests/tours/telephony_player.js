import { registry } from "@web/core/registry";

const PLAYER = ".o_telephony_player";
/** The clock has left the beginning, so sound comes. */
const PLAYS = `${PLAYER}_play .fa-pause`;
const MOVED = `${PLAYER}_clock:not(:contains('0:00 /'))`;

registry.category("web_tour.tours").add("telephony_player", {
    steps: () => [
        {
            content: "the lanes are drawn before anything is fetched",
            trigger: `.o_form_view ${PLAYER}:has(.o_telephony_wave > div) ${PLAYER}_names:contains(We):contains(Customer)`,
        },
        {
            trigger: `${PLAYER}_play`,
            run: "click",
        },
        {
            trigger: PLAYS,
        },
        {
            content: "our own copy is heard",
            trigger: MOVED,
        },
        {
            content: "a click on the lanes goes on there",
            trigger: `${PLAYER}_seek`,
            run() {
                const slider = this.anchor.querySelector("input");
                slider.value = 7;
                slider.dispatchEvent(new Event("input", { bubbles: true }));
                slider.dispatchEvent(new Event("change", { bubbles: true }));
            },
        },
        {
            trigger: `${PLAYER}_clock:contains(/0:0[89]/)`,
        },
        {
            trigger: `${PLAYER}_play`,
            run: "press k",
        },
        {
            trigger: `${PLAYER}_play .fa-play`,
        },
        {
            content: "only one side, through the browser's own audio graph",
            trigger: `${PLAYER}_side`,
            run: "select 1",
        },
        {
            trigger: ".o_telephony_recording_swap",
            run: "click",
        },
        {
            trigger: ".o_back_button, .o_breadcrumb .breadcrumb-item:first a",
            run: "click",
        },
        {
            content: "one click in the list plays",
            trigger: ".o_list_view .o_telephony_recording_button",
            run: "click",
        },
        {
            trigger: `.o_popover ${PLAYS}`,
        },
        {
            trigger: `.o_popover ${MOVED}`,
        },
    ],
});

registry.category("web_tour.tours").add("telephony_player_reason", {
    steps: () => [
        {
            trigger: `${PLAYER}_play`,
            run: "click",
        },
        {
            trigger: `${PLAYER}_reason input`,
            run: "edit Third week",
        },
        {
            trigger: `${PLAYER}_reason button:enabled`,
            run: "click",
        },
        {
            trigger: PLAYS,
        },
        {
            trigger: MOVED,
        },
    ],
});
