import { Component } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { usePopover } from "@web/core/popover/popover_hook";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { standardFieldProps } from "@web/views/fields/standard_field_props";
import { useBusy } from "@crm_telephony/hooks";
import { RecordingPlayer } from "@crm_telephony/recording/recording_player";

/** @returns {Object[]} the recordings of a call, or the recording that the field is of */
const recordsOf = ({ record, name }) => record.data[name]?.records || [record];

/** All recordings of a call, or the recording itself, with its player. The server gives only those that the user may listen to. */
export class RecordingPlayerField extends Component {
    static template = "crm_telephony.RecordingPlayerField";
    static components = { RecordingPlayer };
    static props = { ...standardFieldProps };

    get recordings() {
        return recordsOf(this.props).map(({ data }) => data.player);
    }
}

export class RecordingPopover extends Component {
    static template = "crm_telephony.RecordingPopover";
    static components = { RecordingPlayer };
    static props = { recordings: Array, close: { type: Function, optional: true } };

    get firstPlayable() {
        return this.props.recordings.find((recording) => recording.url);
    }
}

/** For lists: one button that opens the players of a call; what cannot be heard has none. */
export class RecordingButtonField extends Component {
    static template = "crm_telephony.RecordingButtonField";
    static props = { ...standardFieldProps };

    setup() {
        this.orm = useService("orm");
        this.guard = useBusy();
        this.popover = usePopover(RecordingPopover, {
            position: "bottom-end", popoverClass: "o_telephony_recording_popover", useBottomSheet: useService("ui").isSmall,
        });
    }

    get records() {
        return recordsOf(this.props);
    }

    get isPlayable() {
        return this.records.some(({ data }) => data.player_url);
    }

    get isPending() {
        return this.records.some(({ data }) => data.state === "pending");
    }

    /** Asks for the players only now, because a list has many. */
    onClick({ currentTarget: button }) {
        return this.guard.run(async () => {
            const ids = this.records.map(({ resId }) => resId);
            const recordings = await this.orm.read("telephony.recording", ids, ["player"]);
            this.popover.open(button, { recordings: recordings.map(({ player }) => player) });
        });
    }
}

export const recordingPlayerField = {
    component: RecordingPlayerField,
    displayName: _t("Recording Player"),
    supportedTypes: ["one2many", "json"],
    relatedFields: [{ name: "player", type: "json" }],
};

export const recordingButtonField = {
    component: RecordingButtonField,
    displayName: _t("Recording Button"),
    supportedTypes: ["one2many", "char"],
    relatedFields: [
        { name: "state", type: "selection", selection: [] },
        { name: "player_url", type: "char" },
    ],
};

registry.category("fields").add("telephony_recording_player", recordingPlayerField);
registry.category("fields").add("telephony_recording_button", recordingButtonField);
