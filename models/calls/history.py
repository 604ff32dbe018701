import logging
from datetime import timedelta, timezone

from odoo import api, fields, models
from odoo.exceptions import UserError

from ...providers.base import ProviderError
from ...providers.capabilities import ReadsHistory, method_of
from ...tools.words import _lt
from ..core.words_field import WordsField, in_words

_logger = logging.getLogger(__name__)

# Each comparison begins so long before the end of the last one, because PBXs log long calls late.
HISTORY_OVERLAP = timedelta(hours=6)
# The events of calls of the last minutes may still come.
HISTORY_DELAY = timedelta(minutes=10)


class TelephonyAccount(models.Model):
    """Reads the PBX's own log back each night, and files the calls whose events were lost on the
    way."""

    _inherit = 'telephony.account'

    history_until = fields.Datetime(
        string="Compared Until",
        readonly=True,
        copy=False,
        help="Up to this time the calls here were compared with the PBX's own log, and missing ones were added.",
    )
    history_message = WordsField(string="Comparison", readonly=True, copy=False)

    def action_fetch_history(self):
        """Start the comparison that otherwise runs every night."""
        self.check_access('write')
        self.env.ref('crm_telephony.ir_cron_fetch_history').sudo()._trigger()
        return {
            'type': 'ir.actions.client',
            'tag': 'display_notification',
            'params': {
                'message': self.env._(
                    "The comparison has started. Its result will appear on this form."
                ),
                'type': 'info',
            },
        }

    @api.model
    def _cron_fetch_history(self):
        """Compare the log of each PBX with ours. Its rows enter as events like any other."""
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
        events = self.env['telephony.event']
        rows, error = self._read_history(start, end)
        # the conversation took minutes: what follows needs a fresh view of the database
        self.env['ir.cron']._commit_progress()
        self.env.invalidate_all()
        refs = {row.call_ref for row in rows if row.call_ref}
        # the PBX's log still has what was erased here
        unwanted = events._on_unwanted(self, dict.fromkeys(refs))
        rows, refs = [row for row in rows if row.call_ref not in unwanted], refs - unwanted
        known = self.env['telephony.call'].search_count(
            [('account_id', '=', self.id), ('external_id', 'in', list(refs))]
        )
        events._store(self, rows, fields.Datetime.now())
        message = _lt(
            "PBX %(there)s, Odoo %(here)s, fetched %(new)s",
            there=len(refs),
            here=known,
            new=len(refs) - known,
        )
        self.write(self._history_values(end, message, error))
        self.env['ir.cron']._commit_progress()
        events._process(self)

    def _read_history(self, start, end):
        """Read the PBX's log between two times (naive UTC).

        :return: list of EventRow, those before an error included, and the error or None
        """
        rows = []
        try:
            for payload in self._client(ReadsHistory).history(
                start.replace(tzinfo=timezone.utc),
                end.replace(tzinfo=timezone.utc),
            ):
                rows.append(self.env['telephony.event']._row(self, payload))
        except Exception as error:
            if not isinstance(error, (ProviderError, UserError)):
                _logger.exception(
                    "telephony account %s: the PBX's call log could not be read. Lost calls are searched again tomorrow, or "
                    "with Compare Now on the PBX's form.",
                    self.id,
                )
            return rows, error
        return rows, None

    def _history_values(self, end, message, error):
        """Return what the account keeps of a comparison up to `end` (naive UTC)."""
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
        return values
