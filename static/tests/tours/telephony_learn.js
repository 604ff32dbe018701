import { registry } from "@web/core/registry";

const choose = (path, target) => [
    {
        trigger: `.o_telephony_learn_row[data-path='${path}'] .o_telephony_learn_target > select`,
        run: `select ${target}`,
    },
    {
        trigger: `.o_telephony_learn_content[aria-busy=false] .o_telephony_learn_row[data-path='${path}'] .o_telephony_learn_target > select:value(${target})`,
    },
];

registry.category("web_tour.tours").add("telephony_learn_begin", {
    steps: () => [
        {
            trigger: "button[name=action_learn]",
            run: "click",
        },
        {
            trigger: ".o_telephony_learn input[value=capture]",
            run: "click",
        },
        {
            trigger: ".o_telephony_learn input[name=mobile]",
            run: "edit +77771234567",
        },
        {
            trigger: ".o_telephony_learn input[name=dialled]",
            run: "edit +77272507612",
        },
        {
            trigger: ".o_telephony_learn input[name=phone]",
            run: "edit 101",
        },
        {
            trigger: ".o_telephony_learn_start",
            run: "click",
        },
        {
            content: "it listens, and the secret part of the address is hidden",
            trigger: ".o_telephony_learn_listening",
            run() {
                const shown = document.querySelector(".o_telephony_learn_capture .o_telephony_learn_address").textContent;
                if (!shown.endsWith("/••••••")) {
                    throw new Error(`The address is shown as ${shown}`);
                }
            },
        },
    ],
});

registry.category("web_tour.tours").add("telephony_learn_map", {
    steps: () => [
        {
            trigger: "button[name=action_learn]",
            run: "click",
        },
        {
            content: "the kinds were found, and what each tells",
            trigger: ".o_telephony_learn_shapes tr[data-shape=C] select:value(ended)",
        },
        {
            content: "what the PBX sent is text, also where it looks like a page",
            trigger: ".o_telephony_learn_values:contains('<img src=x')",
            run() {
                if (document.querySelector(".o_telephony_learn img")) {
                    throw new Error("Markup of a PBX became a part of the page");
                }
            },
        },
        {
            content: "what Odoo is sure of is chosen, and it says why",
            trigger: ".o_telephony_learn_row[data-path='$.from'] .fa-check",
        },
        {
            content: "the last kind",
            trigger: ".o_telephony_learn_fields [role=tab]:contains(C)",
            run: "click",
        },
        ...choose("$.status", "outcome"),
        {
            content: "a word that Odoo does not know",
            trigger: ".o_telephony_learn_word:contains(NIEMAND) select",
            run: "select no_answer",
        },
        {
            trigger: ".o_telephony_learn_content[aria-busy=false] .o_telephony_learn_word:contains(JEMAND) select",
            run: "select answered",
        },
        {
            content: "the calls are seen at once",
            trigger: ".o_telephony_learn_call[data-outcome=missed]",
        },
        {
            trigger: ".o_telephony_learn_call[data-outcome=answered]",
        },
        {
            content: "not before it is said how genuine requests are known",
            trigger: ".o_telephony_learn_go:disabled",
        },
        {
            trigger: ".o_telephony_learn_check label:contains('secret address only')",
            run: "click",
        },
        {
            trigger: ".o_telephony_learn_go:enabled",
            run: "click",
        },
        {
            trigger: ".o_telephony_learn_live .o_telephony_learn_template:contains(Unknown)",
        },
    ],
});
