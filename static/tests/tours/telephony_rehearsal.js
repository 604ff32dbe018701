import { registry } from "@web/core/registry";

registry.category("web_tour.tours").add("telephony_rehearsal", {
    steps: () => [
        {
            content: "rehearse the rule for missed calls from its form",
            trigger: ".o_data_row:contains(Missed in working hours) td[name=name]",
            run: "click",
        },
        {
            trigger: ".o_form_view .oe_stat_button:contains(Rehearse)",
            run: "click",
        },
        {
            trigger: ".o_field_widget[name=rule_ids] .o_tag:contains(Missed in working hours)",
        },
        {
            trigger: "button[name=action_play]",
            run: "click",
        },
        {
            content: "what it would have done",
            trigger: ".o_field_widget[name=opened_count]:contains(2)",
        },
        {
            trigger: ".o_field_widget[name=total_ids] .o_data_row:contains(call back in 15 min)",
        },
        {
            trigger: ".o_notebook a[name=lines]",
            run: "click",
        },
        {
            trigger: ".o_field_widget[name=line_ids] .o_data_row:contains(+7 701 000 0002):contains(Opens a callback)",
        },
        {
            trigger: ".oe_stat_button[name=action_view_lines]",
            run: "click",
        },
        {
            trigger: ".o_list_view .o_data_row:contains(+7 701 000 0001)",
        },
    ],
});
