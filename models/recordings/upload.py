import hashlib
import json
import logging
import re
import tempfile
from datetime import timedelta
from typing import NamedTuple

from odoo import api, fields, models
from odoo.tools import SQL

from ...providers.base import ProviderError, Reply, WebhookRequest, parse_json, text_of
from ...speech.audio import looks_like
from ...tools import turns
from ...tools.words import _lt
from ..calls.recording import GONE
from .copying import KINDS

_logger = logging.getLogger(__name__)

CRON = 'crm_telephony.ir_cron_join_recordings'
# What follows the webhook's address where pieces of recordings are sent.
SUFFIX = 'recording'
# A file of at most so many bytes is joined while its last piece is answered, a larger one by the
# scheduled action.
AT_ONCE = 16 * 1024**2
# An upload of which no piece has come for so long (hours) is given up.
PATIENCE = 48
# So long (minutes) after the end of a call a recording of it may still be announced.
TOLD_MINUTES = 10
# So many bytes tell what a file is.
BEGINNING = 512


class Head(NamedTuple):
    """What the first line of a piece says of the file.

    :ivar leg_ref: the PBX's id of the leg whose sound is the first of two channels, '' if unknown
    :ivar agent_channel: `first` or `second`, '' if the sender does not know
    """

    name: str
    call_ref: str
    leg_ref: str
    size: int
    sha256: str
    channels: int
    agent_channel: str


class Piece(NamedTuple):
    head: Head
    offset: int
    sound: bytes


def read_piece(body: bytes) -> Piece:
    """Read the body of a delivery: one line of JSON, a line feed, and a piece of the file; after the
    last piece none, to ask whether the file is stored.

    :raise ProviderError: the first line does not say what it has to
    """
    line, _feed, sound = body.partition(b'\n')
    told = parse_json(line, _lt("the first line"))
    told = told.get('recording') if isinstance(told, dict) else None
    if not isinstance(told, dict):
        raise ProviderError(
            _lt("The first line should be a JSON object with an object “recording”.")
        )
    size, offset, channels = (told.get(name) for name in ('size', 'offset', 'channels'))
    head = Head(
        name=text_of(told, 'name', required=True),
        call_ref=text_of(told, 'linkedid', required=True),
        leg_ref=text_of(told, 'uniqueid'),
        size=size,
        sha256=text_of(told, 'sha256', required=True).lower(),
        channels=channels if channels == 2 else 1,
        agent_channel=text_of(told, 'agent_channel'),
    )
    if not (
        isinstance(size, int)
        and isinstance(offset, int)
        and re.fullmatch('[0-9a-f]{64}', head.sha256)
        and 0 <= offset <= size - len(sound)
        and (sound or offset == size > 0)
    ):
        raise ProviderError(
            _lt(
                "size and offset should be the bytes of the file and of what was sent before this piece, and sha256 the sum of "
                "the file."
            )
        )
    return Piece(head, offset, sound)


class TelephonyAccount(models.Model):
    """Takes the pieces of recordings that a bridge uploads, see docs/webhook.md."""

    _inherit = 'telephony.account'

    def _on_verified(self, request: WebhookRequest) -> Reply | None:
        reply = super()._on_verified(request)
        is_piece = request.suffix.strip('/') == SUFFIX and self._adapter().uploads_recordings
        if reply or not is_piece:
            return reply
        try:
            piece = read_piece(request.body)
        except ProviderError as error:
            return Reply(str(error), 400)
        return turns.retried(self.env.cr, lambda: self._take(piece), tries=6)

    def _take(self, piece: Piece) -> Reply:
        """Store a piece, and return the answer to the bridge."""
        head, calls = piece.head, self._calls_of(piece.head)
        recordings = calls._recordings_named(head.name)
        copied = recordings.filtered(lambda recording: recording.copy_state == 'done')
        wanted = (recordings - copied).filtered(lambda recording: recording.state not in GONE)
        if copied and not wanted:
            return _told(200, have=head.size, done=True)
        if self.recording_storage == 'link' or recordings and not wanted:
            return Reply("not wanted", 410)
        if not wanted:
            never = calls and calls._are_long_over() or self._on_stray_recording(head.call_ref)
            return Reply("not wanted", 410) if never else Reply("no such recording yet", 425)
        if head.size > self.copy_max_megabytes * 1024**2:
            for recording in wanted:
                recording._lose(
                    _lt(
                        "It has %(size)s MB, and the limit on the PBX's form is %(most)s MB.",
                        size=head.size // 1024**2,
                        most=self.copy_max_megabytes,
                    )
                )
            return Reply("too large", 410)
        return wanted[0]._take_piece(piece)

    def _calls_of(self, head: Head):
        """Return the calls to which this file may belong: a leg that began as a call of its own has
        its recording in both."""
        refs = [head.call_ref, head.leg_ref or head.call_ref]
        return (
            self.env['telephony.call']
            .sudo()
            .search([('account_id', '=', self.id), ('external_id', 'in', refs)])
        )

    def _on_stray_recording(self, call_ref: str) -> bool:
        """Return whether the call with this PBX's id will never be in the log again, so that its
        recordings are not wanted; said by erasures."""
        return False


class TelephonyCall(models.Model):
    _inherit = 'telephony.call'

    def _recordings_named(self, name):
        """Return the recordings of these calls that have, or had, this name at the PBX."""
        ref_hash = self.env['telephony.recording']._hashes({'ref': name})['ref_hash']
        return self.recording_ids.filtered(lambda recording: recording.ref_hash == ref_hash).sorted(
            'id'
        )

    def _are_long_over(self):
        """Return whether the PBX has told all of these calls: a file that is not among their
        recordings holds no talk."""
        since = fields.Datetime.now() - timedelta(minutes=TOLD_MINUTES)
        return all(call.state == 'ended' and call._moment() < since for call in self)


class TelephonyRecording(models.Model):
    """Joins the pieces of a recording. They are rows, so any worker takes any of them; what came is
    always the beginning of the file, because a piece is taken only where the last one ended."""

    _inherit = 'telephony.recording'

    def _take_piece(self, piece: Piece) -> Reply:
        self.ensure_one()
        head, Part = piece.head, self.env['telephony.recording.part']
        have = Part._have(self, head.sha256)
        if piece.offset != have:
            return _told(409, have=have)
        if piece.sound:
            Part._append(self, piece)
            have += len(piece.sound)
        if have < head.size:
            return _told(200, have=have, done=False)
        if head.size > AT_ONCE:
            turns.wake_cron(self.env, CRON, [fields.Datetime.now()])
            return _told(200, have=have, done=False)
        return self._join_pieces(head.sha256)

    @api.model
    def _cron_join(self):
        """Join the files of which all pieces are there."""
        complete = self.env['telephony.recording.part']._complete()
        for number, (recording_id, sha256) in enumerate(complete, 1):
            with (
                turns.gives_way(self.env, CRON),
                turns.isolated(
                    self.env.cr,
                    _logger,
                    "recording %s could not be joined of its pieces. The bridge asks for it again.",
                    recording_id,
                ),
            ):
                self.browse(recording_id)._join_pieces(sha256)
            if not self.env['ir.cron']._commit_progress(1, remaining=len(complete) - number):
                return

    def _join_pieces(self, sha256) -> Reply:
        """Join the pieces of a file, and store it with each recording that it is of. The file is held
        in memory once, whatever its size."""
        Part, digest = self.env['telephony.recording.part'], hashlib.sha256()
        parts = Part._of(self, sha256)
        with tempfile.TemporaryFile() as joined:
            for part_id, _head in parts:
                piece = Part._sound(part_id)
                digest.update(piece)
                joined.write(piece)
            joined.seek(0)
            sound = joined.read()
        Part._forget(self, sha256)
        if not parts or digest.hexdigest() != sha256:
            _logger.warning(
                "recording %s: the uploaded pieces do not have the sum that the bridge told; they are deleted, and the "
                "bridge sends them again.",
                self.id,
            )
            return Reply("the sum differs", 422)
        head = Head(**parts[0][1])
        kind, calls = looks_like(sound[:BEGINNING]), self.call_id.account_id._calls_of(head)
        for recording in calls._recordings_named(head.name):
            if recording.copy_state == 'done' or recording.state in GONE:
                continue
            if kind.startswith(KINDS):
                recording._store_sound(sound, kind, sha256=sha256, **recording._sides(head))
            else:
                recording._lose(
                    _lt(
                        "The PBX's file is no sound that can be played: %(kind)s.",
                        kind=kind or _lt("unknown"),
                    )
                )
        if kind.startswith(KINDS):
            return _told(200, have=head.size, done=True)
        return Reply("no sound", 410)

    def _sides(self, head: Head):
        """Return the field values that say which channel is the employee's."""
        if head.channels < 2:
            return {}
        account, agent_channel = self.call_id.account_id, head.agent_channel
        if agent_channel not in ('first', 'second'):
            Event = self.env['telephony.event']
            stored = Event._stored(Event._events_of(account, [self.call_id.external_id]))
            agent_channel = account._adapter().agent_channel(
                stored, account._settings(), head.leg_ref
            )
        return (
            agent_channel and {'agent_channel': agent_channel, 'agent_channel_source': 'pbx'} or {}
        )

    def _after_stored(self):
        super()._after_stored()
        self.env['telephony.recording.part']._forget(self)

    def _after_deleted(self):
        super()._after_deleted()
        self.env['telephony.recording.part']._forget(self)


class TelephonyRecordingPart(models.Model):
    """A piece of a file that is being uploaded. Two bridges may send different files of one name: the
    sums keep them apart, and the file that is complete first counts.

    `data` are the raw bytes, not base64: only the statements here write and read them.
    """

    _name = 'telephony.recording.part'
    _description = "Piece of an uploaded recording"
    _order = 'recording_id, sha256, offset'

    recording_id = fields.Many2one('telephony.recording', required=True, ondelete='cascade')
    sha256 = fields.Char(required=True)
    offset = fields.Integer(required=True)
    head = fields.Json()
    data = fields.Binary(attachment=False, groups=fields.NO_ACCESS)

    _piece_uniq = models.UniqueIndex(
        '(recording_id, sha256, "offset")', "This piece is already stored."
    )

    @api.model
    def _have(self, recording, sha256):
        """Return how many bytes of a file have come."""
        [(have,)] = self.env.execute_query(
            SQL(
                """ SELECT COALESCE(SUM(octet_length(data)), 0) FROM telephony_recording_part
                     WHERE recording_id = %s AND sha256 = %s """,
                recording.id,
                sha256,
            )
        )
        return have

    @api.model
    def _append(self, recording, piece):
        """Store a piece. If somebody else stores a piece of this recording now, or the whole, the
        transaction has to be done again: else a piece would be left over."""
        self.env.cr.execute(
            SQL(
                "UPDATE telephony_recording SET write_date = now() AT TIME ZONE 'UTC' WHERE id = %s",
                recording.id,
            )
        )
        self.env.cr.execute(
            SQL(
                """ INSERT INTO telephony_recording_part
                           (create_uid, create_date, recording_id, sha256, "offset", head, data)
                    VALUES (%s, now() AT TIME ZONE 'UTC', %s, %s, %s, %s, %s)
               ON CONFLICT DO NOTHING """,
                self.env.uid,
                recording.id,
                piece.head.sha256,
                piece.offset,
                json.dumps(piece.head._asdict()),
                piece.sound,
            ),
            log_exceptions=False,  # the piece would be in the log
        )

    @api.model
    def _of(self, recording, sha256):
        """Return id and head of the pieces of a file, in its order."""
        return self.env.execute_query(
            SQL(
                """ SELECT id, head FROM telephony_recording_part
                     WHERE recording_id = %s AND sha256 = %s ORDER BY "offset" """,
                recording.id,
                sha256,
            )
        )

    @api.model
    def _sound(self, part_id):
        [(sound,)] = self.env.execute_query(
            SQL("SELECT data FROM telephony_recording_part WHERE id = %s", part_id)
        )
        return sound

    @api.model
    def _complete(self):
        """Return id of the recording and sum of the files of which all pieces are there."""
        return self.env.execute_query(
            SQL(
                """ SELECT recording_id, sha256 FROM telephony_recording_part
                  GROUP BY recording_id, sha256
                    HAVING SUM(octet_length(data)) = MAX((head->>'size')::bigint)
                  ORDER BY MIN(id) """
            )
        )

    @api.model
    def _forget(self, recordings, sha256=None):
        """Delete the pieces of these recordings, or those of one file only."""
        if recordings:
            self.env.cr.execute(
                SQL(
                    "DELETE FROM telephony_recording_part WHERE recording_id IN %s%s",
                    recordings._ids,
                    SQL(" AND sha256 = %s", sha256) if sha256 else SQL(),
                )
            )

    @api.autovacuum
    def _gc_parts(self):
        """Delete uploads that nobody goes on with."""
        self.env.cr.execute(
            SQL(
                """ DELETE FROM telephony_recording_part WHERE (recording_id, sha256) IN (
                        SELECT recording_id, sha256 FROM telephony_recording_part
                      GROUP BY recording_id, sha256
                        HAVING MAX(create_date) < now() AT TIME ZONE 'UTC' - make_interval(hours => %s)) """,
                PATIENCE,
            )
        )


def _told(status: int, **told) -> Reply:
    return Reply(json.dumps(told), status, 'application/json')
