from odoo import http
from odoo.http import request


class TelephonyRecordingController(http.Controller):
    @http.route('/telephony/recording/<int:recording_id>', type='http', auth='user')
    def recording(self, recording_id, **_params):
        """Return the sound of a call, or the Range of it, to those who may listen."""
        recording = request.env['telephony.recording'].browse(recording_id).exists()
        if not recording:
            raise request.not_found()
        recording.check_access('read')
        return recording._stream(request.httprequest.headers.get('Range'))
