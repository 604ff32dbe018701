import logging
import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.http import request
from odoo.tools import config

from ...providers.base import ProviderError
from ...providers.capabilities import LocatesRecordings, OpensSound
from ...providers.fetch import TooSlow, host_allowed, open_sound
from ...tools.seats import Full, seated
from ...tools.words import _lt
from ..core.words_field import WordsField, in_words, told

_logger = logging.getLogger(__name__)

# Pauses before the PBX is asked where an announced recording is; files come some time after the end
# of the call.
LOCATE_SECONDS = (40, 60, 120, 300, 900, 3600, 6 * 3600, 24 * 3600)
# So many listeners fetch from PBXs at once in a server of threads; of workers never more than half.
# No PBX gets more than half of that. Who finds no seat waits so long (seconds), while one worker is
# left. However slow PBXs are, webhooks are answered.
THREAD_SEATS = 8
PATIENCE = 1.5
# A recording is sound and nothing else, whatever its server says.
PLAYER_HEADERS = {
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': "default-src 'none'",
    'Content-Disposition': 'inline',
    'Cache-Control': 'private, max-age=0',
}


def _host(url):
    try:
        return urlsplit(url or '').hostname or ''
    except ValueError:
        return ''


class TelephonyRecording(models.Model):
    """Where the sound of a call is: an address on the PBX's side, or an attachment of ours. It is
    played through `/telephony/recording/<id>` only, which checks who may listen."""

    _name = 'telephony.recording'
    _description = "Call recording"
    _order = 'call_id, id'

    call_id = fields.Many2one(
        'telephony.call', string="Phone Call", required=True, index=True, ondelete='cascade'
    )
    company_id = fields.Many2one(related='call_id.company_id', store=True, precompute=True)
    state = fields.Selection(
        [('pending', "Not yet fetched"), ('ready', "Ready"), ('failed', "Failed")],
        required=True,
        default='pending',
        readonly=True,
        help="Not yet fetched: the PBX has announced the recording, but not where it is.",
    )
    url = fields.Char(string="Address", readonly=True, groups='crm_telephony.group_supervisor')
    ref = fields.Char(string="PBX's Name", readonly=True)
    attachment_id = fields.Many2one('ir.attachment', readonly=True, ondelete='set null')
    duration = fields.Integer(string="Duration (s)", readonly=True)
    delete_after = fields.Date(readonly=True)
    transcript = fields.Text(readonly=True)
    error = WordsField(string="Reason", readonly=True)
    attempts = fields.Integer(readonly=True, help="How often the PBX was asked where it is.")
    next_try_at = fields.Datetime(readonly=True)
    player_url = fields.Char(compute='_compute_player_url')
    source_url = fields.Char(
        compute='_compute_source_url',
        help="For supervisors: the address at the PBX, where it may ask them to log in.",
    )

    _next_try_idx = models.Index("(next_try_at) WHERE next_try_at IS NOT NULL")
    _source_uniq = models.UniqueIndex(
        "(call_id, md5(COALESCE(ref, url)))", "A file is one recording of a call."
    )

    @api.depends('ref')
    def _compute_display_name(self):
        for recording in self:
            recording.display_name = recording.ref or self.env._(
                "Recording %(id)s", id=recording.id
            )

    @api.depends('state')
    def _compute_player_url(self):
        for recording in self:
            recording.player_url = (
                False if recording.state == 'pending' else f'/telephony/recording/{recording.id}'
            )

    @api.depends('url')
    @api.depends_context('uid')
    def _compute_source_url(self):
        is_supervisor = self.env.user.has_group('crm_telephony.group_supervisor')
        for recording in self:
            url = is_supervisor and recording.url or ''
            account = recording.sudo().call_id.account_id
            recording.source_url = (
                url
                if url.startswith(('https://', 'http://'))
                and account
                and self._is_trusted(account, url)
                else False
            )

    # === WHERE IT IS === #

    @api.model_create_multi
    def create(self, vals_list):
        recordings = super().create(vals_list)
        recordings._plan_locating()
        return recordings

    def _plan_locating(self):
        """Recordings that were announced by name: their PBX is asked for the address, when the file
        can be expected."""
        waiting = self.filtered(
            lambda one: one.state == 'pending' and one.ref and one._can_locate()
        )
        if waiting:
            waiting.next_try_at = fields.Datetime.now() + timedelta(seconds=LOCATE_SECONDS[0])
            self.env.ref('crm_telephony.ir_cron_locate_recordings')._trigger(waiting[0].next_try_at)

    def _can_locate(self):
        return self.call_id.account_id._can(LocatesRecordings)

    @api.model
    def _cron_locate(self, batch_size=50):
        """Ask the PBXs where announced recordings are, with growing pauses and an end."""
        domain = Domain('next_try_at', '<=', fields.Datetime.now())
        for recording in self.search(domain, limit=batch_size, order='next_try_at, id'):
            try:
                recording._locate()
            except Exception as error:
                if not isinstance(error, ProviderError):
                    _logger.exception("recording %s cannot be located", recording.id)
                attempts = recording.attempts + 1
                again = getattr(error, 'retryable', True) and attempts < len(LOCATE_SECONDS)
                recording.write(
                    {
                        'attempts': attempts,
                        'error': in_words(error),
                        'state': 'pending' if again else 'failed',
                        'next_try_at': again
                        and fields.Datetime.now() + timedelta(seconds=LOCATE_SECONDS[attempts]),
                    }
                )
            if not self.env['ir.cron']._commit_progress(1, remaining=self.search_count(domain)):
                return
        following = self.search([('next_try_at', '!=', False)], limit=1, order='next_try_at')
        if following:
            self.env.ref('crm_telephony.ir_cron_locate_recordings')._trigger(following.next_try_at)

    def _locate(self):
        """:raise ProviderError: the PBX does not tell"""
        url = self.call_id.account_id._client(LocatesRecordings).recording_url(
            self.ref, self.call_id.external_id
        )
        self.write({'url': url, 'state': 'ready', 'error': False, 'next_try_at': False})

    # === PLAYING === #

    def _stream(self, byte_range):
        """The sound as an HTTP response, the part that the player asks for.

        What goes wrong at the other end is kept on the recording and answered 502. So is, with 503,
        that too many listen.
        """
        self.ensure_one()
        recording = self.sudo()
        if recording.attachment_id:
            stream = self.env['ir.binary']._get_stream_from(recording.attachment_id, 'raw')
            return stream.get_response(as_attachment=False, max_age=0)
        try:
            with recording._seated():
                sound = recording._open(byte_range or '')
        except Full:
            return recording._unheard(
                503,
                {
                    'error': _lt(
                        "Too many recordings are fetched from PBXs at the moment. Try again in some seconds."
                    )
                },
            )
        except ProviderError as error:
            return recording._unheard(
                502, {'state': 'failed' if recording.url else 'pending', 'error': in_words(error)}
            )
        if recording.state != 'ready' or recording.error:
            recording.write({'state': 'ready', 'error': False})
        response = request.make_response(
            sound.chunks,
            status=sound.status,
            headers=[*sound.headers.items(), *PLAYER_HEADERS.items()],
        )
        response.direct_passthrough = True
        return response

    def _unheard(self, status, values):
        """The answer to the player, which then reads the reason from the recording."""
        self.write(values)
        return request.make_response(
            told(self.env, values['error']), status=status, headers=list(PLAYER_HEADERS.items())
        )

    def _seated(self):
        """A seat for fetching from this recording's PBX."""
        workers = config['workers']
        seats = max(workers // 2, 1) if workers else THREAD_SEATS
        waiting = max(workers - 1 - seats, 0) if workers else THREAD_SEATS
        account = re.sub(r'\W', '_', f'{self.env.cr.dbname}_{self.call_id.account_id.id}')
        return seated(
            Path(config['data_dir'], 'crm_telephony'),
            {f'listen_{account}': (seats + 1) // 2, 'listen': seats},
            {'listen_waiting': waiting},
            PATIENCE,
        )

    def _open(self, byte_range):
        """The sound; a link that has run out is asked for once more.

        :raise ProviderError: it cannot be had
        """
        renewable = self.ref and self._can_locate()
        if not self.url:
            if not renewable:
                raise ProviderError(
                    _lt("The PBX has not told where this recording is. Try again in some minutes.")
                )
            self._locate()
            renewable = False
        try:
            return self._open_url(byte_range)
        except ProviderError as error:
            if not renewable or isinstance(error, TooSlow):
                raise
            self._locate()
            return self._open_url(byte_range)

    def _open_url(self, byte_range):
        """With the account's login where the PBX's recordings need one."""
        account = self.call_id.account_id
        open_it = account._client(OpensSound).open_sound if account._can(OpensSound) else open_sound
        return open_it(self.url, self._allowed_hosts(), byte_range)

    def _allowed_hosts(self):
        return self.call_id.account_id._recording_hosts()

    @api.model
    def _is_trusted(self, account, url):
        """Whether the PBX itself told this address: its deliveries are signed, or the host is its
        own or was entered."""
        return account._adapter().signs or host_allowed(_host(url), account._recording_hosts())

    @api.model
    def _is_believed(self, account, url):
        """Whether a recording at this address (or '' for none) is taken into the log. A PBX that
        signs nothing may not have said it: such a link counts only where its host is one of the
        PBX's or was entered; then the events can be replayed."""
        if not url or self._is_trusted(account, url):
            return True
        _logger.warning(
            "telephony account %s: a recording at %s is left out, as its host is not among the Recording Hosts of the PBX's "
            "form. If it is right, enter it there and replay the event.",
            account.id,
            _host(url),
        )
        return False

    def _where(self, account, url):
        """The state of a recording of which this address (or '') is known, as field values: an
        address that may not be fetched says so at once, and what to do, and is played all the same
        once its host is entered."""
        if not url:
            return {'state': 'pending'}
        host = _host(url)
        if account._can(OpensSound) or host_allowed(host, account._recording_hosts()):
            return {'state': 'ready', 'error': False}
        return {
            'state': 'failed',
            'error': _lt(
                "%(host)s is not among the hosts from which recordings of %(pbx)s are fetched. If it is right, a telephony "
                "administrator adds it to Recording Hosts on the PBX's form.",
                host=host or url[:100],
                pbx=account.name,
            ),
        }
