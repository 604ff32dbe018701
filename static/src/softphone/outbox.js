import { browser } from "@web/core/browser/browser";

/** What could not be told is told again after so long (ms), and for so long. */
const AGAIN = 10_000;
const LATEST = 24 * 3_600_000;

/**
 * Tells the server of calls, in their order, and keeps what it could not be told: over a reload too, because nobody else knows of
 * these calls.
 */
export class Outbox {
    /**
     * @param {Object} wiring
     * @param {Storage} wiring.storage
     * @param {string} wiring.key
     * @param {(event: Object) => Promise<number>} wiring.send returns the status of the answer
     */
    constructor({ storage, key, send }) {
        Object.assign(this, { storage, key, send });
    }

    get waiting() {
        try {
            return JSON.parse(this.storage.getItem(this.key)) || [];
        } catch {
            return [];
        }
    }

    keep(events) {
        this.storage.setItem(this.key, JSON.stringify(events));
    }

    add(event) {
        this.keep([...this.waiting, { ...event, at: Date.now() }]);
        this.flush();
    }

    async flush() {
        browser.clearTimeout(this.timer);
        if (this.isSending) {
            return;
        }
        this.isSending = true;
        try {
            let [event] = this.waiting;
            while (event) {
                const { at, ...told } = event;
                const age = Math.max(Date.now() - at, 0);
                const status = age > LATEST ? 0 : await this.send({ ...told, seconds_ago: age / 1000 });
                if (status === 403 || status === 429 || status >= 500) {
                    throw new Error("later"); // another lease, or a server that is busy
                }
                this.keep(this.waiting.slice(1));
                [event] = this.waiting;
            }
        } catch {
            this.timer = browser.setTimeout(() => this.flush(), AGAIN);
        } finally {
            this.isSending = false;
        }
    }
}
