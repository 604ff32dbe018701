import { browser } from "@web/core/browser/browser";

const KEY = "crm_telephony.devices";
/** What a browser calls it that it gives no microphone → what we call it. */
const REFUSALS = {
    NotAllowedError: "microphone_denied", SecurityError: "microphone_denied", NotFoundError: "microphone_none",
    OverconstrainedError: "microphone_none", NotReadableError: "microphone_busy", AbortError: "microphone_busy",
};
const KINDS = { microphone: "audioinput", speaker: "audiooutput", ring: "audiooutput" };

/**
 * Which microphone, loudspeaker and bell this browser uses. The choice stays in the browser, because another one has other
 * devices. A device that is unplugged is replaced by the usual one, and comes back when it is plugged in again.
 */
export class Devices {
    constructor({ media = navigator.mediaDevices, storage = browser.localStorage } = {}) {
        Object.assign(this, { media, storage });
    }

    get chosen() {
        try {
            return JSON.parse(this.storage.getItem(KEY)) || {};
        } catch {
            return {};
        }
    }

    choose(kind, id) {
        this.storage.setItem(KEY, JSON.stringify({ ...this.chosen, [kind]: id }));
    }

    /** @returns {Promise<{ [kind: string]: { id: string, name: string }[] }>} names are known once the microphone was allowed */
    async list() {
        const all = (await this.media?.enumerateDevices?.()) || [];
        return Object.fromEntries(
            Object.entries(KINDS).map(([name, kind]) => [
                name,
                all.filter((device) => device.kind === kind && device.deviceId).map(({ deviceId: id, label }) => ({ id, name: label })),
            ])
        );
    }

    /** @throws {Error} there is no microphone, or it may not be used; the message is one of `REFUSALS`, or "insecure" */
    async openMicrophone() {
        if (!this.media) {
            throw new Error("insecure"); // browsers give a microphone to pages of https only
        }
        const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
        const { microphone } = this.chosen;
        try {
            return await this.media.getUserMedia({ audio: { ...audio, ...(microphone && { deviceId: { ideal: microphone } }) } });
        } catch (error) {
            throw new Error(REFUSALS[error.name] || "microphone_denied");
        }
    }

    /** Lets a loudspeaker or an AudioContext sound at the chosen device, where the browser can. */
    async route(sounding, kind) {
        const id = this.chosen[kind];
        if (id && sounding.setSinkId) {
            await sounding.setSinkId(id).catch(() => {}); // it is unplugged
        }
    }

    onChange(handler) {
        this.media?.addEventListener?.("devicechange", handler);
    }
}
