/** How long (ms) it is remembered which results the user does not want to be asked for. */
const REMEMBERED = 3_600_000;
/** What a call keeps of the user's, should the page be loaded again. */
const DRAFT = ["note", "noteBefore", "result", "caller"];

/** What is being written about calls, kept by this tab until it is saved or its card is closed. */
export class Drafts {
    static prefix = "crm_telephony.draft.";

    constructor(storage) {
        this.storage = storage;
    }

    get ids() {
        const { prefix } = Drafts;
        const keys = Array.from({ length: this.storage.length }, (_, index) => this.storage.key(index));
        return keys.filter((key) => key.startsWith(prefix)).map((key) => Number(key.slice(prefix.length)));
    }

    get(id) {
        return JSON.parse(this.storage.getItem(Drafts.prefix + id));
    }

    /** @param {import("@crm_telephony/call_store/call_store").LiveCall} call */
    keep(call) {
        const values = Object.fromEntries(DRAFT.map((name) => [name, call[name]]));
        this.storage.setItem(Drafts.prefix + call.id, JSON.stringify(values));
    }

    delete(id) {
        this.storage.removeItem(Drafts.prefix + id);
    }
}

/** Ids with the time when each was added, in the storage of all tabs; old ones are forgotten. */
export class Skipped {
    constructor(storage, key) {
        Object.assign(this, { storage, key });
    }

    get all() {
        const found = Object.entries(JSON.parse(this.storage.getItem(this.key)) || {});
        return Object.fromEntries(found.filter(([, at]) => Date.now() - at < REMEMBERED));
    }

    has(id) {
        return id in this.all;
    }

    add(id) {
        this.storage.setItem(this.key, JSON.stringify({ ...this.all, [id]: Date.now() }));
    }
}
