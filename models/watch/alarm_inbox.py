import re
from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from ...providers.base import digest
from ...tools.words import _lt, changed, load
from .alarm import Finding

# Failed events explain a silence for so long.
LATELY = timedelta(hours=1)
# So long events may wait before they are filed, failed ones are tried again by themselves, and a
# refusal is news if events arrive beside it.
PATIENCE = timedelta(minutes=10)
# So long a new PBX may be set up.
SET_UP = timedelta(days=1)
# So many kinds of failed events of a PBX are named, and the share of a text that is kept of each.
MOST_REASONS, LONGEST = 5, 300


class TelephonyAlarm(models.Model):
    """Finds what is wrong with the deliveries of PBXs and the events in the inbox."""

    _inherit = 'telephony.alarm'

    @api.model
    def _find_refused(self, accounts):
        now = fields.Datetime.now()
        spoke = self.env['telephony.event']._last_delivered(accounts)
        # a secret that has just been mended
        lately = Domain('until', '=', False) | Domain('until', '>', now - 2 * PATIENCE)
        mended, found = self.search(Domain('code', '=', 'refused') & lately).account_id, []
        for account in accounts:
            last, refused = spoke.get(account.id), account.refused_at
            values = {'pbx': account.name, 'why': account.refused_reason, 'at': refused}
            if refused and not (last and last >= refused):
                text = _lt(
                    "Deliveries of %(pbx)s are refused, the last one at %(at)s: %(why)s", **values
                )
                found.append(Finding('refused', account, text, since=refused, is_cause=True))
            elif refused and refused > now - PATIENCE and account not in mended:
                text = _lt("Some deliveries of %(pbx)s are refused: %(why)s", **values)
                found.append(Finding('refused_some', account, text, since=refused))
            elif not last and account.state == 'draft' and account.create_date < now - SET_UP:
                text = _lt("%(pbx)s has sent nothing yet", pbx=account.name)
                found.append(Finding('no_events', account, text, since=account.create_date))
        return found

    @api.model
    def _find_in_inbox(self, accounts):
        """Find failed events, by the pattern of their reason, and those that nobody files."""
        self.env['telephony.event'].flush_model()
        now = fields.Datetime.now()
        rows = self.env.execute_query(
            SQL(
                r""" SELECT account_id, state, max(error), count(*), min(received_at), max(received_at)
                       FROM telephony_event
                      WHERE state IN ('failed', 'pending') AND received_at < %s AND account_id = ANY(%s)
                   GROUP BY account_id, state, COALESCE(substring(error FROM '^{"msgid": "((?:[^"\\]|\\.)*)"'), error)
                   ORDER BY count(*) DESC """,
                now - PATIENCE,
                accounts.ids,
            )
        )
        by_id = {account.id: account for account in accounts}
        found, named, watched = [], {}, self._watched_since()
        for account_id, state, error, count, since, last in rows:
            account, values = by_id[account_id], {'pbx': by_id[account_id].name, 'count': count}
            if state == 'pending' and watched > now - PATIENCE:
                continue  # after a standstill they come first
            if state == 'pending':
                text = _lt(
                    "%(count)s events of %(pbx)s wait to be filed since %(at)s", at=since, **values
                )
                found.append(Finding('pending_events', account, text, since=since, is_cause=True))
                continue
            named[account_id] = named.get(account_id, 0) + 1
            if named[account_id] <= MOST_REASONS:
                why = impersonal(load(error or ''))
                text = _lt(
                    "%(count)s events of %(pbx)s could not be read: %(why)s", why=why, **values
                )
                key = digest({'why': getattr(why, 'msgid', why)})[:16]
                fails_now = last > now - PATIENCE - LATELY
                found.append(
                    Finding('failed_events', account, text, key, since, is_cause=fails_now)
                )
        return found


def impersonal(text):
    """Return a text without whole phone numbers, because alarms outlive the erasure of a person."""
    return changed(
        text[:LONGEST] if type(text) is str else text,
        lambda part: re.sub(r'\d[\d ()-]{3,}\d', '…', part),
    )
