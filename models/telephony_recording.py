from odoo import api, fields, models
from odoo.http import request

from ..providers import registry
from ..providers.base import ProviderError
from ..providers.fetch import open_sound

# A recording is sound and nothing else, whatever its server says.
PLAYER_HEADERS = {
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': "default-src 'none'",
    'Content-Disposition': 'inline',
    'Cache-Control': 'private, max-age=0',
}


class TelephonyRecording(models.Model):
    """Where the sound of a call is: an address on the PBX's side, or an attachment of ours. It is played through
    `/telephony/recording/<id>` only, which checks who may listen."""
    _name = 'telephony.recording'
    _description = "Call recording"
    _order = 'call_id, id'

    call_id = fields.Many2one('telephony.call', required=True, index=True, ondelete='cascade')
    company_id = fields.Many2one(related='call_id.company_id', store=True, precompute=True)
    state = fields.Selection(
        [('pending', "Not yet fetched"), ('ready', "Ready"), ('failed', "Failed")],
        required=True, default='pending', readonly=True,
        help="Not yet fetched: the PBX has announced the recording, but not where it is.")
    url = fields.Char(string="Address", readonly=True, groups='crm_telephony.group_supervisor')
    ref = fields.Char(string="PBX's Name", readonly=True)
    attachment_id = fields.Many2one('ir.attachment', readonly=True, ondelete='set null')
    duration = fields.Integer(string="Duration (s)", readonly=True)
    delete_after = fields.Date(readonly=True)
    transcript = fields.Text(readonly=True)
    error = fields.Char(string="Reason", readonly=True)
    player_url = fields.Char(compute='_compute_player_url')

    _source_uniq = models.UniqueIndex("(call_id, COALESCE(ref, url))", "A file is one recording of a call.")

    @api.depends('ref')
    def _compute_display_name(self):
        for recording in self:
            recording.display_name = recording.ref or self.env._("Recording %(id)s", id=recording.id)

    @api.depends('state')
    def _compute_player_url(self):
        for recording in self:
            recording.player_url = False if recording.state == 'pending' else f'/telephony/recording/{recording.id}'

    def _stream(self, byte_range):
        """The sound as an HTTP response, the part that the player asks for.

        What goes wrong at the other end is kept on the recording and answered 502.
        """
        self.ensure_one()
        recording = self.sudo()
        if recording.attachment_id:
            stream = self.env['ir.binary']._get_stream_from(recording.attachment_id, 'raw')
            return stream.get_response(as_attachment=False, max_age=0)
        try:
            if not recording.url:
                raise ProviderError("the PBX has not told where this recording is")
            sound = open_sound(recording.url, recording._allowed_hosts(), byte_range or '')
        except ProviderError as error:
            recording.write({'state': 'failed' if recording.url else 'pending', 'error': str(error)})
            return request.make_response(str(error), status=502, headers=list(PLAYER_HEADERS.items()))
        if recording.state != 'ready':
            recording.write({'state': 'ready', 'error': False})
        response = request.make_response(
            sound.chunks, status=sound.status, headers=[*sound.headers.items(), *PLAYER_HEADERS.items()])
        response.direct_passthrough = True
        return response

    def _allowed_hosts(self):
        account = self.call_id.account_id
        return (*registry[account.provider].recording_hosts, *(account.recording_hosts or '').split(','))
