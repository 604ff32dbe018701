import logging
from datetime import timedelta, timezone

from odoo import api, fields, models
from odoo.exceptions import UserError

from ...providers.base import ProviderError
from ...providers.capabilities import ReadsHistory, method_of
from ...tools.words import _lt
from ..core.words_field import WordsField, in_words

_logger = logging.getLogger(__name__)

# What is read back each night reaches so far back beyond the last time: PBXs file long calls late.
HISTORY_OVERLAP = timedelta(hours=6)
# Calls of the last minutes are still being told by events.
HISTORY_DELAY = timedelta(minutes=10)


class TelephonyAccount(models.Model):
    """The PBX's own statistics, read back each night: what was lost on the way is found again."""

    _inherit = 'telephony.account'

    history_until = fields.Datetime(
        string="Compared Until",
        readonly=True,
        copy=False,
        help="Up to here the PBX's own statistics were read back and what was lost on the way was found again.",
    )
    history_message = WordsField(string="Comparison", readonly=True, copy=False)

    def action_fetch_history(self):
        """Do now what is done every night."""
        self.check_access('write')
        self.env.ref('crm_telephony.ir_cron_fetch_history').sudo()._trigger()
        return {
            'type': 'ir.actions.client',
            'tag': 'display_notification',
            'params': {
                'message': self.env._(
                    "The comparison starts now; its result will stand on this form."
                ),
                'type': 'info',
            },
        }

    @api.model
    def _cron_fetch_history(self):
        """Compare each PBX's own statistics with the log. Its rows enter as events like any
        other."""
        accounts = self.search([]).filtered(lambda account: account._is_ready(ReadsHistory))
        self.env['ir.cron']._commit_progress(remaining=len(accounts))
        for account in accounts:
            end = fields.Datetime.now() - HISTORY_DELAY
            start = (account.history_until or end - timedelta(days=1)) - HISTORY_OVERLAP
            account._fetch_history(start, end)
            if not self.env['ir.cron']._commit_progress(1):
                return

    def _fetch_history(self, start, end):
        """Read back the calls between two times (naive UTC) and file what is new in them.
        Commits."""
        self.ensure_one()
        event_model, rows, error = self.env['telephony.event'], [], None
        try:
            for payload in self._client(ReadsHistory).history(
                start.replace(tzinfo=timezone.utc),
                end.replace(tzinfo=timezone.utc),
            ):
                rows.append(event_model._row(self, payload))  # what came before an error is kept
        except Exception as complaint:
            if not isinstance(complaint, (ProviderError, UserError)):
                _logger.exception("telephony account %s: its history cannot be read", self.id)
            error = complaint
        # the conversation took minutes: what follows needs a fresh view of the database
        self.env['ir.cron']._commit_progress()
        self.env.invalidate_all()
        refs = {row.call_ref for row in rows if row.call_ref}
        known = self.env['telephony.call'].search_count(
            [('account_id', '=', self.id), ('external_id', 'in', list(refs))]
        )
        event_model._store(self, rows, fields.Datetime.now())
        message = _lt(
            "PBX %(there)s, Odoo %(here)s, fetched %(new)s",
            there=len(refs),
            here=known,
            new=len(refs) - known,
        )
        values = {
            'history_message': _lt(
                "%(counts)s. %(complaint)s", counts=message, complaint=in_words(error)
            )
            if error
            else message
        }
        if not error:
            values['history_until'] = max(end, self.history_until or end)
            values.update(
                self._answered(), **({'state_message': False} if self.state == 'error' else {})
            )
        elif not getattr(error, 'retryable', False):
            values.update(
                state='error', error_in=method_of(ReadsHistory), state_message=in_words(error)
            )
        self.write(values)
        self.env['ir.cron']._commit_progress()
        event_model._process(self)
