import { registry } from "@web/core/registry";

let address;

registry.category("web_tour.tours").add("telephony_admin", {
    steps: () => [
        {
            content: "connect a PBX",
            trigger: ".o_list_button_add",
            run: "click",
        },
        {
            trigger: ".o_field_widget[name=name] input",
            run: "edit Tour PBX",
        },
        {
            trigger: ".o_field_widget[name=provider] input",
            run: "click",
        },
        {
            trigger: ".o_select_menu_item:contains(Zadarma)",
            run: "click",
        },
        {
            content: "the fields are called as this PBX calls them",
            trigger: ".o_field_widget[name=api_key_label]:contains(API key)",
        },
        {
            trigger: ".o_field_widget[name=api_key] input[type=password]",
            run: "edit key",
        },
        {
            trigger: ".o_field_widget[name=api_secret] input[type=password]",
            run: "edit secret",
        },
        {
            trigger: ".o_form_button_save",
            run: "click",
        },
        {
            content: "the address to paste is there, and so are the steps",
            trigger: ".o_field_widget[name=webhook_url]:contains('/telephony/webhook/zadarma/') .o_clipboard_button",
            run() {
                address = document.querySelector(".o_field_widget[name=webhook_url]").textContent.trim();
            },
        },
        {
            trigger: ".o_field_widget[name=setup_steps] li:contains(Zadarma)",
        },
        {
            content: "a new address, after a warning",
            trigger: "button[name=action_rotate_token]",
            run: "click",
        },
        {
            trigger: ".modal-footer .btn-primary",
            run: "click",
        },
        {
            trigger: "body:not(:has(.modal))",
        },
        {
            trigger: ".o_field_widget[name=webhook_url]:contains('/telephony/webhook/zadarma/')",
            async run({ waitUntil }) {
                await waitUntil(
                    () => document.querySelector(".o_field_widget[name=webhook_url]").textContent.trim() !== address,
                    { timeout: 5000 }
                );
            },
        },
    ],
});
