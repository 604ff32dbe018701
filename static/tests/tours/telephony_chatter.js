import { registry } from "@web/core/registry";

const LINE = ".o-mail-Message .o_telephony_call_line";

registry.category("web_tour.tours").add("telephony_chatter", {
    steps: () => [
        {
            content: "the line is told in the reader's language, by who talked",
            trigger: `.o-mail-Message:has(.o-mail-Message-author:contains(Anna)) .o_telephony_call_line:contains(Входящий):contains(Отвечен)`,
        },
        {
            trigger: `${LINE}:contains(Customer):contains('+7 777 123 4567'):contains('1:10')`,
        },
        {
            trigger: `${LINE} .o_telephony_call_line_note:contains(Просит скидку)`,
        },
        {
            content: "and can be heard",
            trigger: `${LINE} .o_telephony_recording_unfold`,
        },
        {
            trigger: `${LINE} a:contains(Входящий)`,
            run: "click",
        },
        {
            content: "the call opens",
            trigger: ".o_form_view .o_field_widget[name=match_reason]",
        },
    ],
});

registry.category("web_tour.tours").add("telephony_chatter_of_contact", {
    steps: () => [
        {
            content: "the contact tells the call of its deal, and of which deal",
            trigger: `.o-mail-Message:has(.o-mail-Message-header:contains(Мука)) .o_telephony_call_line:contains(Входящий)`,
        },
    ],
});
