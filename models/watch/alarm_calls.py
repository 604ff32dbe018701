import re
from datetime import timedelta

from odoo import api, fields, models
from odoo.tools import SQL

from ...providers.numbers import pretty
from ...tools.words import _lt, load
from .alarm import Finding
from .alarm_inbox import impersonal

# Calls of so many days are looked at for phones and numbers that are not entered.
UNMAPPED = timedelta(days=2)
# So many of them are named for each PBX. Longer ones are numbers of the world, not phones.
MOST_UNMAPPED, LONGEST_EXTENSION = 10, 8
# From so many calls of a day on, and so large a share of them, missing ends are no chance.
FEWEST_ENDS, SHARE_OF_ENDS = 5, 0.2
FOLLOW_UPS = timedelta(days=7)
# A follow-up that failed so often does not mend itself.
STUBBORN = 2
# So long after a call its recording should be there, and so many may be missing of the last days.
RECORDED_AFTER, RECORDED_WITHIN, MOST_MISSING = timedelta(hours=2), timedelta(days=3), 3


class TelephonyAlarm(models.Model):
    """Finds in the log of calls what PBXs leave out, and what nobody has entered."""

    _inherit = 'telephony.alarm'

    @api.model
    def _find_unmapped(self, accounts):
        found, now = [], fields.Datetime.now()
        rows = [*self._unmapped_phones(now, accounts), *self._unmapped_numbers(now, accounts)]
        trunks = {account: set(account._trunks()) for account in accounts}
        by_id = {account.id: account for account in accounts}
        named = {}
        for kind, account_id, what, count, since in rows:
            account = by_id[account_id]
            if what in trunks[account]:
                continue
            named[kind, account_id] = named.get((kind, account_id), 0) + 1
            if named[kind, account_id] > MOST_UNMAPPED:
                continue
            values = {'pbx': account.name, 'count': count}
            if kind == 'extension':
                text = _lt(
                    "Phone %(phone)s of %(pbx)s is not entered: %(count)s calls in two days",
                    phone=what,
                    **values,
                )
                found.append(Finding('unmapped_extension', account, text, what, since, what))
            else:
                text = _lt(
                    "The number %(number)s of %(pbx)s is not entered: %(count)s calls in two days",
                    number=pretty(what),
                    **values,
                )
                found.append(Finding('unmapped_number', account, text, what, since, called=what))
        return found

    @api.model
    def _unmapped_phones(self, now, accounts):
        """Return rows of phones that rang and are not entered: kind, id of the PBX, phone, calls,
        and the first one's start. The one that rang most comes first."""
        self.env['telephony.call.leg'].flush_model()
        self.env['telephony.extension'].flush_model()
        return self.env.execute_query(
            SQL(
                """ SELECT 'extension', call.account_id, leg.extension, count(DISTINCT call.id), min(call.start_at)
                      FROM telephony_call AS call JOIN telephony_call_leg AS leg ON leg.call_id = call.id
                     WHERE call.start_at > %s AND call.account_id = ANY(%s)
                       AND length(leg.extension) BETWEEN 1 AND %s
                       AND NOT EXISTS (SELECT FROM telephony_extension AS known
                                        WHERE known.account_id = call.account_id AND known.number = leg.extension)
                  GROUP BY 2, 3 ORDER BY 4 DESC """,
                now - UNMAPPED,
                accounts.ids,
                LONGEST_EXTENSION,
            )
        )

    @api.model
    def _unmapped_numbers(self, now, accounts):
        """Return the same of numbers that were called from outside. What is also a customer's number
        is none of ours: then the PBX has told the direction wrong."""
        self.env['telephony.call'].flush_model()
        rows = self.env.execute_query(
            SQL(
                """ SELECT 'number', account_id, called_number, count(*), min(start_at)
                      FROM telephony_call AS call
                     WHERE start_at > %s AND account_id = ANY(%s) AND direction = 'inbound'
                       AND number_id IS NULL AND called_number IS NOT NULL
                       AND NOT EXISTS (SELECT FROM telephony_call AS other
                                        WHERE other.customer_number = call.called_number)
                       AND NOT EXISTS (SELECT FROM telephony_extension AS phone
                                        WHERE phone.account_id = call.account_id AND phone.number = call.called_number)
                  GROUP BY 2, 3 ORDER BY 4 DESC """,
                now - UNMAPPED,
                accounts.ids,
            )
        )
        return [row for row in rows if re.fullmatch(r'\+?\d{5,15}', row[2])]

    @api.model
    def _find_in_calls(self, accounts):
        """Find PBXs that do not tell the ends of calls, and calls whose follow-up fails."""
        self.env['telephony.call'].flush_model()
        now, found = fields.Datetime.now(), []
        by_id = {account.id: account for account in accounts}
        for account_id, ends, unknown, failed, since in self.env.execute_query(
            SQL(
                """ SELECT account_id, count(*) FILTER (WHERE state = 'ended' AND start_at > %(day)s),
                           count(*) FILTER (WHERE end_unknown AND end_reason IS NULL AND start_at > %(day)s),
                           count(*) FILTER (WHERE follow_up_attempts >= %(stubborn)s AND follow_up != 'done'),
                           min(start_at) FILTER (WHERE follow_up_attempts >= %(stubborn)s AND follow_up != 'done')
                      FROM telephony_call
                     WHERE start_at > %(week)s AND account_id = ANY(%(accounts)s)
                  GROUP BY account_id """,
                day=now - timedelta(days=1),
                week=now - FOLLOW_UPS,
                stubborn=STUBBORN,
                accounts=accounts.ids,
            )
        ):
            account, values = by_id[account_id], {'pbx': by_id[account_id].name}
            if unknown >= FEWEST_ENDS and unknown >= SHARE_OF_ENDS * ends:
                text = _lt(
                    "%(pbx)s has not told the end of %(count)s of %(all)s calls since yesterday",
                    count=unknown,
                    all=ends,
                    **values,
                )
                found.append(Finding('ends_missing', account, text))
            if failed:
                text = _lt(
                    "%(count)s calls of %(pbx)s have no follow-up, because it fails again and again",
                    count=failed,
                    **values,
                )
                found.append(Finding('follow_up', account, text, since=since))
        return found

    @api.model
    def _find_in_recordings(self, accounts):
        """Find recordings that were lost or never came."""
        now, found = fields.Datetime.now(), []
        self.env['telephony.recording'].flush_model()
        self.env['telephony.call'].flush_model()
        lost = dict(
            self.env['telephony.recording']._read_group(
                [
                    ('account_id', 'in', accounts.ids),
                    ('copy_state', '=', 'lost'),
                    ('copied_at', '>', now - timedelta(days=1)),
                ],
                ['account_id'],
                ['__count'],
            )
        )
        for account, count in lost.items():
            text = _lt(
                "%(count)s recordings of %(pbx)s could not be copied since yesterday",
                count=count,
                pbx=account.name,
            )
            found.append(Finding('recordings_lost', account, text))
        by_id = {account.id: account for account in accounts}
        for account_id, missing, told, error in self.env.execute_query(
            SQL(
                """ SELECT call.account_id, count(*) FILTER (WHERE recording.state IN ('pending', 'failed')),
                           count(*), max(recording.error) FILTER (WHERE recording.state = 'failed')
                      FROM telephony_call AS call JOIN telephony_recording AS recording ON recording.call_id = call.id
                     WHERE call.start_at > %s AND call.ended_at < %s AND call.account_id = ANY(%s)
                       AND recording.attachment_id IS NULL AND COALESCE(recording.copy_state, '') != 'lost'
                  GROUP BY 1 """,
                now - RECORDED_WITHIN,
                now - RECORDED_AFTER,
                accounts.ids,
            )
        ):
            if missing >= MOST_MISSING:
                account = by_id[account_id]
                values = {'count': missing, 'all': told, 'pbx': account.name}
                text = _lt(
                    "%(count)s of %(all)s recordings that %(pbx)s promised are not there", **values
                )
                if error:
                    text = _lt("%(what)s: %(why)s", what=text, why=impersonal(load(error)))
                found.append(Finding('recordings_missing', account, text))
        return found
