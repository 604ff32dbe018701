import { Component } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { usePopover } from "@web/core/popover/popover_hook";
import { registry } from "@web/core/registry";
import { standardFieldProps } from "@web/views/fields/standard_field_props";
import { RECORDING_FIELDS, RecordingPlayer, recordingsOf } from "@crm_telephony/recording/recording_player";

/** All recordings of a call, each with its player. The server gives only those that the person may listen to. */
export class RecordingPlayerField extends Component {
    static template = "crm_telephony.RecordingPlayerField";
    static components = { RecordingPlayer };
    static props = { ...standardFieldProps };

    get recordings() {
        return recordingsOf(this.props.record.data[this.props.name]);
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

/** For lists: one button that opens the players of a call; a recording that is still to come has none. */
export class RecordingButtonField extends Component {
    static template = "crm_telephony.RecordingButtonField";
    static props = { ...standardFieldProps };

    setup() {
        this.popover = usePopover(RecordingPopover, { position: "bottom-end" });
    }

    get recordings() {
        return recordingsOf(this.props.record.data[this.props.name]);
    }

    get isPlayable() {
        return this.recordings.some((recording) => recording.url);
    }

    onClick(ev) {
        this.popover.open(ev.currentTarget, { recordings: this.recordings });
    }
}

export const recordingPlayerField = {
    component: RecordingPlayerField,
    displayName: _t("Recording Player"),
    supportedTypes: ["one2many"],
    relatedFields: RECORDING_FIELDS,
};

export const recordingButtonField = {
    ...recordingPlayerField,
    component: RecordingButtonField,
    displayName: _t("Recording Button"),
};

registry.category("fields").add("telephony_recording_player", recordingPlayerField);
registry.category("fields").add("telephony_recording_button", recordingButtonField);
