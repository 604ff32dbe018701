import { onWillDestroy, useState } from "@odoo/owl";
import { browser } from "@web/core/browser/browser";

const { DateTime } = luxon;

/**
 * Returns the time as it goes on: a component that reads `now` is drawn again every so many milliseconds.
 *
 * @param {number} every
 * @param {() => void} [onTick] runs as often, whether or not the component is drawn
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
 * Runs one task at a time, because people click again while they wait: what comes while another task runs is dropped.
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
