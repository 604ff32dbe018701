import logging
from datetime import timezone
from typing import NamedTuple

from odoo import fields, models
from odoo.exceptions import UserError

from ...providers.base import ProviderError
from ...providers.capabilities import ReadsHistory, method_of
from ...tools.words import _lt
from ..core.words_field import WordsField, in_words
from ..inbox.event import EventRow

_logger = logging.getLogger(__name__)


# So many rows in a row that were read before: the log has no end.
MOST_REPEATS = 5000


class LogRow(NamedTuple):
    """A row of the PBX's own log: the payload, and the event that it is in the inbox."""

    event: EventRow
    payload: dict


class TelephonyAccount(models.Model):
    """Reads the PBX's own log back. What is done with it, a later stage says."""

    _inherit = 'telephony.account'

    history_until = fields.Datetime(
        string="Compared Until",
        readonly=True,
        copy=False,
        help="Up to this time the calls here were compared with the PBX's own log, and missing ones were added.",
    )
    history_message = WordsField(string="Comparison", readonly=True, copy=False)
    past_until = fields.Datetime(
        string="Past Calls Until",
        readonly=True,
        copy=False,
        help="Calls that began before this are brought in from the PBX's log as the past: nothing follows from them.",
    )

    def _read_history(self, start, end):
        """Read the PBX's log between two times (naive UTC).

        :return: list of :class:`LogRow`, those before an error included, and the error or None
        """
        rows, repeats, events = {}, 0, self.env['telephony.event']
        try:
            for payload in self._client(ReadsHistory).history(
                start.replace(tzinfo=timezone.utc),
                end.replace(tzinfo=timezone.utc),
            ):
                row = LogRow(events._row(self, payload), payload)
                repeats = repeats + 1 if row.event.key in rows else 0
                rows[row.event.key] = row
                if repeats > MOST_REPEATS:
                    raise ProviderError(
                        _lt(
                            "The PBX sends the same page of its log again and again, so it cannot be read to the end. "
                            "What came before is taken over. Ask the PBX's support."
                        )
                    )
        except Exception as error:
            if not isinstance(error, (ProviderError, UserError)):
                _logger.exception(
                    "telephony account %s: the PBX's call log could not be read. Lost calls are searched again within the "
                    "hour, or with Compare Now on the PBX's form.",
                    self.id,
                )
            return [*rows.values()], error
        return [*rows.values()], None

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

    def _is_before_us(self, moment):
        """Return whether a call that began then (naive UTC) is of the past that was brought in."""
        return bool(moment and self.past_until and moment < self.past_until)


class TelephonyCall(models.Model):
    _inherit = 'telephony.call'

    is_imported = fields.Boolean(
        string="Brought In",
        readonly=True,
        help="It began before its PBX was connected, and was brought in from the PBX's own log. Nothing follows from it: no "
        "callback, no message, no line in the chatter.",
    )
