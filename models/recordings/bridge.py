import json
import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from odoo import api, models
from odoo.tools import SQL

from ...providers.base import Deletion, ProviderError, Reply
from ...tools import turns
from ...tools.words import _lt

_logger = logging.getLogger(__name__)

# So many recordings are named in one answer.
MOST_NAMES = 50


class TelephonyAccount(models.Model):
    """Tells the bridge beside a PBX which recordings to delete there, in the answers to its events,
    and notes what became of them."""

    _inherit = 'telephony.account'

    def _on_answered(self, reply: Reply) -> Reply:
        reply = super()._on_answered(reply)
        if reply.body or not self._adapter().uploads_recordings:
            return reply
        if names := self._to_delete_at_bridge():
            body = json.dumps({'delete_recordings': names})
            return replace(reply, body=body, content_type='application/json')
        return reply

    def _to_delete_at_bridge(self) -> list[str]:
        """Return the names of recordings that the bridge is to delete, without those that a legal
        hold protects. Each delivery asks, so it costs one look into an index that is mostly empty."""
        self.env['telephony.recording'].flush_model(['pbx_copy', 'pbx_copy_ref', 'is_held'])
        rows = self.env.execute_query(
            SQL(
                """ SELECT recording.pbx_copy_ref FROM telephony_recording AS recording
                      JOIN telephony_call AS call ON call.id = recording.call_id
                     WHERE recording.pbx_copy = 'deleting' AND recording.pbx_copy_ref IS NOT NULL
                       AND recording.is_held IS NOT TRUE AND call.account_id = %s
                  ORDER BY recording.id LIMIT %s """,
                self.id,
                MOST_NAMES,
            )
        )
        return list(dict.fromkeys(name for (name,) in rows))

    def _note_deletions(self, deletions: Iterable[Deletion]) -> None:
        """Note which recordings the bridge has deleted, and which it has not and why."""
        Recording = self.env['telephony.recording'].sudo()
        for deletion in deletions:
            if not deletion.recording_ref:
                continue
            recordings = Recording.search(
                [
                    (
                        'ref_hash',
                        '=',
                        Recording._hashes({'ref': deletion.recording_ref})['ref_hash'],
                    ),
                    ('call_id.account_id', '=', self.id),
                    ('pbx_copy', '!=', 'deleted'),
                ]
            )
            if deletion.is_gone:
                recordings._note_deleted_at_pbx()
                continue
            recordings.filtered(lambda recording: recording.pbx_copy == 'deleting').write(
                {
                    'pbx_copy': 'cannot',
                    'pbx_copy_error': _lt(
                        "The bridge has not deleted %(name)s: %(why)s. Delete the file at the PBX.",
                        name=deletion.recording_ref,
                        why=deletion.kept,
                    ),
                }
            )


class TelephonyRecording(models.Model):
    _inherit = 'telephony.recording'

    _ref_hash_idx = models.Index("(ref_hash) WHERE ref_hash IS NOT NULL")
    _deleting_idx = models.Index("(id) WHERE pbx_copy = 'deleting'")


class TelephonyEvent(models.Model):
    _inherit = 'telephony.event'

    @api.model
    def _after_appended(self, account, rows):
        super()._after_appended(account, rows)
        adapter = account._adapter()
        if not adapter.uploads_recordings:
            return
        told = []
        for row in rows:
            if row.state == 'ignored':
                with suppress(ProviderError):  # then it names no recording
                    told.append(adapter.deletion(json.loads(row.payload)))
        if deletions := list(filter(None, told)):
            with turns.isolated(
                self.env.cr,
                _logger,
                "telephony account %s: it could not be noted which recordings the bridge has deleted; its events in the inbox "
                "have their names.",
                account.id,
            ):
                account._note_deletions(deletions)
