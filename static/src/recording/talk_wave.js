import { Component, useEffect, useRef } from "@odoo/owl";
import { amplified } from "@crm_telephony/recording/lanes";

/** Height (px) of one lane; `.o_telephony_wave` keeps the room. */
const LANE = 36;

/** Draws the lanes of a recording and how far it has been played. Who clicks on it clicks on the player's slider above it. */
export class TalkWave extends Component {
    static template = "crm_telephony.TalkWave";
    static props = {
        /** peaks of each lane, the upper first, 0 to 1 */
        lanes: Array,
        seconds: Number,
        /** changes whenever the player stands elsewhere; `getTime` tells where, in seconds */
        time: Number,
        getTime: Function,
        isPlaying: Boolean,
        /** index of the only lane that is heard */
        only: { type: [Number, { value: false }] },
    };

    setup() {
        this.root = useRef("root");
        useEffect(
            () => {
                this.wave = this.draw();
                return () => this.wave.destroy();
            },
            () => [this.props.lanes, this.props.only, this.props.seconds]
        );
        useEffect(
            () => this.show(),
            () => [this.props.time]
        );
        useEffect(
            (isPlaying) => {
                let frame;
                const goOn = () => {
                    this.show();
                    frame = requestAnimationFrame(goOn);
                };
                if (isPlaying) {
                    goOn();
                }
                return () => cancelAnimationFrame(frame);
            },
            () => [this.props.isPlaying]
        );
    }

    /** Shows how far the recording has been played, once the wave is drawn. */
    show() {
        if (this.wave.getDuration()) {
            this.wave.setTime(this.props.getTime());
        }
    }

    draw() {
        const { lanes, only, seconds } = this.props;
        const style = getComputedStyle(this.root.el);
        const color = (name) => style.getPropertyValue(`--telephony-${name}`).trim();
        const splitChannels = lanes.map((_, index) => {
            const side = index ? "theirs" : "ours";
            const isHeard = only === false || only === index;
            return { waveColor: color(`${side}-ahead`), progressColor: color(isHeard ? side : `${side}-ahead`) };
        });
        const wave = window.WaveSurfer.create({
            container: this.root.el, peaks: amplified(lanes), duration: seconds, interact: false, splitChannels, height: LANE,
            barWidth: 2, barGap: 1, barRadius: 1, barMinHeight: 1, cursorWidth: 2, cursorColor: color("cursor"),
        });
        wave.once("ready", () => this.show());
        return wave;
    }
}
