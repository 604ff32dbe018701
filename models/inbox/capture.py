import json
from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain

from ...providers.base import Refused, WebhookRequest, dump
from ...providers.numbers import national
from ...tools.words import _lt

# So long (minutes) a PBX is listened to, and so much of it is kept: anybody who has the address can send.
LISTEN_MINUTES = 60
MOST_REQUESTS = 100
MOST_BYTES = 4 * 1024 * 1024
LARGEST_BODY = 256 * 1024
PER_MINUTE = 20
# Hours after the end of listening for which the requests stay.
KEPT_HOURS = 24


class TelephonyCapture(models.Model):
    """A request of a PBX that nobody knows yet, kept for a day so that an administrator can say what
    it means. It is no event: no call, contact or callback comes of it. Secrets are masked before the
    row is written."""

    _name = 'telephony.capture'
    _description = "Captured request"
    _order = 'id'

    account_id = fields.Many2one(
        'telephony.account', required=True, ondelete='cascade', readonly=True, index=True
    )
    company_id = fields.Many2one(related='account_id.company_id')
    received_at = fields.Datetime(required=True, readonly=True)
    request = fields.Text(required=True, readonly=True)
    size = fields.Integer(readonly=True)

    @api.model
    def _keep(self, account, request):
        """Keep a request, and stop listening once there is enough.

        Workers that receive at the same moment may pass a limit by one request each, which costs
        less than a lock.

        :return: whether it is kept; False if there was no room for it any more
        :raise Refused: it is too large, or too many come at once
        """
        if len(request.body) > LARGEST_BODY:
            raise Refused(
                _lt(
                    "A captured request has at most %(most)s kB, this one has %(size)s.",
                    most=LARGEST_BODY // 1024,
                    size=len(request.body) // 1024,
                ),
                status=413,
            )
        now = fields.Datetime.now()
        kept = self._of(account)
        lately = now - timedelta(minutes=1)
        if sum(row.received_at > lately for row in kept) >= PER_MINUTE:
            raise Refused(
                _lt(
                    "While Odoo listens it takes at most %(most)s requests a minute.",
                    most=PER_MINUTE,
                ),
                status=429,
            )
        has_room = self._add(account, request, now, kept)
        if not has_room or len(kept) + 1 == MOST_REQUESTS:
            account._stop_listening()
        return has_room

    @api.model
    def _add(self, account, request, received_at, kept):
        """Keep a request beside those that are kept, if there is room for it.

        :return: whether there was
        """
        text = dump(account._masked(request))
        size = len(text.encode())
        if len(kept) >= MOST_REQUESTS or sum(kept.mapped('size')) + size > MOST_BYTES:
            return False
        self.create(
            {
                'account_id': account.id,
                'received_at': received_at,
                'request': text,
                'size': size,
            }
        )
        return True

    @api.model
    def _take(self, account, events):
        """Keep whole deliveries that lie in the inbox because nobody could read them."""
        for event in events.sorted('id'):
            request = WebhookRequest.from_payload(json.loads(event.payload))
            if not request or not self._add(account, request, event.received_at, self._of(account)):
                break

    @api.model
    def _of(self, account):
        return self.search_fetch([('account_id', '=', account.id)], ['received_at', 'size'])

    @api.model
    def _with_numbers(self, company, numbers):
        """Return the requests in which one of these numbers (E.164) stands, in any spelling that has
        its digits together."""
        return self.search(
            Domain('account_id.company_id', '=', company.id)
            & Domain.OR(Domain('request', 'like', national(number)) for number in numbers)
        )

    @api.model
    def _cron_forget(self):
        """Delete what was captured, a day after Odoo has stopped listening."""
        old = fields.Datetime.now() - timedelta(hours=KEPT_HOURS)
        Account = self.env['telephony.account'].with_context(active_test=False)
        listening = Account.search([('capture_until', '>', old)])
        gone = self.search(Domain('account_id', 'not in', listening.ids))
        gone.unlink()
        self.env['ir.cron']._commit_progress(len(gone))
