import { browser } from "@web/core/browser/browser";

/** How long (ms) the tab that is the phone has for an answer before the others offer to take its place. */
export const PATIENCE = 2_000;
/** The least time (ms) between two states that are told to the other tabs. */
export const TELL_EVERY = 200;

/**
 * Makes one of a user's tabs the phone, the leader, for as long as it is open. The others show what it shows, and what is clicked
 * in them it does. A tab becomes the leader by a lock of the browser, which passes to the next tab at once when the tab with it
 * is closed, loaded anew or crashes.
 */
export class Leader {
    /**
     * @param {Object} wiring
     * @param {LockManager} wiring.locks
     * @param {BroadcastChannel} wiring.channel of this user's tabs, and of nobody else
     * @param {string} wiring.name of the lock
     * @param {() => void} wiring.onLead runs when this tab is the leader
     * @param {() => void} wiring.onDeposed runs when another tab has taken its place
     * @param {(state: Object) => void} wiring.onState takes what the leader shows
     * @param {(name: string, args: any[]) => any} wiring.onCommand does what was clicked, in the leader
     */
    constructor({ locks, channel, name, onLead, onDeposed, onState, onCommand }) {
        Object.assign(this, { locks, channel, name, onLead, onDeposed, onState, onCommand });
        this.isLeader = false;
        this.waiting = new Map();
        this.asked = 0;
        channel.addEventListener("message", ({ data }) => this.hear(data));
    }

    /** Waits to be the leader. */
    start() {
        this.request({ mode: "exclusive" });
        this.channel.postMessage({ hello: true });
    }

    /** Becomes the leader now, although another tab is: because that one does not answer. */
    steal() {
        this.request({ steal: true });
    }

    request(options) {
        this.locks
            .request(this.name, options, () => {
                this.isLeader = true;
                this.onLead();
                return new Promise(() => {}); // until the tab is gone
            })
            .catch(() => {
                if (this.isLeader) {
                    this.isLeader = false;
                    this.onDeposed();
                    this.start();
                }
            });
    }

    /** Tells the other tabs what the leader shows, the last state of several that come at once. */
    tell(state) {
        this.state = state;
        if (this.isLeader && !this.telling) {
            this.channel.postMessage({ state });
            this.telling = browser.setTimeout(() => {
                this.telling = undefined;
                if (this.state !== state) {
                    this.tell(this.state);
                }
            }, TELL_EVERY);
        }
    }

    /**
     * Lets the leader do something.
     *
     * @throws {Error} the leader could not, with its reason; or it does not answer, then `isSilent` is set
     */
    async ask(name, args) {
        if (this.isLeader) {
            return this.onCommand(name, args);
        }
        const id = `${Date.now()}.${++this.asked}.${Math.random()}`;
        return new Promise((resolve, reject) => {
            const silence = browser.setTimeout(() => {
                this.waiting.delete(id);
                reject(Object.assign(new Error("the phone's tab does not answer"), { isSilent: true }));
            }, PATIENCE);
            this.waiting.set(id, { resolve, reject, silence });
            this.channel.postMessage({ command: { id, name, args } });
        });
    }

    async hear({ hello, state, command, heard, done }) {
        if (hello && this.isLeader && this.state) {
            this.channel.postMessage({ state: this.state });
        } else if (state && !this.isLeader) {
            this.onState(state);
        } else if (command && this.isLeader) {
            this.channel.postMessage({ heard: command.id }); // a question about the microphone may stand open for long
            let error = "";
            try {
                await this.onCommand(command.name, command.args);
            } catch (problem) {
                error = problem.message || String(problem);
            }
            this.channel.postMessage({ done: { id: command.id, error } });
        } else if (heard) {
            browser.clearTimeout(this.waiting.get(heard)?.silence);
        } else if (done && this.waiting.has(done.id)) {
            const { resolve, reject, silence } = this.waiting.get(done.id);
            this.waiting.delete(done.id);
            browser.clearTimeout(silence);
            if (done.error) {
                reject(new Error(done.error));
            } else {
                resolve();
            }
        }
    }
}
