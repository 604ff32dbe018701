import { beforeEach, describe, expect, test } from "@odoo/hoot";
import { advanceTime, Deferred, mockDate, tick } from "@odoo/hoot-mock";
import { effect } from "@web/core/utils/reactive";
import { browser } from "@web/core/browser/browser";
import { CallStore, CHECK_EVERY, STAYS, STAYS_SHARED } from "@crm_telephony/call_store/call_store";
import { Drafts, Skipped } from "@crm_telephony/call_store/kept";

describe.current.tags("headless");

const SKIPPED = "skipped";
/** What the server was asked and what the store told, in order. */
let steps;
/** What get_card answers. */
let card;

beforeEach(() => {
    mockDate("2026-03-10 12:00:00", 0);
    [steps, card] = [[], { name: "Aigerim" }];
});

function makeStore() {
    return new CallStore({
        server: {
            getCard: async (id) => {
                steps.push(`card ${id}`);
                return card;
            },
            getCurrent: async () => [],
        },
        drafts: new Drafts(browser.sessionStorage),
        skipped: new Skipped(browser.localStorage, SKIPPED),
        onAnswered: ({ id }) => steps.push(`answered ${id}`),
    });
}

const news = (phase, values) => ({
    id: 7, phase, direction: "inbound", number: "+77771234567", display: "", extension: "101", outcome: "", seconds: 0,
    talk_seconds: 0, told_at: 100, ...values,
});

const phases = ({ calls }) => calls.map(({ id, phase }) => `${id} ${phase}`);
const unfolded = ({ calls }) => calls.filter((call) => !call.isFolded).map((call) => call.id);

test("a call goes through its phases as one card, and whoever shows it is told", async () => {
    const store = makeStore();
    const seen = [];
    effect((calls) => seen.push(calls.map(({ phase }) => phase).join()), [store.calls]);
    store.hear(news("ringing"));
    await advanceTime(1_000);
    store.hear(news("talking", { told_at: 101 }));
    await tick();
    store.hear(news("ended", { told_at: 160, outcome: "answered", talk_seconds: 59 }));
    await tick();
    expect(phases(store)).toEqual(["7 ended"]);
    expect(store.find(7).talkSeconds).toBe(59);
    expect(store.find(7).card).toEqual(card);
    expect(steps).toEqual(["card 7", "card 7", "answered 7", "card 7"]);
    expect(seen.filter((one, index) => one && one !== seen[index - 1])).toEqual(["ringing", "talking", "ended"]);
});

test("only an inbound call of one's own, that rang before one's eyes, is answered", async () => {
    const store = makeStore();
    for (const [id, before, after, wait] of [
        [1, {}, {}, 0],
        [2, {}, { is_shared: true }, 1_000],
        [3, { direction: "outbound" }, { direction: "outbound" }, 1_000],
        [4, {}, {}, 1_000],
    ]) {
        store.receive(news("ringing", { id, ...before }));
        await advanceTime(wait);
        store.receive(news("talking", { id, ...after }));
        await tick();
    }
    expect(steps.filter((step) => step.startsWith("answered"))).toEqual(["answered 4"]);
});

test("the talk is over when its card comes: nothing opens any more", async () => {
    const store = makeStore();
    const answer = new Deferred();
    store.receive(news("ringing"));
    await advanceTime(1_000);
    store.server.getCard = () => answer;
    store.receive(news("talking"));
    store.receive(news("ended"));
    answer.resolve(card);
    await tick();
    expect(steps).toEqual(["card 7"]);
});

for (const [phase, stays] of Object.entries(STAYS)) {
    test(`a card that nobody touches leaves by itself, one that is kept stays: ${phase}`, async () => {
        const store = makeStore();
        for (const id of [7, 8]) {
            store.receive(news("ringing", { id }));
        }
        await advanceTime(1_000);
        for (const id of [7, 8]) {
            store.receive(news(phase, { id }));
        }
        store.keep(8);
        await advanceTime(stays - 500);
        expect(store.calls.length).toBe(2);
        await advanceTime(1_000);
        expect(phases(store)).toEqual([`8 ${phase}`]);
    });
}

test("the result of a colleague's talk at a shared phone comes folded and leaves sooner", async () => {
    const store = makeStore();
    store.receive(news("talking", { is_shared: true }));
    store.receive(news("ended", { is_shared: true }));
    expect(unfolded(store)).toEqual([]);
    await advanceTime(STAYS_SHARED + 500);
    expect(store.calls).toEqual([]);
});

test("a card that was closed comes back for a new phase, not for the same or older news", () => {
    const store = makeStore();
    store.receive(news("ringing"));
    store.dismiss(7);
    store.receive(news("ringing", { told_at: 110 }));
    store.receive(news("talking", { told_at: 80 }));
    expect(phases(store)).toEqual([]);
    store.receive(news("talking", { told_at: 110 }));
    expect(phases(store)).toEqual(["7 talking"]);
});

test("a result that was closed is not asked for again, after a reload neither", () => {
    const store = makeStore();
    store.receive(news("ended"));
    store.dismiss(7);
    const afterReload = makeStore();
    afterReload.receive(news("ended"));
    afterReload.receive(news("ended", { id: 8 }));
    expect(phases(afterReload)).toEqual(["8 ended"]);
});

test("a draft comes back with its call and goes with its card", () => {
    const store = makeStore();
    store.receive(news("talking"));
    Object.assign(store.find(7), { note: "Oven", noteBefore: "" });
    store.remember(store.find(7));
    const afterReload = makeStore();
    afterReload.receive(news("talking"));
    expect(afterReload.find(7).note).toBe("Oven");
    expect(afterReload.find(7).isTouched).toBe(true);
    afterReload.dismiss(7);
    expect(makeStore().drafts.ids).toEqual([]);
});

test("what has ended unheard leaves when the server is asked, what it did not know yet stays", async () => {
    const store = makeStore();
    store.hear(news("talking"));
    store.hear(news("ringing", { id: 8 }));
    const answer = new Deferred();
    store.server.getCurrent = () => answer;
    const refreshed = store.refresh();
    store.hear(news("talking", { id: 9 }));
    answer.resolve([news("ringing", { id: 8 })]);
    await refreshed;
    expect(phases(store)).toEqual(["8 ringing", "9 talking"]);
});

test("while a call goes on the server is asked every minute, whether it answers or not", async () => {
    const store = makeStore();
    const answers = [() => Promise.reject(new Error("no")), () => [news("talking", { told_at: 160 })], () => []];
    store.server.getCurrent = async () => {
        steps.push("current");
        return answers.shift()();
    };
    store.hear(news("talking"));
    for (const expected of [["7 talking"], ["7 talking"], [], []]) {
        await advanceTime(CHECK_EVERY + 500);
        expect(phases(store)).toEqual(expected);
    }
    expect(steps.filter((step) => step === "current").length).toBe(3);
});

test("a card that may not be seen leaves, one that cannot be loaded stays", async () => {
    const store = makeStore();
    card = false;
    store.receive(news("ringing"));
    await tick();
    expect(phases(store)).toEqual([]);
    store.server.getCard = () => Promise.reject(new Error("no"));
    store.receive(news("ringing", { id: 8 }));
    await tick();
    expect(phases(store)).toEqual(["8 ringing"]);
});

test("one card is open: the talk, else the latest; a dialog folds all and gives back what it took", () => {
    const store = makeStore();
    store.receive(news("ringing"));
    store.receive(news("ringing", { id: 8 }));
    expect(unfolded(store)).toEqual([8]);
    store.receive(news("talking"));
    store.receive(news("ringing", { id: 9 }));
    expect(unfolded(store)).toEqual([7]);
    const unfold = store.foldAll();
    expect(unfolded(store)).toEqual([]);
    unfold();
    expect(unfolded(store)).toEqual([7]);
});

test("a clock that the late news had set wrong is set right, a second of difference is left", () => {
    const store = makeStore();
    store.receive(news("talking"));
    const { since } = store.find(7);
    store.receive(news("talking", { seconds: 1 }));
    expect(store.find(7).since).toBe(since);
    store.receive(news("talking", { seconds: 40 }));
    expect(store.find(7).since).toBe(Date.now() - 40_000);
});
