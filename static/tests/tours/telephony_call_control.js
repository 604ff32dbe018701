import { registry } from "@web/core/registry";

registry.category("web_tour.tours").add("telephony_call_control", {
    steps: () => [
        {
            content: "call from the deal, with one click",
            trigger: "div[name=phone] .o_telephony_call",
            run: "click",
        },
        {
            trigger: ".o_notification:contains(Your phone 101 is ringing)",
        },
        {
            content: "the planned call has a button, too; the customer has asked not to be called",
            trigger: ".o-mail-Activity:contains('+7 705 111 2233') .o_telephony_activity_call",
            run: "click",
        },
        {
            trigger: ".modal:contains(asked not to be called) .btn-primary:contains(Call)",
            run: "click",
        },
        {
            trigger: "body:not(:has(.modal))",
        },
        {
            content: "log what was said on the private mobile",
            trigger: ".o_notebook a[name=telephony_calls]",
            run: "click",
        },
        {
            trigger: ".o_form_view button:contains(Log a Call)",
            run: "click",
        },
        {
            trigger: ".modal div[name=talk_minutes] input",
            run: "edit 4",
        },
        {
            trigger: ".modal div[name=note] textarea",
            run: "edit He takes it",
        },
        {
            trigger: ".modal button[name=action_save]",
            run: "click",
        },
        {
            content: "it stands there, marked",
            trigger: ".o_field_widget[name=telephony_call_ids] .o_data_row:contains(4:00):has(.o_telephony_manual) td[name=start_at]",
            run: "click",
        },
        {
            trigger: ".modal .o_telephony_manual:contains(Logged by hand)",
        },
        {
            trigger: ".modal .btn-close",
            run: "click",
        },
        {
            content: "how calls are shown to me",
            trigger: "body:not(:has(.modal)) .o_user_menu button",
            run: "click",
        },
        {
            trigger: "[data-menu=preferences]",
            run: "click",
        },
        {
            trigger: ".modal a[name=telephony]",
            run: "click",
        },
        {
            trigger: ".modal div[name=telephony_extension_ids] .o_data_row:contains(101):contains(Middleware)",
        },
        {
            trigger: ".modal div[name=telephony_sound] input",
            run: "click",
        },
        {
            trigger: ".modal div[name=telephony_tab] input[data-value=new]",
            run: "click",
        },
        {
            trigger: ".modal button[name=preference_save]",
            run: "click",
            expectUnloadPage: true,
        },
        {
            trigger: "body:not(:has(.modal)) .o_form_view",
        },
    ],
});
