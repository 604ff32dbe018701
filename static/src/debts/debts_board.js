import { onWillDestroy } from "@odoo/owl";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { useDebounced } from "@web/core/utils/timing";
import { KanbanController } from "@web/views/kanban/kanban_controller";
import { KanbanHeader } from "@web/views/kanban/kanban_header";
import { KanbanRenderer } from "@web/views/kanban/kanban_renderer";
import { kanbanView } from "@web/views/kanban/kanban_view";

/** A burst of changes reloads the board once (ms). */
const CALM = 1_000;

/** Says how many debts a column has; Odoo's own header has room for their sum only. */
export class DebtsHeader extends KanbanHeader {
    static template = "crm_telephony.DebtsHeader";
}

export class DebtsRenderer extends KanbanRenderer {
    static components = { ...KanbanRenderer.components, KanbanHeader: DebtsHeader };
}

/** Follows what happens to the debts of whoever looks at it. */
export class DebtsController extends KanbanController {
    setup() {
        super.setup();
        const reload = useDebounced(() => this.model.root.load(), CALM);
        onWillDestroy(useService("telephony").onDebts(reload));
    }
}

registry.category("views").add("telephony_debts", {
    ...kanbanView,
    Controller: DebtsController,
    Renderer: DebtsRenderer,
});
