from odoo import http
from odoo.http import request


class TelephonyRecordingController(http.Controller):
    @http.route('/telephony/recording/<int:recording_id>/open', type='jsonrpc', auth='user')
    def open(self, recording_id, kind='play', reason_id=None, reason_text=None, **_params):
        """Begin a listening: return the address of the sound, or the reasons to choose from, see
        `telephony.recording._begin_listening`."""
        return self._to_hear(recording_id)._begin_listening(
            'download' if kind == 'download' else 'play', reason_id, reason_text
        )

    @http.route('/telephony/recording/<int:recording_id>', type='http', auth='user')
    def recording(self, recording_id, t='', **_params):
        """Return the sound of a call, or the Range of it, to those who may listen."""
        byte_range = request.httprequest.headers.get('Range')
        return self._to_hear(recording_id)._play(t, byte_range)

    @http.route('/telephony/recording/<int:recording_id>/download', type='http', auth='user')
    def download(self, recording_id, t='', **_params):
        """Return the sound of a call as a file, to those who may download it."""
        return self._to_hear(recording_id)._download(t)

    # the signed token stands for the user's own page; a beacon can bring no other
    @http.route(
        '/telephony/recording/<int:recording_id>/heard',
        type='http',
        auth='user',
        methods=['POST'],
        csrf=False,
    )
    def heard(self, recording_id, t='', second='', **_params):
        """Take the report of a player up to which second it has played."""
        recording = self._to_hear(recording_id)
        whole = str(second).partition('.')[0]
        if not whole.isdecimal() or not recording._note_heard(str(t), int(whole[:9])):
            raise request.not_found()
        return request.make_response('', status=204)

    def _to_hear(self, recording_id):
        recording = request.env['telephony.recording']._to_hear(recording_id)
        if not recording:
            raise request.not_found()
        return recording
