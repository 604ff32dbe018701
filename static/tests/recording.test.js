import { beforeEach, describe, expect, test } from "@odoo/hoot";
import {
    click, manuallyDispatchProgrammaticEvent, press, queryAll, queryAllAttributes, queryAllTexts, queryAllValues, queryOne, select, waitFor,
} from "@odoo/hoot-dom";
import { advanceTime, animationFrame, mockDate, mockSendBeacon } from "@odoo/hoot-mock";
import { Component, xml } from "@odoo/owl";
import {
    contains, defineModels, fields, makeServerError, models, mountView, mountWithCleanup, onRpc, patchWithCleanup,
} from "@web/../tests/web_test_helpers";
import { defineMailModels } from "@mail/../tests/mail_test_helpers";
import { assets } from "@web/core/assets";
import { browser } from "@web/core/browser/browser";
import { lanesOf, silencesOf } from "@crm_telephony/recording/lanes";
import { lineAt } from "@crm_telephony/recording/talk_words";
import { RecordingPlayer } from "@crm_telephony/recording/recording_player";

class TelephonyCall extends models.Model {
    _name = "telephony.call";

    recording_ids = fields.One2many({ relation: "telephony.recording", relation_field: "call_id" });
}

class TelephonyRecording extends models.Model {
    _name = "telephony.recording";

    call_id = fields.Many2one({ relation: "telephony.call" });
    state = fields.Selection({ selection: ["pending", "ready", "failed", "deleted", "refused"].map((state) => [state, state]) });
    player_url = fields.Char();
    error = fields.Char();
    player = fields.Json();
}

describe.current.tags("desktop");
defineMailModels();
defineModels([TelephonyCall, TelephonyRecording]);

/** 1000 points of each channel: the first speaks in the first 20 seconds of 60, the second in the last 20. */
const PEAKS = btoa(
    String.fromCharCode(...Array.from({ length: 2000 }, (_, index) => (index < 333 || index >= 1667 ? 200 : 1)))
);

function recording(values) {
    const id = values?.id || 1;
    return {
        id, state: "ready", url: `/telephony/recording/${id}`, duration: 60, words: "", error: "", source: false,
        keep_until: false, seconds: 60, channels: 2, peaks: PEAKS, agent_channel: "first",
        customer: "Aigerim", actions: [], ...values,
    };
}

let played;

beforeEach(() => {
    mockDate("2026-03-10 12:00:00", 0);
    played = new Set();
    // a browser that has every sound at once, and plays it when it is told
    patchWithCleanup(HTMLMediaElement.prototype, {
        get src() {
            return this.dataset.src || "";
        },
        set src(address) {
            this.dataset.src = address;
        },
        async play() {
            played.add(this);
            this.dispatchEvent(new Event("play"));
            this.dispatchEvent(new Event("playing"));
        },
        pause() {
            if (played.delete(this)) {
                this.dispatchEvent(new Event("pause"));
            }
        },
    });
    mockSendBeacon((address, form) => {
        expect.step(`${address} ${form.get("t")} ${form.get("second")}`);
        return true;
    });
    onRpc("/telephony/recording/<int:id>/open", (request, { id }) => {
        expect.step(`open ${id}`);
        return { url: `/telephony/recording/${id}?t=signed` };
    });
});

const mount = (values, props) => mountWithCleanup(RecordingPlayer, { props: { recording: recording(values), ...props } });

const audio = () => queryOne("audio");

async function goTo(second, sound = audio()) {
    sound.currentTime = second;
    sound.dispatchEvent(new Event("timeupdate"));
    await animationFrame();
}

/** How much of each lane is painted before and after the middle. */
function inkOfLanes() {
    const { shadowRoot } = queryOne(".o_telephony_wave > div");
    return [...shadowRoot.querySelectorAll(".canvases canvas")].map((canvas) => {
        const { data, width } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const ink = [0, 0];
        for (let place = 3; place < data.length; place += 4) {
            ink[((place >> 2) % width) * 2 < width ? 0 : 1] += data[place];
        }
        return ink;
    });
}

async function mountWithWave(values) {
    await mount(values);
    await waitFor(".o_telephony_wave > div", { timeout: 5000 });
    await animationFrame();
    await animationFrame();
}

// -- the lanes

test("points are read channel after channel", () => {
    const lanes = lanesOf(btoa(String.fromCharCode(0, 255, 51, 0)), 2);
    expect(lanes.map((lane) => [...lane].map((point) => Math.round(point * 10)))).toEqual([[0, 10], [2, 0]]);
});

test("silence is where nobody speaks for two seconds, and some of it is left", () => {
    const [[from, to], ...others] = silencesOf(lanesOf(PEAKS, 2), 60);
    expect([Math.round(from * 10), Math.round(to * 10), others]).toEqual([204, 396, []]);
    expect(silencesOf(lanesOf(PEAKS, 2), 5)).toEqual([], { message: "1.7 seconds" });
    expect(silencesOf([], 60)).toEqual([]);
});

test("ours is the upper lane, the customer's the lower", async () => {
    patchWithCleanup(assets, {
        loadBundle(name) {
            expect.step(name);
            return super.loadBundle(...arguments);
        },
    });
    await mountWithWave();
    expect.verifySteps(["crm_telephony.assets_player"]);
    expect(queryAllTexts(".o_telephony_player_names span")).toEqual(["We", "Aigerim"]);
    const [[early, late], [earlyBelow, lateBelow]] = inkOfLanes();
    expect(early).toBeGreaterThan(late * 2);
    expect(lateBelow).toBeGreaterThan(earlyBelow * 2);
});

test("where the second channel is ours, it is the upper lane", async () => {
    await mountWithWave({ agent_channel: "second" });
    const [[early, late]] = inkOfLanes();
    expect(late).toBeGreaterThan(early * 2);
    expect(queryAllTexts(".o_telephony_player_names span")).toEqual(["We", "Aigerim"]);
});

test("sides that nobody knows have no names of people", async () => {
    await mountWithWave({ agent_channel: "unknown" });
    expect(queryAllTexts(".o_telephony_player_names span")).toEqual(["Side 1", "Side 2"]);
    expect(".o_telephony_recording_swap").toHaveText("The Upper Side Is Ours");
});

test("one channel is one lane without sides", async () => {
    await mountWithWave({ channels: 1, peaks: PEAKS.slice(0, 1332) });
    expect(inkOfLanes()).toHaveLength(1);
    expect(".o_telephony_player_names, .o_telephony_player_side, .o_telephony_recording_swap").toHaveCount(0);
});

for (const [why, values] of [["there are no points", { peaks: "", seconds: 0 }], ["what draws the lanes does not load", {}]]) {
    test(`where ${why}, it is played with a plain slider`, async () => {
        patchWithCleanup(assets, { loadBundle: () => Promise.reject(new Error("not there")) });
        patchWithCleanup(window, { WaveSurfer: undefined });
        await mount(values);
        await animationFrame();
        expect(".o_telephony_wave").toHaveCount(0);
        expect("input.form-range[aria-label=Position]").toBeVisible();
        expect(".o_telephony_player_clock").toHaveText("0:00 / 1:00");
        await click(".o_telephony_player_play");
        await animationFrame();
        expect(played.has(audio())).toBe(true);
        expect.verifySteps(["open 1"]);
    });
}

// -- playing

test("nothing is fetched before the first play, which opens the recording once", async () => {
    await mount();
    expect(audio().src).toBe("");
    expect("audio").toHaveAttribute("preload", "none");
    expect.verifySteps([]);
    for (const icon of ["fa-pause", "fa-play", "fa-pause"]) {
        await click(".o_telephony_player_play");
        await animationFrame();
        await animationFrame();
        expect(`.o_telephony_player_play .${icon}`).toHaveCount(1);
    }
    expect(audio().src).toBe("/telephony/recording/1?t=signed");
    expect.verifySteps(["open 1"]);
});

test("who clicks into the talk before playing begins there", async () => {
    await mount();
    const slider = queryOne("input[aria-label=Position]");
    slider.value = 42;
    await manuallyDispatchProgrammaticEvent(slider, "input");
    await animationFrame();
    expect(".o_telephony_player_clock").toHaveText("0:42 / 1:00");
    await manuallyDispatchProgrammaticEvent(slider, "change");
    await animationFrame();
    expect(slider).toHaveAttribute("aria-valuetext", "0:42 of 1:00");
    await click(".o_telephony_player_play");
    await animationFrame();
    expect(audio().currentTime).toBe(42);
    expect.verifySteps(["open 1"]);
});

test("keys: J, K, L, M and the speeds, also where letters are Cyrillic", async () => {
    await mount();
    await click(".o_telephony_player_play");
    await animationFrame();
    await goTo(30);
    await press("l");
    expect(audio().currentTime).toBe(35);
    await press("j");
    await press("j");
    expect(audio().currentTime).toBe(25);
    await press("m");
    expect(audio().muted).toBe(true);
    await press("k");
    expect(played.size).toBe(0);
    await manuallyDispatchProgrammaticEvent(document.body, "keydown", { key: "л", code: "KeyK" });
    await animationFrame();
    expect(played.size).toBe(1);
    await manuallyDispatchProgrammaticEvent(document.body, "keydown", { key: ">", code: "Period", shiftKey: true });
    expect(audio().playbackRate).toBe(1.25);
    await manuallyDispatchProgrammaticEvent(document.body, "keydown", { key: "Б", code: "Comma", shiftKey: true });
    await manuallyDispatchProgrammaticEvent(document.body, "keydown", { key: "Б", code: "Comma", shiftKey: true });
    expect(audio().playbackRate).toBe(0.75);
    await animationFrame();
    expect("select[aria-label^=Speed]").toHaveValue("0.75");
    expect.verifySteps(["open 1", "/telephony/recording/1/heard signed 30"]);
});

test("keys are no player's while somebody writes, with Ctrl, or before anything was played", async () => {
    class Page extends Component {
        static components = { RecordingPlayer };
        static props = ["*"];
        static template = xml`<div><textarea/><RecordingPlayer recording="props.recording"/></div>`;
    }
    await mountWithCleanup(Page, { props: { recording: recording() } });
    await press("k");
    expect(played.size).toBe(0);
    await click(".o_telephony_player_play");
    await animationFrame();
    await click("textarea");
    await press("k");
    expect(played.size).toBe(1);
    queryOne("textarea").blur();
    await press(["ctrl", "k"]);
    expect(played.size).toBe(1);
    await press("k");
    expect(played.size).toBe(0);
    expect.verifySteps(["open 1"]);
});

test("one player plays at a time, and the keys are that one's", async () => {
    class Page extends Component {
        static components = { RecordingPlayer };
        static props = ["*"];
        static template = xml`<div><RecordingPlayer t-foreach="props.all" t-as="it" t-key="it.id" recording="it"/></div>`;
    }
    await mountWithCleanup(Page, { props: { all: [recording(), recording({ id: 2 })] } });
    const [first, second] = queryAll("audio");
    await click(".o_telephony_player_play:first");
    await animationFrame();
    expect([...played]).toEqual([first]);
    await click(".o_telephony_player_play:last");
    await animationFrame();
    expect([...played]).toEqual([second]);
    expect(".o_telephony_player_play:first .fa-play").toHaveCount(1);
    document.activeElement.blur();
    await press("k");
    expect(played.size).toBe(0);
    expect.verifySteps(["open 1", "open 2"]);
});

test("the speed is remembered", async () => {
    await mount();
    await select("2", { target: "select[aria-label^=Speed]" });
    await mount({ id: 2 });
    await animationFrame();
    expect(queryAllValues("select[aria-label^=Speed]")).toEqual(["2", "2"]);
});

test("silence is skipped where somebody wants that", async () => {
    await mount();
    await click(".o_telephony_player_play");
    await animationFrame();
    await goTo(25);
    expect(audio().currentTime).toBe(25);
    await click(".o_telephony_player_skip input");
    await goTo(26);
    expect(Math.round(audio().currentTime * 10)).toBe(396);
    await click(".o_telephony_player_play");
    expect.verifySteps(["open 1", "/telephony/recording/1/heard signed 26"]);
});

test("one side alone: the channel that is theirs", async () => {
    const gains = [];
    const node = () => ({ connect: () => {} });
    patchWithCleanup(window, {
        AudioContext: class {
            createGain() {
                const gain = { ...node(), gain: { value: 1 } };
                gains.push(gain.gain);
                return gain;
            }
            createChannelSplitter = node;
            createMediaElementSource = node;
            resume() {}
            close() {}
        },
    });
    await mount({ agent_channel: "second" });
    expect(queryAllTexts("select[aria-label='Who is heard'] option")).toEqual(["Both sides", "Only us", "Only Aigerim"]);
    const heard = async (side) => {
        await select(side, { target: "select[aria-label='Who is heard']" });
        return gains.map(({ value }) => value);
    };
    expect(await heard("1")).toEqual([1, 0]);
    expect(await heard("0")).toEqual([0, 1]);
    expect(await heard("")).toEqual([1, 1]);
});

// -- the listening log

test("the furthest second is told when somebody pauses or leaves, once", async () => {
    class Page extends Component {
        static components = { RecordingPlayer };
        static props = ["*"];
        static template = xml`<RecordingPlayer t-if="props.state.isOpen" recording="props.recording"/>`;
    }
    const state = { isOpen: true };
    const page = await mountWithCleanup(Page, { props: { state, recording: recording() } });
    await click(".o_telephony_player_play");
    await animationFrame();
    await goTo(12.7);
    await goTo(5);
    await click(".o_telephony_player_play");
    await click(".o_telephony_player_play");
    await animationFrame();
    await goTo(8);
    await click(".o_telephony_player_play");
    expect.verifySteps(["open 1", "/telephony/recording/1/heard signed 12"]);
    await click(".o_telephony_player_play");
    await animationFrame();
    await goTo(30);
    state.isOpen = false;
    page.render();
    await animationFrame();
    expect.verifySteps(["/telephony/recording/1/heard signed 30"]);
});

test("a firm that wants a reason is told one", async () => {
    onRpc("/telephony/recording/<int:id>/open", async (request) => {
        const { params } = await request.json();
        expect.step(params);
        return params.reason_id ? { url: "/telephony/recording/1?t=signed" } : { reasons: [{ id: 3, name: "Quality" }] };
    });
    await mount();
    await click(".o_telephony_player_play");
    await animationFrame();
    await animationFrame();
    expect(played.size).toBe(0);
    expect(".o_telephony_player_reason button").not.toBeEnabled();
    await select("3", { target: ".o_telephony_player_reason select" });
    await contains(".o_telephony_player_reason input").edit("third week", { confirm: false });
    await click(".o_telephony_player_reason button");
    await animationFrame();
    await animationFrame();
    expect(played.size).toBe(1);
    expect(".o_telephony_player_reason").toHaveCount(0);
    expect.verifySteps([{ kind: "play" }, { kind: "play", reason_id: 3, reason_text: "third week" }]);
});

test("who may download gets the file, and is logged as such", async () => {
    onRpc("/telephony/recording/<int:id>/open", async (request) => {
        const { params } = await request.json();
        return { url: `/telephony/recording/1/${params.kind}` };
    });
    patchWithCleanup(browser.location, { assign: (address) => expect.step(address) });
    await mount();
    expect(".o_telephony_player_download").toHaveCount(0);
    await mount({ id: 2, can_download: true });
    await click(".o_telephony_player_download");
    await animationFrame();
    expect(played.size).toBe(0);
    expect.verifySteps(["/telephony/recording/1/download"]);
});

test("who may not listen reads why", async () => {
    onRpc("/telephony/recording/<int:id>/open", () => {
        throw makeServerError({ message: "You may not listen to this talk." });
    });
    await mount();
    await click(".o_telephony_player_play");
    await animationFrame();
    await animationFrame();
    expect(".o_telephony_recording_error").toHaveText("You may not listen to this talk.");
    expect(played.size).toBe(0);
});

test("an address that has run out is asked for anew, and the talk goes on where it was", async () => {
    await mount();
    await click(".o_telephony_player_play");
    await animationFrame();
    await goTo(20);
    await advanceTime(700_000);
    await manuallyDispatchProgrammaticEvent(audio(), "error");
    await animationFrame();
    await animationFrame();
    expect(audio().currentTime).toBe(20);
    expect(".o_telephony_recording_error").toHaveCount(0);
    expect.verifySteps(["open 1", "open 1"]);
});

// -- what cannot be heard, and what else can be done

test("the player tells why a recording cannot be played", async () => {
    onRpc("telephony.recording", "read", () => [{ id: 1, error: "the PBX has deleted it" }]);
    await mount({ source: "https://pbx.example.com/1.wav" });
    await click(".o_telephony_player_play");
    await animationFrame();
    await manuallyDispatchProgrammaticEvent(audio(), "error");
    await animationFrame();
    expect(".o_telephony_recording_error").toHaveText("the PBX has deleted it");
    expect(".o_telephony_recording a").toHaveAttribute("href", "https://pbx.example.com/1.wav");
    expect.verifySteps(["open 1"]);
});

test("a recording that has failed before says so at once, and can be tried", async () => {
    await mount({ state: "failed", error: "no such file" });
    expect(".o_telephony_recording_error").toHaveText("no such file");
    await click(".o_telephony_player_play");
    await animationFrame();
    expect(".o_telephony_recording_error").toHaveCount(0);
    expect.verifySteps(["open 1"]);
});

for (const [state, words] of [
    ["pending", "The PBX has announced this recording but not delivered it yet."],
    ["deleted", "Deleted on 12.03.2026: By the rule “Short talks”"],
    ["refused", "Not kept."],
]) {
    test(`a ${state} recording has words and no player`, async () => {
        await mount({ state, words, url: false, peaks: "" });
        expect(".o_telephony_recording").toHaveText(words);
        expect("audio, button, .o_telephony_recording_error").toHaveCount(0);
    });
}

test("what is wrong with the sound is told beside the player", async () => {
    await mount({ words: "Only one side can be heard." });
    expect(".o_telephony_recording_words").toHaveText("Only one side can be heard.");
    expect("audio").toHaveCount(1);
});

test("a recording that goes away by itself can be kept", async () => {
    onRpc("telephony.recording", "action_keep", ({ args }) => {
        expect.step(args);
        return true;
    });
    onRpc("telephony.recording", "read", () => [{ id: 1, player: recording() }]);
    await mount({ keep_until: "2026-03-11 11:01:00" });
    expect(".o_telephony_recording_keep span").toHaveText("Deleted in 23 hours unless somebody keeps it.");
    await click(".o_telephony_recording_keep button");
    await animationFrame();
    await animationFrame();
    expect(".o_telephony_recording_keep").toHaveCount(0);
    expect.verifySteps([[[1]]]);
});

test("sides are swapped, and further actions are offered", async () => {
    onRpc("telephony.recording", "action_swap_sides", () => {
        expect.step("swapped");
        return false;
    });
    onRpc("telephony.recording", "action_share", () => {
        expect.step("shared");
        return false;
    });
    onRpc("telephony.recording", "read", () => [{ id: 1, player: recording({ agent_channel: "second", customer: "Timur" }) }]);
    await mount({ actions: [{ method: "action_share", label: "Share", icon: "fa-share-alt" }] });
    await click(".o_telephony_recording_notes button:contains(Share)");
    await animationFrame();
    await animationFrame();
    expect(queryAllTexts("select[aria-label='Who is heard'] option").at(-1)).toBe("Only Timur");
    await click(".o_telephony_recording_swap");
    expect.verifySteps(["shared", "swapped"]);
});

/** What get_words of the recording answers. */
const WORDS = {
    is_corrected: false, notes: "Lines that nobody said, left out: 2.",
    lines: [
        { start: 1, end: 3, channel: 0, text: "Добрый день" },
        { start: 4, end: 7, channel: 1, text: "Где <b>доставка</b>?" },
        { start: 20, end: 25, channel: 1, text: "Алло" },
    ],
};

test("the line that is heard is the last one that has begun, but for a long silence", () => {
    expect([0, 0.9, 2, 5, 8, 15, 22].map((time) => lineAt(WORDS.lines, time))).toEqual([-1, 0, 0, 1, 1, -1, 2]);
});

test("what was said is read beside the sound, and a line plays when it is clicked", async () => {
    onRpc("telephony.recording", "get_words", ({ args }) => {
        expect.step(`read ${args[0]}`);
        return WORDS;
    });
    await mount({ has_words: true });
    expect.verifySteps([]);
    await contains(".o_telephony_player_read").click();
    expect.verifySteps(["read 1"]);
    expect(queryAllTexts(".o_telephony_words li .flex-grow-1")).toEqual(["Добрый день", "Где <b>доставка</b>?", "Алло"]);
    expect(queryAllTexts(".o_telephony_words_name")).toEqual(["We", "Aigerim", "Aigerim"]);
    expect(".o_telephony_words_now").toHaveCount(0);
    await contains(".o_telephony_words_play:eq(1)").click();
    expect.verifySteps(["open 1"]);
    expect(audio().currentTime).toBe(3.8);
    await goTo(5);
    expect(".o_telephony_words_now").toHaveText(/доставка/);
    audio().pause();
    expect.verifySteps(["/telephony/recording/1/heard signed 5"]);
    await contains(".o_telephony_words input").edit("алло", { confirm: false });
    expect(queryAllTexts(".o_telephony_words li .flex-grow-1")).toEqual(["Алло"]);
});

test("a line is corrected, and what stood there goes along", async () => {
    onRpc("telephony.recording", "get_words", () => WORDS);
    onRpc("telephony.recording", "correct_words", ({ args }) => {
        expect.step(args);
        return { ...WORDS, lines: [{ ...WORDS.lines[0], text: args[3] }] };
    });
    await mount({ has_words: true });
    await contains(".o_telephony_player_read").click();
    await contains(".o_telephony_words_edit:eq(0)", { visible: false }).click();
    await contains(".o_telephony_words textarea").edit("Добрый вечер", { confirm: false });
    await contains(".o_telephony_words button[type=submit]").click();
    expect.verifySteps([[[1], 1, 0, "Добрый вечер", "Добрый день"]]);
    expect(queryAllTexts(".o_telephony_words li .flex-grow-1")).toEqual(["Добрый вечер"]);
});

test("who comes from a search begins at the line that was found", async () => {
    onRpc("telephony.recording", "get_words", () => WORDS);
    await mount({ has_words: true, begin: 4 });
    await waitFor(".o_telephony_words");
    expect(".o_telephony_player_clock").toHaveText(/^0:04/);
    expect(".o_telephony_words_now").toHaveText(/доставка/);
});

test("a folded line loads the player when it is clicked, and plays", async () => {
    onRpc("telephony.recording", "read", ({ args }) => {
        expect.step(args);
        return [{ id: 1, player: recording() }];
    });
    const { id, state, url, duration } = recording();
    await mountWithCleanup(RecordingPlayer, { props: { recording: { id, state, url, duration, words: "" }, isFolded: true } });
    expect("audio").toHaveCount(0);
    expect(".o_telephony_recording").toHaveText("1:00");
    await click(".o_telephony_recording_unfold");
    await animationFrame();
    await animationFrame();
    expect(played.size).toBe(1);
    expect.verifySteps([[[1], ["player"]], "open 1"]);
});

// -- in forms and lists

const records = (...all) => {
    TelephonyCall._records = [{ id: 1, recording_ids: all.map(({ id }) => id) }];
    TelephonyRecording._records = all.map((player) => ({
        id: player.id, call_id: 1, state: player.state, player_url: player.url, player,
    }));
};
const view = (type, arch) => mountView({ type, resModel: "telephony.call", resId: type === "form" ? 1 : undefined, arch });
const list = () => view("list", `<list><field name="recording_ids" widget="telephony_recording_button"/></list>`);

test("a form shows every recording of its call", async () => {
    records(recording(), recording({ id: 2, state: "pending", url: false, words: "Not yet." }));
    await view("form", `<form><field name="recording_ids" widget="telephony_recording_player"/></form>`);
    expect("audio").toHaveCount(1);
    expect(".o_telephony_recording:last").toHaveText("Not yet.");
});

test("in a list a button opens the player, without opening the call, and asks for it only then", async () => {
    records(recording({ state: "pending", url: false, words: "Not yet." }), recording({ id: 2 }));
    onRpc("telephony.recording", "read", ({ args }) => {
        expect.step(args);
    });
    await list();
    expect.verifySteps([]);
    await click(".o_telephony_recording_button");
    await animationFrame();
    await animationFrame();
    await animationFrame();
    expect(".o_popover audio").toHaveCount(1);
    expect(played.size).toBe(1);
    expect(".o_list_view").toHaveCount(1);
    expect.verifySteps([[[1, 2], ["player"]], "open 2"]);
});

test("a list and a form of recordings play, too", async () => {
    records(recording());
    const resModel = "telephony.recording";
    await mountView({
        type: "list", resModel,
        arch: `<list><field name="state" column_invisible="1"/><field name="player_url" widget="telephony_recording_button"/></list>`,
    });
    expect(".o_telephony_recording_button").toHaveCount(1);
    await mountView({ type: "form", resModel, resId: 1, arch: `<form><field name="player" widget="telephony_recording_player"/></form>` });
    expect(".o_form_view audio").toHaveCount(1);
});

test("in a list what cannot be heard has a hint and no button", async () => {
    records(recording({ state: "pending", url: false }));
    await list();
    expect(".o_telephony_recording_button").toHaveCount(0);
    expect(queryAllAttributes("td i[role=img]", "title")).toEqual(["The PBX has announced this recording but not delivered it yet."]);
});

test("in a list a deleted recording says so", async () => {
    records(recording({ state: "deleted", url: false }));
    await list();
    expect(queryAllAttributes("td i[role=img]", "title")).toEqual(["The recording was deleted or not kept."]);
});
