import { onWillDestroy, useExternalListener } from "@odoo/owl";
import { browser } from "@web/core/browser/browser";
import { registry } from "@web/core/registry";
import { user } from "@web/core/user";
import { useService } from "@web/core/utils/hooks";
import { KanbanController } from "@web/views/kanban/kanban_controller";
import { KanbanHeader } from "@web/views/kanban/kanban_header";
import { KanbanRenderer } from "@web/views/kanban/kanban_renderer";
import { kanbanView } from "@web/views/kanban/kanban_view";

/** The board is loaded again at most so often (ms), whatever happens on the phones. */
const PAUSE = 1_000;

/** Says how many callbacks a column has; Odoo's own header shows their sum only. */
export class CallbackBoardHeader extends KanbanHeader {
    static template = "crm_telephony.CallbackBoardHeader";
}

/** Keeps a card, its open menu and its focus when the board is loaded again. */
export class CallbackBoardRenderer extends KanbanRenderer {
    static template = "crm_telephony.CallbackBoardRenderer";
    static components = { ...KanbanRenderer.components, KanbanHeader: CallbackBoardHeader };
}

/** Loads the board again when callbacks, or calls with their customers, have changed, whoever did it. */
export class CallbackBoardController extends KanbanController {
    setup() {
        super.setup();
        const stopListening = useService("telephony").onCallbacks((news) => this.isConcerned(news) && this.reloadSoon());
        onWillDestroy(() => {
            stopListening();
            browser.clearTimeout(this.planned);
        });
        useExternalListener(document, "visibilitychange", () => this.isDirty && this.reloadSoon());
    }

    /** Returns whether the board shows what the news are about: calls with other customers change nothing there. */
    isConcerned({ company_id: companyId, ids }) {
        return (
            (!companyId || user.activeCompanies.some((company) => company.id === companyId)) &&
            (!ids || this.model.root?.records.some((record) => ids.includes(record.resId)))
        );
    }

    /** Plans a reload; for a board that nobody sees, once somebody does. */
    reloadSoon() {
        this.isDirty = true;
        if (!document.hidden) {
            this.planned ??= browser.setTimeout(() => this.reload(), PAUSE);
        }
    }

    async reload() {
        this.isDirty = false;
        try {
            await this.model.root?.load();
        } finally {
            this.planned = undefined;
        }
        if (this.isDirty) {
            this.reloadSoon();
        }
    }
}

registry.category("views").add("telephony_callback_board", {
    ...kanbanView,
    Controller: CallbackBoardController,
    Renderer: CallbackBoardRenderer,
});
