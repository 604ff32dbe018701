import { Component, onWillStart, useState } from "@odoo/owl";
import { Dialog } from "@web/core/dialog/dialog";
import { useService } from "@web/core/utils/hooks";

const ICONS = {
    ok: "fa-check-circle text-success", failed: "fa-times-circle text-danger", skipped: "fa-minus-circle text-muted",
    running: "fa-spinner fa-spin", waiting: "fa-circle-o text-muted",
};

/** Shows the line test while it runs, step by step, and what to do where it failed. */
export class LineTestDialog extends Component {
    static template = "crm_telephony.LineTestDialog";
    static components = { Dialog };
    static props = { close: Function };

    setup() {
        this.softphone = useService("softphone");
        this.phone = useState(this.softphone.state);
        this.icons = ICONS;
        onWillStart(() => {
            this.run();
        });
    }

    get rows() {
        return this.phone.test?.rows || [];
    }

    get isRunning() {
        return Boolean(this.phone.test?.isRunning);
    }

    run() {
        return this.softphone.run("test");
    }

    get hasFailed() {
        return this.rows.some((row) => row.state === "failed");
    }

    /** Whether sound was heard both ways: only that shows that the line works. */
    get isWhole() {
        return !this.hasFailed && this.rows.some((row) => row.name === "sound" && row.state === "ok");
    }
}
