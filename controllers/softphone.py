import json
from functools import partial

from odoo import http
from odoo.http import request

from ..providers.base import Refused
from .filer import filer

# More is no report of a page.
LONGEST_BODY = 4096


class TelephonySoftphoneController(http.Controller):
    # the token of the lease stands for the user's own page; a beacon can bring no other
    @http.route('/telephony/softphone/gone', type='http', auth='user', methods=['POST'], csrf=False)
    def gone(self, **_params):
        """Hear from a page that is the user's phone that it goes away: ``{"lease", "talking"}``."""
        told, status = self._told()
        if not told:
            return request.make_response('', status=status)
        is_theirs = request.env['telephony.softphone']._note_gone(
            told['lease'], bool(told.get('talking'))
        )
        return request.make_response('', status=204 if is_theirs else 403)

    @http.route(
        '/telephony/softphone/event', type='http', auth='user', methods=['POST'], csrf=False
    )
    def event(self, **_params):
        """Hear from a page that is the user's phone of one of its calls, where the PBX tells of none:
        ``{"lease", "call", "event", "direction", "number", "outcome", "seconds_ago"}``."""
        told, status = self._told()
        if not told:
            return request.make_response('', status=status)
        try:
            account = request.env['telephony.softphone']._tell_event(told.pop('lease'), told)
        except Refused as refusal:
            return request.make_response(str(refusal), status=refusal.status)
        response = request.make_response('', status=204)
        response.call_on_close(partial(filer.wake, request.env.cr.dbname, account.id))
        return response

    def _told(self):
        """Return what the page says, with its `lease`, and 0; or None and the status that refuses it."""
        body = request.httprequest.get_data(cache=False)[: LONGEST_BODY + 1]
        if len(body) > LONGEST_BODY:
            return None, 413
        try:
            told = json.loads(body)
            return {**told, 'lease': str(told['lease'])}, 0
        except (ValueError, TypeError, LookupError, RecursionError):
            return None, 400
