import { registry } from "@web/core/registry";

/** How many records the last click is to show. */
let expected;

const chosen = (period) => `select[name=period]:value(${period})`;

/** Steps that click on a number, compare the list with it, and go back to what was chosen. */
function opens(content, trigger, choice = chosen("yesterday")) {
    return [
        {
            content,
            trigger: `.o_telephony_figures_body:not(.o_telephony_old) ${trigger}`,
            run({ click }) {
                expected = Number(this.anchor.dataset.count);
                if (!expected) {
                    throw new Error(`${trigger} has counted nothing: the test needs calls for it`);
                }
                return click();
            },
        },
        {
            content: `${content}: as many in the list`,
            trigger: ".o_list_view .o_pager_limit",
            run() {
                if (Number(this.anchor.textContent) !== expected) {
                    throw new Error(`${trigger} says ${expected}, its list has ${this.anchor.textContent}`);
                }
            },
        },
        {
            trigger: ".o_back_button",
            run: "click",
        },
        {
            content: "what was chosen still is",
            trigger: `.o_telephony_figures ${choice}`,
        },
    ];
}

registry.category("web_tour.tours").add("telephony_figures", {
    steps: () => [
        {
            trigger: ".o_telephony_figures select[name=period]:value(days_30)",
            run: "select yesterday",
        },
        ...opens("lost callers", "[data-figure=lost_callers] .o_telephony_figure_open"),
        ...opens("callers, once each", "[data-figure=lost_callers] .o_telephony_figure_note:contains(Callers)"),
        ...opens("lost calls", "[data-figure=lost_calls] .o_telephony_figure_open"),
        ...opens("offered calls", "[data-figure=lost_calls] .o_telephony_figure_note:contains(Offered)"),
        ...opens("could not get in", "[data-figure=lost_calls] .o_telephony_figure_note:contains(could not get in)"),
        ...opens("answered calls", "[data-figure=answer] .o_telephony_figure_open"),
        ...opens("answered in time", "[data-figure=service_level] .o_telephony_figure_open"),
        ...opens("short talks", "[data-figure=short_talks] .o_telephony_figure_open"),
        ...opens("a cause", ".o_telephony_causes_names button"),
        ...opens("an hour of the week", ".o_telephony_heat button[data-level='4']"),
        {
            trigger: ".o_telephony_days_toggle",
            run: "click",
        },
        ...opens("a day", ".o_telephony_days_table tbody td button"),
        {
            content: "the board of open callbacks",
            trigger: "[data-figure=owed] .o_telephony_figure_open",
            run({ click }) {
                expected = Number(this.anchor.dataset.count);
                return click();
            },
        },
        {
            trigger: ".o_telephony_board .o_telephony_count",
            run() {
                const counts = [...document.querySelectorAll(".o_telephony_count")].map((badge) => Number(badge.textContent));
                const shown = counts.reduce((sum, count) => sum + count, 0);
                if (!expected || shown !== expected) {
                    throw new Error(`${expected} are owed, the board has ${shown}`);
                }
            },
        },
    ],
});

/** Steps that show a tab of yesterday. */
function shows(tab) {
    return [
        {
            trigger: ".o_telephony_figures select[name=period]:value(days_30)",
            run: "select yesterday",
        },
        {
            trigger: `.o_telephony_figures_tabs [data-tab=${tab}]`,
            run: "click",
        },
    ];
}

/** Steps that open a table as pivot and go back. */
function pivots(name) {
    return [
        {
            trigger: `.o_telephony_figures_body:not(.o_telephony_old) [data-pivot=${name}]`,
            run: "click",
        },
        {
            content: `${name}: the pivot has a row beside its total`,
            trigger: ".o_pivot tbody tr:nth-child(2) .o_pivot_cell_value:not(.o_empty)",
        },
        {
            trigger: ".o_back_button",
            run: "click",
        },
    ];
}

const column = (name) => `.o_telephony_figures_cards td[data-column=${name}] button`;

registry.category("web_tour.tours").add("telephony_figures_people", {
    steps: () => [
        ...shows("people"),
        ...["rang", "picked_up", "lost_beside_free", "contacts", "short", "attempts"].flatMap((name) => opens(name, column(name))),
        ...["phones", "calls"].flatMap(pivots),
        {
            content: "the tab is still the one that was chosen",
            trigger: ".o_telephony_figures_tabs .active[data-tab=people]",
        },
    ],
});

registry.category("web_tour.tours").add("telephony_figures_sources", {
    steps: () => [
        ...shows("sources"),
        ...["offered", "lost", "first_calls", "contacts"].flatMap((name) => opens(name, column(name))),
        ...pivots("sources"),
        {
            trigger: "[data-by=number]",
            run: "click",
        },
        ...opens("by company number", `tr:contains(727) ${column("offered").replace(".o_telephony_figures_cards ", "")}`),
        {
            content: "costs are entered in a list",
            trigger: "button:contains(Enter Costs)",
            run: "click",
        },
        {
            trigger: ".o_list_view .o_list_button_add",
        },
    ],
});

registry.category("web_tour.tours").add("telephony_figures_lines", {
    steps: () => [
        ...shows("lines"),
        {
            trigger: ".o_telephony_lines:contains(Most calls at once: 1, at 10:00)",
        },
        {
            trigger: ".o_telephony_lines:contains(Enter Lines)",
        },
        {
            trigger: ".o_telephony_advice:contains(Four weeks)",
        },
        ...opens("a cause", ".o_telephony_causes_names button"),
    ],
});

registry.category("web_tour.tours").add("telephony_figures_claims", {
    steps: () => [
        ...shows("claims"),
        ...opens("no call found", `.o_telephony_claims ${column("none")}`),
        ...opens("attempts", `.o_telephony_attempts ${column("attempts")}`),
        ...["claims", "attempts"].flatMap(pivots),
        ...opens("an hour at which a customer answered", ".o_telephony_heat button[data-level='4']"),
    ],
});

registry.category("web_tour.tours").add("telephony_milestone", {
    steps: () => [
        {
            content: "from the list of milestones",
            trigger: ".o_list_view tr:contains(More lines) button[name=action_compare]",
            run: "click",
        },
        {
            content: "four weeks, of which most are to come",
            trigger: ".o_telephony_sides:contains(days still to come)",
        },
        ...opens("lost calls after it", ".o_telephony_sides [data-side=after] button", "select[name=weeks]:value(4)"),
        {
            trigger: ".o_telephony_figures_tabs [data-tab=overview]",
            run: "click",
        },
        {
            content: "from the day in the chart",
            trigger: ".o_telephony_days_milestones button:contains(More lines)",
            run: "click",
        },
        {
            trigger: ".o_telephony_sides select[name=milestone]",
        },
    ],
});

registry.category("web_tour.tours").add("telephony_mine", {
    steps: () => [
        ...["picked_up", "contacts", "attempts", "callbacks", "unproved"].flatMap((id) =>
            opens(id, `[data-figure=${id}] .o_telephony_figure_open`, chosen("this_week"))
        ),
        {
            trigger: ".o_telephony_figures_log",
            run: "click",
        },
        {
            trigger: ".modal .o_form_view",
        },
    ],
});
