import { Component, onWillStart, useState } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { ControlPanel } from "@web/search/control_panel/control_panel";
import { standardActionServiceProps } from "@web/webclient/actions/action_service";

const LINK_ICONS = { done: "fa-check", todo: "fa-arrow-right", later: "fa-clock-o" };

/** The way from nothing to a telephony that is watched: each step says what is missing, and leads there. */
export class GetStarted extends Component {
    static template = "crm_telephony.GetStarted";
    static components = { ControlPanel };
    static props = { ...standardActionServiceProps };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.controlPanelDisplay = {};
        this.state = useState({ steps: [] });
        onWillStart(async () => {
            this.state.steps = await this.orm.call("telephony.get.started", "get_steps");
        });
    }

    /** The first step in which something is to be done. */
    get current() {
        return this.state.steps.find((step) => step.state === "todo");
    }

    get progress() {
        const { steps } = this.state;
        return _t("%(done)s of %(all)s steps are done", {
            done: steps.filter((step) => step.state === "done").length,
            all: steps.length,
        });
    }

    stateLabel({ state }) {
        return { done: _t("done"), todo: _t("to do"), later: _t("later") }[state];
    }

    icon({ state }) {
        return LINK_ICONS[state];
    }

    open(item) {
        return this.action.doAction(item.action);
    }
}

registry.category("actions").add("crm_telephony.get_started", GetStarted);
