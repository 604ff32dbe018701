"""Routes to compare the addon's webhook with, each doing one thing."""

import hashlib
import hmac
import time
from contextlib import nullcontext
from unittest.mock import patch

from odoo import fields, http, models
from odoo.http import request

SECRET = b'bench'
ROUTE = {
    'type': 'http',
    'methods': ['POST'],
    'csrf': False,
    'save_session': False,
    'readonly': False,
}


class TelephonyFloor(models.Model):
    _name = 'telephony.floor'
    _description = "Bench: a raw event"
    _log_access = False

    key = fields.Char(required=True)
    body = fields.Text()
    received_at = fields.Datetime(default=fields.Datetime.now)

    _key_uniq = models.Constraint('UNIQUE(key)', "An event is stored once.")


class Floor(http.Controller):
    @http.route('/telephony_floor/hmac', auth='none', **ROUTE)
    def hmac(self):
        """A refused delivery can hardly be cheaper than one that is checked and forgotten."""
        return self._answer(self._signature() is not None)

    @http.route('/telephony_floor/create', auth='public', **ROUTE)
    def create(self):
        """An accepted delivery: the same, and one row."""
        if signature := self._signature():
            body = request.httprequest.get_data().decode()
            request.env['telephony.floor'].sudo().create({'key': signature, 'body': body})
        return self._answer(signature)

    @http.route('/telephony_floor/bus', auth='public', **ROUTE)
    def bus(self):
        """A screen pop can hardly be cheaper than a delivery that is checked and sent on to the
        admin as it is."""
        if signature := self._signature():
            request.env.ref('base.user_admin').sudo()._bus_send(
                'telephony_floor', {'key': signature}
            )
        return self._answer(signature)

    @http.route('/telephony_floor/session', type='jsonrpc', auth='user')
    def session(self, ours):
        """What the session's facts cost, with the addon's or without: ``{'ms', 'queries'}``."""
        cr, facts = request.env.cr, request.env['ir.http']
        without = (
            nullcontext()
            if ours
            else patch.object(type(request.env.user), '_telephony_session', lambda _user: False)
        )
        with without:
            queries, begin = cr.sql_log_count, time.perf_counter()
            facts.session_info()
            return {
                'ms': 1000 * (time.perf_counter() - begin),
                'queries': cr.sql_log_count - queries,
            }

    def _signature(self):
        """The body's signature if it is right. Each body is another, so it serves as the row's key
        too."""
        signature = hmac.new(SECRET, request.httprequest.get_data(), hashlib.sha256).hexdigest()
        given = request.httprequest.headers.get('X-Telephony-Signature', '')
        return signature if hmac.compare_digest('sha256=' + signature, given) else None

    def _answer(self, accepted):
        return request.make_response(
            '' if accepted else "bad signature", status=200 if accepted else 403
        )
