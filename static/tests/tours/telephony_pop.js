import { browser } from "@web/core/browser/browser";
import { registry } from "@web/core/registry";

/** The PBX tells the next of the events that the test has prepared and signed, through the real webhook. */
const pbx = (event) => ({
    content: `the PBX tells: ${event}`,
    trigger: "body",
    async run() {
        const { address, events } = window.telephonyPbx;
        const { body, signature } = events[event];
        const answer = await fetch(address, {
            method: "POST", body, headers: { "Content-Type": "application/json", "X-Telephony-Signature": signature },
        });
        if (answer.status !== 200) {
            throw new Error(`the webhook answers ${answer.status}`);
        }
    },
});

const card = (phase) => `.o_telephony_card[data-phase=${phase}]`;
const gone = { content: "the card is gone", trigger: "body:not(:has(.o_telephony_card))" };
let clock;

registry.category("web_tour.tours").add("telephony_pop", {
    steps: () => [
        {
            content: "somebody writes something",
            trigger: ".o_searchview_input",
            run: "click",
        },
        pbx("ringing"),
        {
            content: "who calls, and about which deal",
            trigger: `${card("ringing")}:has(.o_telephony_card_name:contains("<b>Aigerim</b>")) .o_telephony_card_lead:contains(Flour)`,
            run() {
                if (document.activeElement?.closest(".o_telephony_card")) {
                    throw new Error("the card has taken the focus");
                }
                if (document.querySelector(".o_telephony_card b")) {
                    throw new Error("a name is taken for HTML");
                }
            },
        },
        { trigger: ".o_telephony_cards [role=status]:contains(Incoming call)" },
        pbx("answered"),
        {
            trigger: `${card("talking")} .o_telephony_card_clock`,
            run() {
                clock = this.anchor.textContent;
            },
        },
        {
            content: "the clock runs",
            trigger: `${card("talking")} .o_telephony_card_clock`,
            async run({ waitUntil }) {
                await waitUntil(() => this.anchor.textContent !== clock, { timeout: 5000 });
            },
        },
        {
            trigger: `${card("talking")} .o_telephony_card_note`,
            run: "edit Wants samples && press Tab",
        },
        pbx("ended"),
        {
            content: "how long it was",
            trigger: `${card("ended")} .o_telephony_card_clock:contains(0:42)`,
        },
        { content: "and which deal it was about", trigger: `${card("ended")} .o_telephony_card_deal:contains(Flour)` },
        {
            trigger: `${card("ended")} .o_telephony_disposition:contains(Will think)`,
            run: "click",
        },
        {
            content: "the result proposes the next activity, the talk's note is there, the activity can be done",
            trigger: `${card("ended")}:has(.o_telephony_result_date):has(.o_telephony_result_done:contains(Ask) input:checked) .o_telephony_result_save`,
            run() {
                const note = document.querySelector(".o_telephony_result_note").value;
                if (note !== "Wants samples") {
                    throw new Error(`the note is lost: ${note}`);
                }
            },
        },
        {
            trigger: `${card("ended")} .o_telephony_result_save`,
            run: "click",
        },
        gone,
    ],
});

registry.category("web_tour.tours").add("telephony_pop_reload", {
    steps: () => [
        { content: "the result of the talk is asked for on a page that is opened after it", trigger: `${card("ended")} .o_telephony_result_note` },
        {
            trigger: `${card("ended")} .o_telephony_result_note`,
            run: "edit Wants samples",
        },
        {
            trigger: `${card("ended")} .o_telephony_disposition:contains(Will think)`,
            run: "click",
        },
        {
            content: "the page is loaded again before it is saved",
            trigger: `${card("ended")} .o_telephony_disposition[aria-pressed=true]`,
            run: () => browser.location.reload(),
            expectUnloadPage: true,
        },
        {
            content: "nothing is lost",
            trigger: `${card("ended")}:has(.o_telephony_disposition[aria-pressed=true]:contains(Will think)) .o_telephony_result_save`,
            run() {
                const note = document.querySelector(".o_telephony_result_note").value;
                if (note !== "Wants samples") {
                    throw new Error(`the note is lost: ${note}`);
                }
            },
        },
        {
            content: "the guess was wrong: it was about the other deal",
            trigger: `${card("ended")} .o_telephony_card_other_deal`,
            run: "click",
        },
        {
            trigger: `${card("ended")} .o_telephony_card_lead:contains(Oven) .o_telephony_card_pick`,
            run: "click",
        },
        {
            trigger: `${card("ended")}:has(.o_telephony_card_deal:contains(Oven)) .o_telephony_result_save`,
            run: "click",
        },
        gone,
    ],
});

registry.category("web_tour.tours").add("telephony_pop_stranger", {
    steps: () => [
        { content: "it rings already when the page is opened", trigger: `${card("ringing")} .o_telephony_card_create` },
        {
            trigger: ".o_telephony_card_create input[name=name]",
            run: "edit Timur",
        },
        {
            trigger: ".o_telephony_card_create input[name=company]",
            run: "edit Dostyk",
        },
        {
            trigger: ".o_telephony_card_create button[type=submit]",
            run: "click",
        },
        { trigger: `${card("ringing")}:has(.o_telephony_card_name:contains(Timur)):contains(Dostyk)` },
        {
            content: "less of it",
            trigger: ".o_telephony_card_fold",
            run: "click",
        },
        { trigger: ".o_telephony_card:not(:has(.o_telephony_card_body))" },
        pbx("answered"),
        { content: "a colleague has taken it", trigger: `${card("gone")} .o_telephony_card_phase:contains(Boris)` },
        { ...gone, content: "and the card leaves by itself" },
    ],
});

registry.category("web_tour.tours").add("telephony_pop_two", {
    steps: () => [
        pbx("first"),
        { trigger: `${card("ringing")} .o_telephony_card_lead` },
        pbx("answered"),
        { trigger: `${card("talking")} .o_telephony_card_note` },
        pbx("second"),
        {
            content: "the talk stays in sight, the other one is told in short",
            trigger: `.o_telephony_cards:has(${card("talking")} .o_telephony_card_body) ${card("ringing")}:not(:has(.o_telephony_card_body))`,
            run() {
                const count = document.querySelectorAll(".o_telephony_card").length;
                if (count !== 2) {
                    throw new Error(`${count} cards of 2 calls`);
                }
            },
        },
        {
            content: "somebody has seen it: what is over within half a second leaves no card",
            trigger: card("ringing"),
            run: () => new Promise((resolve) => setTimeout(resolve, 700)),
        },
        pbx("lost"),
        { trigger: `${card("lost")} .o_telephony_card_phase:contains(Missed call)` },
        {
            trigger: `${card("lost")} .o_telephony_card_close`,
            run: "click",
        },
        { trigger: `.o_telephony_cards:not(:has(${card("lost")})) ${card("talking")}` },
        pbx("ended"),
        {
            content: "nobody has to say anything",
            trigger: `${card("ended")} .o_telephony_result_skip`,
            run: "click",
        },
        gone,
    ],
});
