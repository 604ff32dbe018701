import { registry } from "@web/core/registry";

registry.category("web_tour.tours").add("telephony_salesperson", {
    steps: () => [
        {
            content: "find the customer's call by a part of the number, as one dials it",
            trigger: ".o_searchview_input",
            run: "fill 8 (777) 123",
        },
        {
            trigger: ".o_searchview_autocomplete .o-dropdown-item:first",
            run: "click",
        },
        {
            content: "open the lost call",
            trigger: ".o_data_row:contains('+7 777 123 4567'):has(.o_telephony_outcome:contains(Missed)) td[name=who]",
            run: "click",
        },
        {
            trigger: ".o_form_view .o_telephony_timeline_row:contains(101)",
        },
        {
            content: "go to its deal",
            trigger: ".o_field_widget[name=lead_id] input",
            run: "click",
        },
        {
            trigger: ".o_field_widget[name=lead_id] .o_external_button",
            run: "click",
        },
        {
            trigger: ".o_form_view button[name=action_view_telephony_calls]:contains(1 missed)",
        },
        {
            trigger: ".o_notebook a[name=telephony_calls]",
            run: "click",
        },
        {
            trigger: ".o_field_widget[name=telephony_call_ids] .o_data_row .o_telephony_outcome:contains(Missed)",
        },
        {
            content: "what is to be called back",
            trigger: "[data-menu-xmlid='crm_telephony.telephony_menu']",
            run: "click",
        },
        {
            trigger: ".o-dropdown--menu [data-menu-xmlid='crm_telephony.telephony_callback_menu']",
            run: "click",
        },
        {
            content: "it stands in the late column, with its deal",
            trigger:
                ".o_telephony_board .o_kanban_group:contains(Late) .o_kanban_record:contains('+7 777 123 4567'):contains(Deal):has(.o_telephony_due.text-danger)",
        },
        {
            content: "the systray tells that it is late",
            trigger: ".o_telephony_systray_toggle .text-bg-danger:contains(1)",
        },
        {
            trigger: ".o_switch_view.o_list",
            run: "click",
        },
        {
            trigger: ".o_data_row:contains('+7 777 123 4567') button[name=action_open_done]",
            run: "click",
        },
        {
            content: "no talk: asked how the customer was served",
            trigger: ".modal .o_radio_item:contains(In a messenger) input",
            run: "click",
        },
        {
            trigger: ".modal .modal-footer button:contains(Close Callback)",
            run: "click",
        },
        {
            content: "it is no longer to be called",
            trigger: ".o_data_row:contains('+7 777 123 4567') .badge:contains(Saved)",
        },
        {
            content: "and no longer in the systray",
            trigger: ".o_telephony_systray_toggle:not(:has(.badge))",
        },
    ],
});
