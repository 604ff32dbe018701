import { onMounted } from "@odoo/owl";
import { registry } from "@web/core/registry";
import { SIZES } from "@web/core/ui/ui_service";
import { useBus, useService } from "@web/core/utils/hooks";
import { ListController } from "@web/views/list/list_controller";
import { ListRenderer } from "@web/views/list/list_renderer";
import { listView } from "@web/views/list/list_view";

/** What gives way to the question that the list is about, in windows of this size and smaller. */
const GIVES_WAY = {
    outcome: SIZES.XL,
    user_id: SIZES.XL,
    waiting_count: SIZES.LG,
    talk_seconds: SIZES.LG,
};

export class SettleRenderer extends ListRenderer {
    setup() {
        super.setup();
        let { size } = this.uiService;
        useBus(this.uiService.bus, "resize", () => {
            if (size !== this.uiService.size) {
                size = this.uiService.size;
                this.render();
            }
        });
    }

    getActiveColumns() {
        return super.getActiveColumns().filter((column) => !(this.uiService.size <= GIVES_WAY[column.name]));
    }
}

/** Where even that is not enough, each call gets a card. */
export class SettleController extends ListController {
    setup() {
        super.setup();
        const { size } = useService("ui");
        const views = this.env.config.viewSwitcherEntries || [];
        onMounted(() => {
            if (size < SIZES.LG && views.some(({ type }) => type === "kanban")) {
                this.actionService.switchView("kanban");
            }
        });
    }
}

registry.category("views").add("telephony_settle_list", { ...listView, Controller: SettleController, Renderer: SettleRenderer });
