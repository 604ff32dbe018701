import { Message } from "@mail/core/common/message";
import { Message as MessageModel } from "@mail/core/common/message_model";
import { fields } from "@mail/core/common/record";
import { patch } from "@web/core/utils/patch";
import { CallLine } from "@crm_telephony/chatter/call_line";

Object.assign(Message.components, { CallLine });

patch(MessageModel.prototype, {
    setup() {
        super.setup(...arguments);
        /** The call that this message tells of, as telephony.call._chatter_lines gives it. */
        this.telephony_call = fields.Attr();
    },
});
