import logging
import re
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from odoo import api, fields, models
from odoo.exceptions import AccessError
from odoo.fields import Domain
from odoo.http import request
from odoo.tools import config

from ...providers.base import ProviderError
from ...providers.capabilities import LocatesRecordings, OpensSound
from ...providers.fetch import LISTENING, TooSlow, host_allowed, open_sound
from ...tools.fingerprint import fingerprint
from ...tools.seats import Full, seated
from ...tools.words import _lt
from ..core.words_field import WordsField, in_words, told

_logger = logging.getLogger(__name__)

# A recording that failed may play again: each try asks the PBX anew.
PLAYABLE = ('ready', 'failed')
# States in which nothing that is told of a recording changes it any more.
GONE = ('deleted', 'refused')
# Pauses before the PBX is asked where an announced recording is; files come some time after the end
# of the call.
LOCATE_SECONDS = (40, 60, 120, 300, 900, 3600, 6 * 3600, 24 * 3600)
# How many listeners fetch from PBXs at once in a server of threads. With workers it is half of
# them, so that webhooks are answered however slow PBXs are. One PBX gets at most half of the seats.
# A listener without a seat waits so long (seconds), if one worker stays free.
THREAD_SEATS = 8
PATIENCE = 1.5
# Browsers play a recording as sound and do nothing else with it, whatever its server sends.
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
    """The sound of a call: an address on the PBX's side, or an attachment of ours. It is played
    through `/telephony/recording/<id>` only, which checks who may listen."""

    _name = 'telephony.recording'
    _description = "Call recording"
    _order = 'call_id, id'

    call_id = fields.Many2one(
        'telephony.call', string="Phone Call", required=True, index=True, ondelete='cascade'
    )
    company_id = fields.Many2one(related='call_id.company_id', store=True, precompute=True)
    account_id = fields.Many2one(
        related='call_id.account_id', store=True, precompute=True, index='btree_not_null'
    )
    start_at = fields.Datetime(
        related='call_id.start_at', string="Start of the Call", store=True, precompute=True
    )
    state = fields.Selection(
        [
            ('pending', "Not yet fetched"),
            ('ready', "Ready"),
            ('failed', "Failed"),
            ('deleted', "Deleted"),
            ('refused', "Not kept"),
        ],
        required=True,
        default='pending',
        readonly=True,
        help="Not yet fetched: the PBX has announced the recording, but has not told where it is. "
        "Deleted: this row only prevents that the recording comes back. "
        "Not kept: the PBX's form says that such calls are not recorded here.",
    )
    url = fields.Char(
        string="Address", readonly=True, groups='crm_telephony.group_supervisor', exportable=False
    )
    ref = fields.Char(string="PBX's Name", readonly=True)
    # They outlive address and name, so that a deleted recording is recognised when it is told again.
    url_hash = fields.Char(readonly=True, groups=fields.NO_ACCESS)
    ref_hash = fields.Char(readonly=True, groups=fields.NO_ACCESS)
    attachment_id = fields.Many2one('ir.attachment', readonly=True, ondelete='set null')
    duration = fields.Integer(string="Duration (s)", readonly=True)
    delete_after = fields.Date(readonly=True)
    transcript = fields.Text(readonly=True, exportable=False)
    error = WordsField(string="Reason", readonly=True)
    attempts = fields.Integer(
        readonly=True, help="How often the PBX was asked where the recording is."
    )
    next_try_at = fields.Datetime(readonly=True)
    player_url = fields.Char(compute='_compute_player_url')
    source_url = fields.Char(
        compute='_compute_source_url',
        exportable=False,
        help="For supervisors: the address at the PBX, where it may ask them to log in.",
    )

    _next_try_idx = models.Index("(next_try_at) WHERE next_try_at IS NOT NULL")
    # By its name where it has one, because addresses are renewed.
    _source_uniq = models.UniqueIndex(
        "(call_id, COALESCE(ref_hash, url_hash))", "A file is one recording of a call."
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
                f'/telephony/recording/{recording.id}' if recording.state in PLAYABLE else False
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
        vals_list = [{**vals, **self._hashes(vals)} for vals in vals_list]
        self._before_created(vals_list)
        recordings = super().create(vals_list)
        recordings._plan_locating()
        return recordings

    def _read_format(self, fnames, load='_classic_read'):
        """Give the text of a recording only to those who may read it."""
        rows = super()._read_format(fnames, load)
        if 'transcript' in fnames and not self.env.su:
            readable = set(self._on_text_read().ids)
            for row in rows:
                if row['id'] not in readable:
                    row['transcript'] = False
        return rows

    def _export_rows(self, fields, *, _is_toplevel_call=True):
        """Refuse what is offered in no export either: who has the address of a recording hears it past
        the rules and the listening log."""
        for name, *_path in filter(None, fields):
            field = self._fields.get(name)
            if field and not field.exportable:
                raise AccessError(
                    self.env._(
                        "“%(field)s” of a recording cannot be exported. Take it out of the export.",
                        field=field.string,
                    )
                )
        return super()._export_rows(fields, _is_toplevel_call=_is_toplevel_call)

    @api.model
    def _hashes(self, told):
        """Return the fingerprints of what the PBX told of a recording.

        :param dict told: `ref` and `url`, as far as they are known
        :return: dict `ref_hash` and `url_hash`, without those of what is not known
        """
        return {
            f'{name}_hash': fingerprint(self.env, f'recording.{name}', told[name])
            for name in ('ref', 'url')
            if told.get(name)
        }

    def _plan_locating(self):
        """Plan to ask the PBX for the address of recordings that it announced by name only."""
        waiting = self.filtered(
            lambda recording: (
                recording.state == 'pending' and recording.ref and recording._can_locate()
            )
        )
        if waiting:
            waiting.next_try_at = fields.Datetime.now() + timedelta(seconds=LOCATE_SECONDS[0])
            self.env.ref('crm_telephony.ir_cron_locate_recordings')._trigger(waiting[0].next_try_at)

    def _can_locate(self):
        return self.call_id.account_id._can(LocatesRecordings)

    @api.model
    def _cron_locate(self, batch_size=50):
        """Ask the PBXs where announced recordings are, with growing pauses, and give up in the
        end."""
        domain = Domain('next_try_at', '<=', fields.Datetime.now())
        for recording in self.search(domain, limit=batch_size, order='next_try_at, id'):
            try:
                recording._locate()
            except Exception as error:
                if not isinstance(error, ProviderError):
                    _logger.exception(
                        "recording %s of call %s: its address could not be asked for. The recording shows whether it is "
                        "tried again.",
                        recording.id,
                        recording.call_id.id,
                    )
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
                if not again:
                    recording._after_not_located()
            if not self.env['ir.cron']._commit_progress(1, remaining=self.search_count(domain)):
                return
        following = self.search([('next_try_at', '!=', False)], limit=1, order='next_try_at')
        if following:
            self.env.ref('crm_telephony.ir_cron_locate_recordings')._trigger(following.next_try_at)

    def _locate(self):
        """Ask the PBX for the address and store it.

        :raise ProviderError: the PBX does not tell it
        """
        url = self.call_id.account_id._client(LocatesRecordings).recording_url(
            self.ref, self.call_id.external_id
        )
        self.write({'url': url, 'state': 'ready', 'error': False, 'next_try_at': False})
        self._after_located()

    # === HOOKS OF LATER STAGES === #

    @api.model
    def _before_created(self, vals_list):
        """Complete the values of recordings that PBXs have announced, before they are stored.

        :param vals_list: dicts with `call_id`, `state` and what is known of `ref`, `url` and
            `duration`; changed in place
        """

    def _after_located(self):
        """Runs when the address of a recording has become known or was renewed."""

    def _after_not_located(self):
        """Runs when the PBX was asked for the last time where this recording is, and `error` says why
        it did not tell."""

    def _on_own_copy(self, byte_range):
        """Return the HTTP response with our own copy of this recording, None if there is none; done
        by the stage that keeps copies (sudo).

        :param byte_range: the player's Range header, None for all of it
        """

    def _on_text_read(self):
        """Return those of these recordings whose text the present user may read, who reads it now."""
        return self

    # === PLAYING === #

    def _stream(self, byte_range):
        """Return the sound, or the part that the player asks for, as an HTTP response.

        If the PBX fails, the reason is stored on the recording and the answer is 502; if too many
        listen, 503.

        :param byte_range: the player's Range header, None for all of it
        """
        self.ensure_one()
        recording = self.sudo()
        if recording.state in GONE:
            raise request.not_found()
        if response := recording._on_own_copy(byte_range):
            return response
        try:
            with recording._seated():
                sound = recording._open(byte_range or '')
        except Full:
            return recording._refuse(
                503,
                {
                    'error': _lt(
                        "Too many recordings are playing right now. Try again in a few seconds."
                    )
                },
            )
        except ProviderError as error:
            return recording._refuse(
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

    def _refuse(self, status, values):
        """Store these values, `error` among them, and return the answer to the player, which reads
        the reason from the recording."""
        self.write(values)
        return request.make_response(
            told(self.env, values['error']), status=status, headers=list(PLAYER_HEADERS.items())
        )

    def _seated(self):
        """Return the context manager of a seat for fetching from this recording's PBX.

        :raise Full: on entering, no seat was free in time
        """
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
        """Fetch the sound. A link that has run out is asked for once more.

        :raise ProviderError: the PBX does not give it
        """
        renewable = self.ref and self._can_locate()
        if not self.url:
            if not renewable:
                raise ProviderError(self.call_id.account_id._adapter().recording_waits)
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
        """Fetch the sound from its address for a listener."""
        return self._opener()(byte_range, LISTENING)

    def _opener(self):
        """Return the function that fetches the sound from its address, with the account's login where
        the PBX needs one. It takes a Range header and :class:`Limits`, and asks nothing of the
        database."""
        account = self.call_id.account_id
        open_it = account._client(OpensSound).open_sound if account._can(OpensSound) else open_sound
        return partial(open_it, self.url, self._allowed_hosts())

    def _allowed_hosts(self):
        return self.call_id.account_id._recording_hosts()

    @api.model
    def _is_trusted(self, account, url):
        """Return whether the PBX itself told this address: its deliveries are signed, or the host is
        its own or was entered."""
        return account._adapter().signs or host_allowed(_host(url), account._recording_hosts())

    @api.model
    def _is_believed(self, account, url):
        """Return whether a recording link ('' for none) is accepted. A PBX that signs nothing may not
        have sent it, so only links to hosts count that are the PBX's or were entered; after that the
        events can be replayed."""
        if not url or self._is_trusted(account, url):
            return True
        _logger.warning(
            "telephony account %s: a recording at %s is left out, as its host is not among the Recording Hosts of the PBX's "
            "form. If it is right, enter it there and replay the event.",
            account.id,
            _host(url),
        )
        return False

    def _state_of_address(self, account, url):
        """Return the field values that follow from a recording's address, '' for none. If its host
        may not be contacted, they say so and what to do; it plays as soon as the host is entered."""
        if not url:
            adapter = account._adapter()
            waits = adapter.uploads_recordings and adapter.recording_waits
            return {'state': 'pending', 'error': waits}
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
