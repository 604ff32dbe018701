from odoo import http
from odoo.http import content_disposition, request


class TelephonySetupFileController(http.Controller):
    @http.route('/telephony/template/<int:account_id>', type='http', auth='user', methods=['GET'])
    def setup_file(self, account_id, **_params):
        """Return the file with which an administrator sets up a PBX. It holds the account's
        secrets."""
        account = request.env['telephony.account'].browse(account_id).exists()
        file = account and account._setup_file()
        if not file:
            raise request.not_found()
        return request.make_response(
            file.content,
            headers=[
                ('Content-Type', file.content_type),
                ('Content-Disposition', content_disposition(file.name)),
                ('Cache-Control', 'no-store'),
                ('X-Content-Type-Options', 'nosniff'),
            ],
        )
