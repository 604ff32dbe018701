import { onWillDestroy, useState } from "@odoo/owl";
import { browser } from "@web/core/browser/browser";

const { DateTime } = luxon;

/**
 * The time as it goes on: a component that reads `now` is drawn again every so many milliseconds.
 *
 * @param {number} every
 * @param {() => void} [onTick] what else is done then, whether or not the page is drawn
 * @returns {{ now: DateTime }}
 */
export function useNow(every, onTick) {
    const ticker = useState({ now: DateTime.now() });
    const ticking = browser.setInterval(() => {
        ticker.now = DateTime.now();
        onTick?.();
    }, every);
    onWillDestroy(() => browser.clearInterval(ticking));
    return ticker;
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
