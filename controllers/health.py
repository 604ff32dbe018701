from odoo import SUPERUSER_ID, http
from odoo.http import request


class TelephonyHealth(http.Controller):
    @http.route(
        '/telephony/health/<string:token>',
        type='http',
        auth='none',
        methods=['GET'],
        readonly=True,
        save_session=False,
    )
    def health(self, token, **_params):
        """Tell a firm's own monitoring whether calls are lost: 200 or 503, and why in JSON."""
        request.update_env(user=SUPERUSER_ID)
        answer = request.env['telephony.alarm']._health_report(token)
        if not answer:
            return request.make_response("no such address", status=404)
        status, report = answer
        return request.make_json_response(
            report, headers=[('Cache-Control', 'no-store')], status=status
        )
