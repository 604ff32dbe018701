import { registry } from "@web/core/registry";

const ROW = ".o_data_row:contains('+7 777 123 4567')";
const CHIP = ".o_telephony_candidates button";

registry.category("web_tour.tours").add("telephony_settle", {
    steps: () => [
        {
            content: "two deals fit: choose one in the list",
            trigger: `${ROW} ${CHIP}:contains(Flour)`,
            run: "click",
        },
        {
            content: "it says what happened, and that it lasts",
            trigger: ".o_notification:contains(Flour):contains(next calls)",
        },
        {
            content: "the call waits no longer",
            trigger: `.o_list_view:not(:has(${ROW}))`,
        },
        {
            content: "that was the wrong one",
            trigger: ".o_notification button:contains(Undo)",
            run: "click",
        },
        {
            trigger: ".o_notification:contains(Undone)",
        },
        {
            content: "it waits again: look closer",
            trigger: `${ROW} td[name=start_at]`,
            run: "click",
        },
        {
            trigger: `.o_form_view .o_telephony_candidates:contains(Which deal is it about?) button:contains(Flour)`,
        },
        {
            trigger: `.o_form_view ${CHIP}:contains(Sugar)`,
            run: "click",
        },
        {
            content: "the deal is set, by whom, and there is a way back",
            trigger: ".o_form_view .o_field_widget[name=lead_id] input:value(Sugar)",
        },
        {
            trigger: ".o_form_view .o_field_widget[name=match_reason]:contains(Set by Anna)",
        },
        {
            trigger: ".o_form_view .o_telephony_candidates .o_telephony_forget",
        },
    ],
});

registry.category("web_tour.tours").add("telephony_settle_next", {
    steps: () => [
        {
            content: "nothing waits",
            trigger: ".o_list_view .o_view_nocontent, .o_list_view:not(:has(.o_data_row))",
        },
        {
            trigger: "[data-menu-xmlid='crm_telephony.telephony_menu']",
            run: "click",
        },
        {
            trigger: ".o-dropdown--menu [data-menu-xmlid='crm_telephony.telephony_call_menu']",
            run: "click",
        },
        {
            content: "the next call of the number is on the deal by itself",
            trigger: ".o_data_row:has(.o_telephony_outcome:contains(Answered)):contains(Sugar) td[name=start_at]",
            run: "click",
        },
        {
            content: "and says why",
            trigger: ".o_form_view .o_field_widget[name=match_reason]:contains(Anna)",
        },
        {
            trigger: ".o_form_view .o_telephony_candidates:not(:has(.o_telephony_forget))",
        },
    ],
});

registry.category("web_tour.tours").add("telephony_settle_many", {
    steps: () => [
        {
            content: "two calls of a number are one row",
            trigger: ".o_data_row:contains('+7 701 555 0013') td[name=waiting_count]:contains(2)",
        },
        {
            content: "the courier",
            trigger: ".o_data_row:contains('+7 701 555 0013') .o_telephony_ignore",
            run: "click",
        },
        {
            trigger: ".o_notification:contains(Ignored from now on)",
        },
        {
            content: "somebody whom the user knows",
            trigger:
                ".o_list_view:not(:has(.o_data_row:contains('+7 701 555 0013'))) .o_data_row:contains('+7 701 555 0014') .o_telephony_whose",
            run: "click",
        },
        {
            trigger: ".modal .o_field_widget[name=partner_id] input",
            run: "edit Customer",
        },
        {
            trigger: ".o-autocomplete--dropdown-item:contains(Customer)",
            run: "click",
        },
        {
            trigger: ".modal button[name=action_apply]",
            run: "click",
        },
        {
            content: "all further strangers of the day at once",
            trigger:
                ".o_list_view:not(:has(.o_data_row:contains('+7 701 555 0014'))) .o_data_row:contains('+7 701 555 0011')",
        },
        {
            trigger: "thead .o_list_record_selector input",
            run: "click",
        },
        {
            trigger: ".o_control_panel button[name=action_choose_contact]",
            run: "click",
        },
        {
            trigger: ".modal .o_field_widget[name=numbers]:contains('+7 701 555 0011'):contains('+7 701 555 0012')",
        },
        {
            trigger: ".modal .o_field_widget[name=partner_id] input",
            run: "edit Customer",
        },
        {
            trigger: ".o-autocomplete--dropdown-item:contains(Customer)",
            run: "click",
        },
        {
            trigger: ".modal button[name=action_apply]",
            run: "click",
        },
        {
            trigger: ".o_notification:contains(2 calls are settled)",
        },
        {
            trigger: ".o_list_view:not(:has(.o_data_row:contains('+777')))",
        },
    ],
});
