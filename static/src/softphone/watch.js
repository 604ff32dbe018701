/** How long (ms) the PBX has for each answer before the connection counts as dead. */
export const DEADLINES = { connect: 4_000, register: 5_000, ping: 4_000 };
/** How often (ms) the PBX is asked whether it is there, if it has said nothing meanwhile. */
export const PING_EVERY = { idle: 25_000, talking: 10_000 };
/** A clock that jumps by more (ms) was that of a machine that slept. */
const SLEEP = 15_000;
/** The longest pause (ms) between two tries to connect. */
const LONGEST_PAUSE = 8_000;

/**
 * Returns how long (ms) to wait before the next try to connect. Chance keeps the browsers of a whole office from coming all at
 * once when their PBX is back.
 *
 * @param {number} tries that were in vain
 * @param {number} chance from 0 to 1
 */
export function pauseAfter(tries, chance) {
    return Math.round(Math.min(1_000 * 2 ** Math.max(tries - 1, 0), LONGEST_PAUSE) * (0.8 + 0.4 * chance));
}

/**
 * A websocket that can be declared dead, and that connects again by itself. A connection that was cut half open says nothing for
 * half a minute otherwise, and meanwhile nobody can call. It has the interface of a socket that JsSIP documents.
 */
export class WatchedSocket {
    /**
     * @param {string} url
     * @param {Object} [clock]
     */
    constructor(url, { setTimeout, clearTimeout, random } = {}) {
        Object.assign(this, {
            url,
            setTimeout: setTimeout || ((...args) => window.setTimeout(...args)),
            clearTimeout: clearTimeout || ((id) => window.clearTimeout(id)),
            random: random || Math.random,
        });
        const { host, protocol } = new URL(url);
        this.via_transport = protocol === "wss:" ? "WSS" : "WS";
        this.sip_uri = `sip:${host};transport=ws`;
        this.tries = 0;
        /** when the PBX was heard last, in ms of performance.now() */
        this.heardAt = 0;
    }

    isConnected() {
        return this.socket?.readyState === WebSocket.OPEN;
    }

    isConnecting() {
        return this.socket?.readyState === WebSocket.CONNECTING;
    }

    connect() {
        this.isWanted = true;
        this.clearTimeout(this.pause);
        if (this.isConnected() || this.isConnecting()) {
            return;
        }
        const socket = (this.socket = new WebSocket(this.url, "sip"));
        this.deadline = this.setTimeout(() => this.kill("connect"), DEADLINES.connect);
        socket.onopen = () => {
            this.clearTimeout(this.deadline);
            this.heardAt = performance.now();
            this.onconnect();
        };
        socket.onmessage = ({ data }) => {
            this.heardAt = performance.now();
            this.ondata(data);
        };
        socket.onclose = ({ code }) => this.lose(code, "closed");
    }

    disconnect() {
        this.isWanted = false;
        this.clearTimeout(this.pause);
        this.drop();
    }

    send(message) {
        if (!this.isConnected()) {
            return false;
        }
        this.socket.send(message);
        return true;
    }

    /** Declares the connection dead. */
    kill(why) {
        if (this.socket) {
            this.lose(4_000, why);
        }
    }

    /** Connects now, because there is a reason to believe that it works again. */
    hurry() {
        if (this.isWanted) {
            this.tries = 0;
            this.connect();
        }
    }

    drop() {
        this.clearTimeout(this.deadline);
        const { socket } = this;
        this.socket = undefined;
        if (socket) {
            socket.onopen = socket.onmessage = socket.onclose = null;
            socket.close();
        }
    }

    lose(code, why) {
        this.drop();
        if (this.isWanted) {
            this.clearTimeout(this.pause);
            this.pause = this.setTimeout(() => this.connect(), pauseAfter(++this.tries, this.random()));
        }
        this.ondisconnect(true, code, why);
    }

    onconnect() {}
    ondisconnect() {}
    ondata() {}
}

/**
 * Watches over a line: asks the PBX whether it is there, and declares the connection dead if no answer comes in time. It is driven
 * by ticks, so that it is tested without a clock.
 */
export class Watch {
    /**
     * @param {Object} wiring
     * @param {WatchedSocket} wiring.socket
     * @param {() => void} wiring.ping sends a request that every PBX answers
     * @param {() => boolean} wiring.isTalking
     * @param {() => boolean} wiring.isRegistered
     */
    constructor({ socket, ping, isTalking, isRegistered }) {
        Object.assign(this, { socket, ping, isTalking, isRegistered });
        this.tickedAt = this.pingedAt = undefined;
        this.pings = 0;
    }

    /** Runs when the socket has connected: the PBX has to register us in time, or it does not hear us. */
    connected(now) {
        this.connectedAt = now;
        this.pings = 0;
    }

    /** @param {number} now in ms of performance.now() */
    tick(now) {
        const hasSlept = this.tickedAt !== undefined && now - this.tickedAt > SLEEP;
        this.tickedAt = now;
        const { socket } = this;
        if (!socket.isConnected()) {
            if (hasSlept) {
                socket.hurry();
            }
            return;
        }
        if (!this.isRegistered() && now - this.connectedAt > DEADLINES.register) {
            socket.kill("register");
        } else if (this.pings && socket.heardAt >= this.pingedAt) {
            this.pings = 0;
        } else if (this.pings && now - this.pingedAt > DEADLINES.ping) {
            if (this.pings > 1) {
                socket.kill("ping");
                this.pings = 0;
            } else {
                this.sendPing(now);
            }
        } else if (!this.pings && (hasSlept || now - socket.heardAt > this.every)) {
            this.sendPing(now);
        }
    }

    get every() {
        return PING_EVERY[this.isTalking() ? "talking" : "idle"];
    }

    sendPing(now) {
        this.pingedAt = now;
        this.pings++;
        this.ping();
    }
}

/**
 * Calls `onTick` each second, in a tab that nobody sees too: there a browser runs the timers of the page once a minute, those of a
 * worker as ever.
 *
 * @returns {() => void} stops it
 */
export function everySecond(onTick) {
    try {
        const source = URL.createObjectURL(new Blob(["setInterval(() => postMessage(0), 1000)"]));
        const worker = new Worker(source);
        URL.revokeObjectURL(source);
        worker.onmessage = () => onTick(performance.now());
        return () => worker.terminate();
    } catch {
        const timer = setInterval(() => onTick(performance.now()), 1_000); // a page that allows no worker
        return () => clearInterval(timer);
    }
}
