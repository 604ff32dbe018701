import { Component, onWillDestroy, onWillStart, useState } from "@odoo/owl";
import { browser } from "@web/core/browser/browser";
import { router } from "@web/core/browser/router";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { KeepLast } from "@web/core/utils/concurrency";
import { useService } from "@web/core/utils/hooks";
import { ControlPanel } from "@web/search/control_panel/control_panel";
import { standardActionServiceProps } from "@web/webclient/actions/action_service";
import { formAction } from "@crm_telephony/form_action";
import { useBusy } from "@crm_telephony/hooks";
import { TestLines } from "@crm_telephony/test_call/test_lines";

/**
 * The page of a test call: choose what is tested, call, and watch each fact come in. The server tells over the bus when something
 * has come; the page asks by itself only when the time of a fact has run out. See models/watch/test_call.py.
 */
export class TestCall extends Component {
    static template = "crm_telephony.TestCall";
    static components = { ControlPanel, TestLines };
    static props = { ...standardActionServiceProps };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.controlPanelDisplay = {};
        this.lastAsked = new KeepLast();
        this.guard = useBusy();
        const { account_id: accountId, test_id: testId } = this.props.action.params || {};
        this.state = useState({
            choices: [],
            /** what the server tells of the test, false before one has begun */
            test: false,
            accountId: accountId || Number(router.current.pbx) || false,
            numberId: false,
            phone: "",
            isMissed: false,
        });
        const asked = testId || (!accountId && Number(router.current.test)) || false;
        onWillStart(async () => {
            this.state.choices = await this.orm.call("telephony.test.call", "get_test_choices");
            if (!this.chosen && this.state.choices.length) {
                this.state.accountId = this.state.choices[0].id;
            }
            this.chooseFirstNumber();
            if (asked) {
                await this.show(asked);
            }
        });
        const stopListening = useService("telephony").onTestCall(({ id, seen = [] }) => {
            const { test } = this.state;
            if (test && test.state === "waiting" && (!id || id === test.id)) {
                for (const line of test.lines.filter(({ fact }) => seen.includes(fact))) {
                    line.state = "seen"; // at once; what it is follows
                }
                this.refresh();
            }
        });
        onWillDestroy(() => {
            stopListening();
            browser.clearTimeout(this.planned);
            this.isGone = true;
        });
    }

    // --- what is chosen ------------------------------------------------------------------------------------------

    get chosen() {
        return this.state.choices.find((account) => account.id === this.state.accountId);
    }

    get numbers() {
        return this.chosen?.numbers || [];
    }

    chooseAccount(id) {
        this.state.accountId = Number(id);
        this.chooseFirstNumber();
    }

    chooseNumber(id) {
        this.state.numberId = Number(id);
    }

    chooseFirstNumber() {
        if (!this.numbers.some((number) => number.id === this.state.numberId)) {
            this.state.numberId = this.numbers.length ? this.numbers[0].id : false;
        }
    }

    // --- the test ------------------------------------------------------------------------------------------------

    begin(isMissed = this.state.isMissed) {
        const { accountId, numberId, phone } = this.state;
        this.state.isMissed = isMissed;
        return this.guard.run(async () => {
            this.take(await this.orm.call("telephony.test.call", "begin_test", [accountId, numberId, phone.trim(), isMissed]));
        });
    }

    /** Shows a test that was begun before: after the page was loaded again, or from the list. */
    async show(id) {
        const [known] = await this.orm.searchRead("telephony.test.call", [["id", "=", id]], ["account_id", "number_id", "is_missed"]);
        if (known) {
            Object.assign(this.state, { accountId: known.account_id[0], numberId: known.number_id[0] || false, isMissed: known.is_missed });
            this.take(await this.ask("get_progress", id));
        }
    }

    ask(method, id = this.state.test.id) {
        return this.orm.silent.call("telephony.test.call", method, [[id]]);
    }

    /** Asks for the progress; what has become of an earlier question meanwhile does not matter. */
    async refresh() {
        browser.clearTimeout(this.planned);
        try {
            this.take(await this.lastAsked.add(this.ask("get_progress")));
        } catch (error) {
            if (!this.isGone) {
                throw error;
            }
        }
    }

    take(test) {
        browser.clearTimeout(this.planned);
        if (this.isGone) {
            return;
        }
        this.state.test = test;
        this.props.updateActionState?.({ test: test.id, pbx: undefined });
        if (test.next_seconds !== null) {
            this.planned = browser.setTimeout(() => this.refresh(), 1_000 * test.next_seconds);
        }
    }

    notThisCall() {
        return this.guard.run(async () => this.take(await this.ask("not_this_call")));
    }

    stop() {
        return this.guard.run(async () => {
            await this.ask("end_test");
            this.chooseAgain();
        });
    }

    /** Goes back to the choice, with what was chosen. */
    chooseAgain() {
        browser.clearTimeout(this.planned);
        this.state.test = false;
        this.props.updateActionState?.({ test: undefined, pbx: this.state.accountId || undefined });
    }

    openList() {
        return this.action.doAction("crm_telephony.telephony_test_call_action");
    }

    openCall() {
        return this.action.doAction(formAction("telephony.call", this.state.test.call_id));
    }

    // --- in words ------------------------------------------------------------------------------------------------

    get isRunning() {
        return this.state.test.state === "waiting";
    }

    get telAddress() {
        return `tel:${this.state.test.number.replace(/[^+\d]/g, "")}`;
    }

    get whatToDo() {
        const { call_id: callId, is_missed: isMissed } = this.state.test;
        if (callId) {
            return isMissed
                ? _t("Let it ring some seconds, then hang up. Nobody answers.")
                : _t("Have it answered, talk ten seconds, and hang up.");
        }
        return isMissed
            ? _t("Nobody answers this time: let it ring for fifteen seconds, then hang up.")
            : _t("Somebody who is logged in to Odoo answers; talk ten seconds, then hang up.");
    }

    get verdict() {
        const { state, is_missed: isMissed } = this.state.test;
        return {
            passed: isMissed
                ? _t("Everything has come: a missed call is told, and somebody calls back.")
                : _t("Everything has come: the calls of this PBX are told whole."),
            failed: _t("Something is missing. Mend it, and call again."),
            stopped: _t("The test was stopped. It does not count."),
        }[state];
    }
}

registry.category("actions").add("crm_telephony.test_call", TestCall);
