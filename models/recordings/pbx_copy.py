import logging

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from ...providers.base import ProviderError
from ...providers.capabilities import DeletesRecordings
from ...tools import turns
from ...tools.clocks import next_try
from ...tools.words import _lt
from ..core.words_field import WordsField, in_words

_logger = logging.getLogger(__name__)

CRON = 'crm_telephony.ir_cron_delete_at_pbx'
# The form of a PBX counts so many recordings that it still holds.
MOST_COUNTED = 10_000
# What remains to be known of a recording when the PBX has deleted its copy.
DONE = {
    'pbx_copy': 'deleted',
    'pbx_copy_ref': False,
    'pbx_copy_call': False,
    'pbx_copy_error': False,
    'pbx_copy_next_at': False,
}


class TelephonyRecording(models.Model):
    """Deletes the PBX's own copy of a deleted recording: by its API, by the bridge beside it, or by
    a person, who is told what to delete.

    The names that a PBX knows are kept apart from those of the recording, and only until its copy
    is gone. A bridge takes what is `deleting` and reports what it has deleted, by
    :meth:`_note_deleted_at_pbx`.
    """

    _inherit = 'telephony.recording'

    pbx_copy_error = WordsField(string="Why the PBX Still Has It", readonly=True, copy=False)
    pbx_copy_attempts = fields.Integer(readonly=True, copy=False)
    pbx_copy_next_at = fields.Datetime(readonly=True, copy=False)
    pbx_copy_ref = fields.Char(readonly=True, copy=False, groups=fields.NO_ACCESS)
    pbx_copy_call = fields.Char(readonly=True, copy=False, groups=fields.NO_ACCESS)

    _pbx_copy_next_idx = models.Index("(pbx_copy_next_at) WHERE pbx_copy_next_at IS NOT NULL")
    _pbx_copy_left_idx = models.Index(
        "(call_id) WHERE state = 'deleted' AND pbx_copy != 'deleted' AND retention_rule_id IS NOT NULL"
    )

    # === WHAT HAS TO BE DELETED THERE === #

    def _before_deleted(self, pbx_too):
        """Keep the names that the PBX knows, as they are about to be forgotten."""
        super()._before_deleted(pbx_too)
        if pbx_too:
            there = self.filtered(lambda recording: recording.pbx_copy != 'deleted')
            for account, recordings in there.grouped(lambda row: row.call_id.account_id).items():
                if account:
                    recordings._plan_deleting_at_pbx(account)

    def _plan_deleting_at_pbx(self, account):
        """Plan to delete the copies of these recordings at their PBX, as far as that is possible
        from here."""
        by_bridge = account._adapter().uploads_recordings
        by_api = not by_bridge and account._can(DeletesRecordings)
        for recording in self:
            call = recording.call_id
            recording.write(
                {
                    'pbx_copy': 'deleting' if by_bridge or by_api else 'cannot',
                    'pbx_copy_ref': recording.ref,
                    'pbx_copy_call': call.external_id,
                    'pbx_copy_attempts': 0,
                    'pbx_copy_next_at': by_api and fields.Datetime.now(),
                    'pbx_copy_error': not by_bridge
                    and not by_api
                    and _lt(
                        "%(pbx)s cannot be told to delete recordings. Delete it there: recording %(name)s, call %(call)s of "
                        "%(time)s.",
                        pbx=account.name,
                        name=recording.ref or "–",
                        call=call.external_id or "–",
                        time=call.start_at,
                    ),
                }
            )
        if by_api:
            turns.wake_cron(self.env, CRON, [fields.Datetime.now()])

    def _note_deleted_at_pbx(self):
        """Note that the PBX's copies of these recordings are gone, and forget their names."""
        self.write(DONE)

    # === THE QUEUE === #

    @api.model
    def _cron_delete_at_pbx(self, batch_size=50):
        """Ask PBXs to delete their copies. One that does not answer is left alone for a while, so
        that it holds up no other."""
        with turns.gives_way(self.env, CRON):
            domain = self._waits_for_pbx() & Domain('pbx_copy_next_at', '<=', fields.Datetime.now())
            for recording in self.search(domain, limit=batch_size, order='pbx_copy_next_at, id'):
                due = recording.filtered_domain(domain)  # none if its PBX has just failed
                if due - due._on_kept_back():
                    due._delete_at_pbx()
                if not self.env['ir.cron']._commit_progress(1, remaining=self.search_count(domain)):
                    return
            following = self.search(
                self._waits_for_pbx(), limit=1, order='pbx_copy_next_at, id'
            ).pbx_copy_next_at
            if following:
                turns.wake_cron(self.env, CRON, [following])

    @api.model
    def _waits_for_pbx(self):
        return Domain('pbx_copy_next_at', '!=', False) & Domain('is_held', '=', False)

    def _delete_at_pbx(self):
        self.ensure_one()
        try:
            self.call_id.account_id._client(DeletesRecordings).delete_recording(
                self.pbx_copy_ref or '', self.pbx_copy_call or ''
            )
        except Exception as error:
            if not isinstance(error, (ProviderError, UserError)):
                _logger.exception(
                    "recording %s: its PBX could not be asked to delete it. The recording shows whether it is tried again.",
                    self.id,
                )
            self._note_pbx_failure(error)
        else:
            self._note_deleted_at_pbx()

    def _note_pbx_failure(self, error):
        attempts = self.pbx_copy_attempts + 1
        passing = getattr(error, 'retryable', False)
        again = passing and next_try(attempts)
        self.write(
            {
                'pbx_copy': 'deleting' if again else 'failed',
                'pbx_copy_attempts': attempts,
                'pbx_copy_error': in_words(error),
                'pbx_copy_next_at': again,
            }
        )
        if passing:  # the others of this PBX would meet the same
            self.search(
                self._waits_for_pbx()
                & Domain('pbx_copy_next_at', '<', again or next_try(1))
                & Domain('call_id.account_id', '=', self.call_id.account_id.id)
            ).pbx_copy_next_at = again or next_try(1)

    # === BUTTONS === #

    def action_delete_at_pbx_again(self):
        """Ask the PBX once more to delete what it could not delete."""
        self.check_access('read')
        self._check_may_delete()
        failed = self.sudo().filtered(lambda recording: recording.pbx_copy == 'failed')
        failed.write(
            {
                'pbx_copy': 'deleting',
                'pbx_copy_attempts': 0,
                'pbx_copy_next_at': fields.Datetime.now(),
            }
        )
        turns.wake_cron(self.env, CRON, [fields.Datetime.now()])

    def action_deleted_at_pbx(self):
        """Note that a person has deleted these recordings at the PBX."""
        self.check_access('read')
        self._check_may_delete()
        self.sudo().filtered(
            lambda recording: recording.pbx_copy in ('cannot', 'failed')
        )._note_deleted_at_pbx()


class TelephonyAccount(models.Model):
    _inherit = 'telephony.account'

    pbx_copies_left = fields.Integer(
        compute='_compute_pbx_copies_left',
        groups='crm_telephony.group_admin',
        help="Recordings that are older than the retention rules allow, and of which Odoo does not know that the PBX has "
        "deleted them.",
    )

    def _compute_pbx_copies_left(self):
        for account in self:
            today = account.company_id._telephony_today()
            account.pbx_copies_left = (
                self.env['telephony.recording']
                .sudo()
                .search_count(
                    Domain('call_id.account_id', '=', account.id)
                    & Domain('pbx_copy', '!=', 'deleted')
                    & (
                        Domain('state', '=', 'deleted') & Domain('retention_rule_id', '!=', False)
                        | Domain('delete_after', '<', today)
                    ),
                    limit=MOST_COUNTED,
                )
            )
