import { useBus } from "@web/core/utils/hooks";
import { patch } from "@web/core/utils/patch";
import { FormController } from "@web/views/form/form_controller";
import { KanbanController } from "@web/views/kanban/kanban_controller";
import { ListController } from "@web/views/list/list_controller";

/** Event of the environment's bus: a call's result was saved. */
export const RESULT_SAVED = "CRM_TELEPHONY:RESULT-SAVED";
/** Saving a result may change records of these models. */
const CHANGED = ["crm.lead", "res.partner", "telephony.call", "telephony.callback"];

/** Loads the page behind the card again, so that it shows the new stage, activity and note; what is being edited there stays. */
const reloadBehind = () => ({
    setup() {
        super.setup();
        useBus(this.env.bus, RESULT_SAVED, async () => {
            const { root } = this.model;
            if (!CHANGED.includes(this.props.resModel) || this.env.inDialog || root.editedRecord) {
                return;
            }
            if (this instanceof FormController) {
                if (root.isNew || (await root.isDirty())) {
                    return;
                }
                this.env.bus.trigger("MAIL:RELOAD-THREAD", { model: root.resModel, id: root.resId });
            }
            await root.load();
        });
    },
});

for (const Controller of [FormController, KanbanController, ListController]) {
    patch(Controller.prototype, reloadBehind());
}
