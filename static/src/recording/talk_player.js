import { Component, onMounted, onWillDestroy, onWillUpdateProps, useExternalListener, useRef, useState } from "@odoo/owl";
import { loadBundle } from "@web/core/assets";
import { browser } from "@web/core/browser/browser";
import { _t } from "@web/core/l10n/translation";
import { ConnectionLostError, rpc } from "@web/core/network/rpc";
import { useService } from "@web/core/utils/hooks";
import { formatClock } from "@crm_telephony/clock/clock_field";
import { useBusy } from "@crm_telephony/hooks";
import { lanesOf, silencesOf } from "@crm_telephony/recording/lanes";
import { Sides } from "@crm_telephony/recording/sides";
import { TalkWave } from "@crm_telephony/recording/talk_wave";
import { TalkWords } from "@crm_telephony/recording/talk_words";

export const SPEEDS = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3];
const SPEED = "crm_telephony.player_speed";
/** How far (s) J and L go. */
const STEP = 5;
/** The keys on a keyboard whose letters are not Latin. */
const PLACES = { KeyJ: "j", KeyK: "k", KeyL: "l", KeyM: "m", Comma: "<", Period: ">" };
/** The player that has played last: the keys are its own, and it falls silent when another begins. */
let current = null;

/**
 * Plays one recording. Nothing is fetched before somebody presses play: the first play opens the recording on the server, which
 * logs who listens, may ask why, and answers the address of the sound.
 */
export class TalkPlayer extends Component {
    static template = "crm_telephony.TalkPlayer";
    static components = { TalkWave, TalkWords };
    static props = {
        /** `player` of telephony.recording */
        recording: Object,
        autoplay: { type: Boolean, optional: true },
        /** told why it cannot be played, and "" as soon as it plays */
        onFailure: Function,
    };

    setup() {
        this.orm = useService("orm");
        this.ui = useService("ui");
        this.root = useRef("root");
        this.audioRef = useRef("audio");
        this.guard = useBusy();
        this.state = useState({
            isPlaying: false, time: 0, dragged: null, length: 0, speed: Number(browser.localStorage.getItem(SPEED)) || 1,
            volume: 1, isMuted: false, isSkipping: false, side: "", hasWave: false,
            asked: false, reason: { id: "", text: "" }, words: null,
        });
        this.url = "";
        this.openedAt = 0;
        this.furthest = this.told = 0;
        this.measure(this.props.recording);
        onWillUpdateProps(({ recording }) => this.measure(recording));
        onMounted(() => {
            const { begin, has_words: hasWords } = this.props.recording;
            if (begin) {
                this.seek(begin);
            }
            if (begin && hasWords) {
                this.read();
            }
            return this.props.autoplay && this.play();
        });
        useExternalListener(window, "keydown", (ev) => this.onKeydown(ev));
        useExternalListener(window, "pagehide", () => this.tellHeard());
        onWillDestroy(() => {
            this.tellHeard();
            this.sides?.close();
            if (current === this) {
                current = null;
            }
        });
    }

    get audio() {
        return this.audioRef.el;
    }

    // -- what is shown

    /** Notes what follows from the recording: which lane is whose, and where nobody speaks. Ours is the upper one. */
    measure({ id, peaks, channels, agent_channel: ours, seconds }) {
        const key = [id, peaks, ours].join();
        if (key !== this.measured) {
            const lanes = peaks ? lanesOf(peaks, channels) : [];
            this.measured = key;
            this.silences = silencesOf(lanes, seconds);
            this.isTurned = channels === 2 && ours === "second";
            this.lanes = this.isTurned ? lanes.toReversed() : lanes;
            this.hear();
            if (lanes.length) {
                this.loadWave();
            }
        }
    }

    get isDrawn() {
        return this.lanes.length > 0 && this.state.hasWave;
    }

    /** Loads what draws the lanes. Without it, as without lanes, the slider is shown as one. */
    async loadWave() {
        await loadBundle("crm_telephony.assets_player").catch(() => {});
        this.state.hasWave = Boolean(window.WaveSurfer);
    }

    /** Whose the two lanes are, the upper first, and how it is called to hear only that one. */
    get parties() {
        const { channels, agent_channel: ours, customer } = this.props.recording;
        if (channels !== 2) {
            return [];
        }
        if (ours === "unknown") {
            return [{ name: _t("Side 1"), only: _t("Only side 1") }, { name: _t("Side 2"), only: _t("Only side 2") }];
        }
        const name = customer || _t("Customer");
        return [{ name: _t("We"), only: _t("Only us") }, { name, only: _t("Only %s", name) }];
    }

    /** Index of the only lane that is heard, or false. */
    get only() {
        return this.state.side !== "" && Number(this.state.side);
    }

    /** How long it is: as the server has measured, because browsers guess it of some formats. */
    get seconds() {
        const { seconds, duration } = this.props.recording;
        return seconds || this.state.length || duration || 0;
    }

    get time() {
        return this.state.dragged ?? this.state.time;
    }

    get clock() {
        return `${formatClock(Math.floor(this.time))} / ${this.seconds ? formatClock(this.seconds) : "–:––"}`;
    }

    get playTitle() {
        return this.state.isPlaying ? _t("Pause (K)") : _t("Play (K)");
    }

    get spokenTime() {
        return _t("%(time)s of %(total)s", { time: formatClock(Math.floor(this.time)), total: formatClock(this.seconds) });
    }

    get speeds() {
        return SPEEDS.map((value) => ({ value, label: `${value}×` }));
    }

    // -- what was said

    /** Shows what was said, or hides it. The server logs who reads. */
    read() {
        return this.guard.run(async () => {
            this.state.words = this.state.words ? null : await this.orm.call("telephony.recording", "get_words", [[this.props.recording.id]]);
        });
    }

    onWords(words) {
        this.state.words = words;
    }

    get names() {
        return this.parties.map(({ name }) => name);
    }

    get ours() {
        return ["first", "second"].indexOf(this.props.recording.agent_channel);
    }

    /** Plays a line that was clicked. */
    playFrom(time) {
        this.seek(time);
        return this.play();
    }

    // -- playing

    toggle() {
        return this.state.isPlaying ? this.audio.pause() : this.play();
    }

    async play() {
        if (this.url || (await this.open("play"))) {
            // refused before a click, interrupted by a pause, or no sound: that has its own event
            await this.audio?.play().catch(() => {});
        }
    }

    download() {
        return this.open("download");
    }

    /**
     * Asks the server for the sound: it logs who listens, and may first want to know why.
     *
     * @param {"play" | "download"} kind
     * @returns {Promise<boolean | undefined>} whether it has answered where the sound is
     */
    open(kind) {
        return this.guard.run(async () => {
            const { id: reason, text } = this.state.reason;
            const why = { ...(reason && { reason_id: Number(reason) }), ...(text && { reason_text: text }) };
            let answer;
            try {
                answer = await rpc(`/telephony/recording/${this.props.recording.id}/open`, { kind, ...why }, { silent: true });
            } catch (error) {
                this.props.onFailure(
                    error instanceof ConnectionLostError
                        ? _t("There is no connection. Try again.")
                        : error.data?.message || _t("Cannot be played.")
                );
                return false;
            }
            const { url, reasons } = answer;
            this.state.asked = !url && { kind, reasons };
            if (url && kind === "download") {
                browser.location.assign(url);
            } else if (url && this.audio) {
                const { time, speed } = this.state;
                Object.assign(this, { url, openedAt: Date.now(), furthest: 0, told: 0 });
                Object.assign(this.audio, { src: url, defaultPlaybackRate: speed, playbackRate: speed });
                this.audio.currentTime = time;
            }
            return Boolean(url);
        });
    }

    /** Goes on with what the server has asked about. */
    answer() {
        return this[this.state.asked.kind]();
    }

    seek(time) {
        this.state.time = Math.min(Math.max(time, 0), this.seconds || Infinity);
        if (this.url) {
            this.audio.currentTime = this.state.time;
        }
    }

    step(seconds) {
        this.seek(this.state.time + seconds);
    }

    setSpeed(speed) {
        this.state.speed = speed;
        browser.localStorage.setItem(SPEED, speed);
        this.audio.playbackRate = this.audio.defaultPlaybackRate = speed;
    }

    onSpeed(ev) {
        this.setSpeed(Number(ev.target.value));
    }

    changeSpeed(by) {
        const index = SPEEDS.findIndex((speed) => speed >= this.state.speed) + by;
        this.setSpeed(SPEEDS[Math.min(Math.max(index, 0), SPEEDS.length - 1)]);
    }

    mute() {
        this.audio.muted = !this.audio.muted;
    }

    onVolume(ev) {
        Object.assign(this.audio, { volume: Number(ev.target.value), muted: false });
    }

    onSide(ev) {
        this.state.side = ev.target.value;
        this.sides ??= new Sides(this.audio);
        this.hear();
    }

    hear() {
        this.sides?.hear(this.only !== false && this.isTurned ? 1 - this.only : this.only);
    }

    /** Where the sound is now, or where it will begin. */
    getTime() {
        return this.state.dragged ?? (this.url ? this.audio.currentTime : this.state.time);
    }

    onDrag(ev) {
        this.state.dragged = Number(ev.target.value);
    }

    onSeek(ev) {
        this.state.dragged = null;
        this.seek(Number(ev.target.value));
    }

    onKeydown(ev) {
        const isMine = this.root.el.contains(ev.target);
        if (!(isMine || current === this) || ev.ctrlKey || ev.altKey || ev.metaKey || isTyping(ev.target)) {
            return;
        }
        if (!isMine && !this.ui.activeElement.contains(this.root.el)) {
            return; // a dialog is open above the player
        }
        const latin = (ev.key || "").toLowerCase(); // autocompletion tells of keys that are none
        const key = /^[a-z<>]$/.test(latin) ? latin : PLACES[ev.code];
        const task = {
            j: () => this.step(-STEP),
            k: () => !ev.repeat && this.toggle(),
            l: () => this.step(STEP),
            m: () => !ev.repeat && this.mute(),
            "<": () => this.changeSpeed(-1),
            ">": () => this.changeSpeed(1),
        }[key];
        if (task && ev.shiftKey === /[<>]/.test(key)) {
            task();
            ev.preventDefault();
            ev.stopPropagation();
        }
    }

    // -- what the browser tells of the sound

    onPlay() {
        if (current !== this) {
            current?.audio?.pause();
            current = this;
        }
        this.state.isPlaying = true;
    }

    onPlaying() {
        this.props.onFailure("");
    }

    onPause() {
        this.state.isPlaying = false;
        this.tellHeard();
    }

    onLength() {
        this.state.length = Number.isFinite(this.audio.duration) ? this.audio.duration : 0;
    }

    onVolumeChange() {
        const { volume, muted: isMuted } = this.audio;
        Object.assign(this.state, { volume, isMuted });
    }

    onTime() {
        const { currentTime } = this.audio;
        this.state.time = currentTime;
        if (this.state.isPlaying) {
            this.furthest = Math.max(this.furthest, currentTime);
            const silence = this.state.isSkipping && this.silences.find(([from, to]) => from <= currentTime && currentTime < to);
            if (silence) {
                this.seek(silence[1]);
            }
        }
    }

    /** Opens the recording anew if its address may have run out meanwhile; else tells what went wrong. */
    async onError() {
        if (!this.url) {
            return;
        }
        const wasOpen = Date.now() - this.openedAt;
        this.url = "";
        this.state.isPlaying = false;
        if (this.furthest && wasOpen > RUNS_OUT) {
            return this.play();
        }
        this.props.onFailure(_t("Cannot be played."));
        const [{ error } = {}] = await this.orm.silent.read("telephony.recording", [this.props.recording.id], ["error"]);
        if (error) {
            this.props.onFailure(error);
        }
    }

    /** Tells the server up to which second somebody has listened, when they pause or leave, once for each such second. */
    tellHeard() {
        const second = Math.floor(this.furthest);
        const t = this.url && new URL(this.url, browser.location.origin).searchParams.get("t");
        if (t && second > this.told) {
            this.told = second;
            const form = new FormData();
            Object.entries({ t, second, csrf_token: odoo.csrf_token }).forEach((entry) => form.append(...entry));
            navigator.sendBeacon(`/telephony/recording/${this.props.recording.id}/heard`, form);
        }
    }
}

/** How long (ms) an address is good at least. */
const RUNS_OUT = 600_000;

const isTyping = (target) => target.matches?.("textarea, select, [contenteditable=true], input:not([type=range])");
