import { onWillDestroy, useState } from "@odoo/owl";
import { browser } from "@web/core/browser/browser";

const { DateTime } = luxon;

/**
 * The time as it goes on: a component that reads `now` is drawn again every so many milliseconds.
 *
 * @param {number} every
 * @returns {{ now: DateTime }}
 */
export function useNow(every) {
    const clock = useState({ now: DateTime.now() });
    const ticking = browser.setInterval(() => (clock.now = DateTime.now()), every);
    onWillDestroy(() => browser.clearInterval(ticking));
    return clock;
}

/**
 * One thing at a time, however often somebody clicks: what `run` is given while another task runs is not done.
 *
 * @returns {{ isBusy: boolean, run: (task: () => Promise<any>) => Promise<any> }} `isBusy` for the buttons that wait
 */
export function useBusy() {
    const guard = useState({
        isBusy: false,
        async run(task) {
            if (guard.isBusy) {
                return;
            }
            guard.isBusy = true;
            try {
                return await task();
            } finally {
                guard.isBusy = false;
            }
        },
    });
    return guard;
}
