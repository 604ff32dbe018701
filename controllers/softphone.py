import json

from odoo import http
from odoo.http import request

# More is no report of a page that goes away.
LONGEST_BODY = 4096


class TelephonySoftphoneController(http.Controller):
    # the token of the lease stands for the user's own page; a beacon can bring no other
    @http.route('/telephony/softphone/gone', type='http', auth='user', methods=['POST'], csrf=False)
    def gone(self, **_params):
        """Hear from a page that is the user's phone that it goes away: ``{"lease", "talking"}``."""
        body = request.httprequest.get_data(cache=False)[: LONGEST_BODY + 1]
        if len(body) > LONGEST_BODY:
            return request.make_response('', status=413)
        try:
            told = json.loads(body)
            lease, is_talking = str(told['lease']), bool(told.get('talking'))
        except (ValueError, TypeError, LookupError, AttributeError):
            return request.make_response('', status=400)
        is_theirs = request.env['telephony.softphone']._note_gone(lease, is_talking)
        return request.make_response('', status=204 if is_theirs else 403)
