from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.http import content_disposition, request
from odoo.tools import hash_sign
from odoo.tools.misc import verify_hash_signed

from ...providers.fetch import SUFFIX_TYPES
from ...tools import turns
from ..calls.recording import GONE, PLAYABLE
from .listen import LOG_READERS

# What a listener's token is good for.
SCOPES = {'play': 'telephony.listen', 'download': 'telephony.download'}
LISTENING_MINUTES = 10
# What is asked of a call on the way to its sound.
CALL_COLUMNS = ['company_id', 'outcome', 'start_at', 'talk_seconds', 'user_id']
LONGEST_REASON = 200
SUFFIXES = {mimetype: suffix for suffix, mimetype in SUFFIX_TYPES.items()}


class TelephonyRecording(models.Model):
    """Listening and its log: one line for each listening, written before the first byte goes out.

    A player first asks :meth:`_begin_listening`, which checks the rules, asks for a reason where
    one is wanted, and writes the line. The token in the address that it gets stands for that line,
    so that the many ranges that a player asks for write nothing more. What the system itself reads
    is not logged.
    """

    _inherit = 'telephony.recording'

    heard_by_count = fields.Integer(
        string="Listened To By",
        compute='_compute_heard_by_count',
        groups=LOG_READERS,
        help="How many people have heard this recording. Each shared link counts as somebody.",
    )
    can_download = fields.Boolean(compute='_compute_can_download')

    def _compute_heard_by_count(self):
        counts = self.env['telephony.listen']._heard_by('recording_id', self.ids)
        for recording in self:
            recording.heard_by_count = counts.get(recording.id, 0)

    @api.depends('company_id.telephony_download', 'state')
    @api.depends_context('uid')
    def _compute_can_download(self):
        for recording in self:
            may = recording.sudo().company_id.telephony_download
            recording.can_download = recording.state in PLAYABLE and (
                may == 'all'
                or may == 'supervisors'
                and recording.sudo().call_id._is_supervised_by(self.env.user)
            )

    def action_open_listens(self):
        """Open the lines of the log about these recordings."""
        return {
            **self.env['ir.actions.act_window']._for_xml_id(
                'crm_telephony.telephony_listen_action'
            ),
            'domain': [('recording_id', 'in', self.ids)],
            'context': {},
        }

    # === WHY === #

    def _begin_listening(self, kind='play', reason_id=None, reason_text=None):
        """Write the line of the log for the present user, and return where the sound is.

        :param str kind: `play` or `download`
        :param reason_id: id of a telephony.listen.reason, as a browser sent it
        :param reason_text: why, in the listener's words, as a browser sent it
        :return: dict with `url`, or with `reasons` (list of dicts `id` and `name`) where the company
            wants to know why and that was not told; then nothing was written
        :raise AccessError: the user may not listen, or not download
        """
        self._check_listening(kind)
        reason = self._reason(reason_id, reason_text)
        if not reason and self._wants_reason():
            reasons = self.env['telephony.listen.reason'].sudo().search([])
            return {'reasons': [{'id': choice.id, 'name': choice.name} for choice in reasons]}
        line = self._write_listen(kind, **reason)
        return {'url': f'{self._listening_path(kind)}?t={self._sign_listening(kind, line)}'}

    def _check_listening(self, kind):
        self.ensure_one()
        # the rules ask for a few of their many columns
        self.sudo().fetch(['call_id', 'company_id', 'state', 'duration'])
        self.sudo().call_id.fetch(CALL_COLUMNS)
        self.check_access('read')
        if kind == 'download' and not self.can_download:
            raise AccessError(
                self.env._(
                    "You may listen to this recording, but not download it. The telephony settings say who may."
                )
            )

    def _reason(self, reason_id, reason_text):
        """Return the field values of a reason that a browser sent, {} for none."""
        reasons = self.env['telephony.listen.reason'].sudo()
        if type(reason_id) is int and 0 < reason_id < 2**31:
            reasons = reasons.search([('id', '=', reason_id)])
        text = ' '.join(reason_text.split())[:LONGEST_REASON] if type(reason_text) is str else ''
        return {'reason_id': reasons.id, 'reason_text': text} if reasons or text else {}

    def _wants_reason(self):
        """Return whether the present user has to say why they listen."""
        call, company = self.sudo().call_id, self.sudo().company_id
        when = company.with_context(prefetch_fields=False).telephony_listen_reason
        if when == 'always' or self.env.user in call._talkers():
            return when == 'always'
        return when == 'others' or not self._is_theirs_to_hear()

    def _is_theirs_to_hear(self):
        """Return whether the present user may listen without being of the Privacy group."""
        call, user = self.sudo().call_id, self.env.user
        return (
            user in call._listeners()
            or call._is_supervised_by(user)
            or not set(call._talkers().ids).isdisjoint(user._telephony_led_ids())
        )

    # === THE LOG === #

    def _write_listen(self, kind, **values):
        address = request.httprequest.remote_addr if request else False
        return self.env['telephony.listen']._write_line(self, kind, **{'ip': address, **values})

    def _listening_path(self, kind):
        return f'/telephony/recording/{self.id}{"/download" if kind == "download" else ""}'

    def _listening_time(self):
        """Return for how long a token is good: the time in which one can be expected to listen. A
        player asks for further ranges of the same address as long as it plays, so that is twice the
        length of the talk, because people stop and go back, and ten minutes for a short one."""
        seconds = self.duration or self.sudo().call_id.talk_seconds
        return max(timedelta(minutes=LISTENING_MINUTES), timedelta(seconds=2 * seconds))

    def _sign_listening(self, kind, line):
        return hash_sign(
            self.sudo().env,
            SCOPES[kind],
            [self.id, self.env.uid, line.id],
            expiration=self._listening_time(),
        )

    def _signed_listen(self, kind, token):
        """Return the line of the log (sudo) that a token of the present user stands for; empty if it
        is another's, has run out or was made up."""
        lines = self.env['telephony.listen'].sudo()
        ids = read_token(self.sudo().env, SCOPES[kind], token)
        return lines.browse(ids[2]) if ids and ids[:2] == [self.id, self.env.uid] else lines

    # === THE SOUND === #

    def _play(self, token, byte_range):
        """Return the sound as a response, as :meth:`_stream` does.

        A request without a token that is good opens the listening itself, so that whoever asks for
        `player_url` alone hears the recording, and nobody hears it unlogged. Further requests
        within the time of one listening belong to the same line; of two at the very same moment each
        may write one, because one too many is better than none. It is committed before the PBX is
        asked, because that may take long.

        :param str byte_range: the player's Range header, None for all of it
        :raise AccessError: the user may not listen, or has to say why first
        """
        self._check_listening('play')
        if not self._signed_listen('play', token) and not self._is_listening():
            self._begin_unasked('play')
        return self._stream(byte_range)

    def _download(self, token):
        """Return the sound as a file; a line of the log for each without a token.

        :raise AccessError: the user may not download, or has to say why first
        """
        self._check_listening('download')
        if not self._signed_listen('download', token):
            self._begin_unasked('download')
        response = self._stream(None)
        if response.status_code == 200:
            mimetype = response.headers.get('Content-Type', '').partition(';')[0]
            name = f'recording-{self.id}{SUFFIXES.get(mimetype, "")}'
            response.headers['Content-Disposition'] = content_disposition(name)
        return response

    def _is_listening(self):
        """Return whether the present user has opened this recording within the time of one
        listening."""
        since = fields.Datetime.now() - self._listening_time()
        return bool(
            self.env['telephony.listen']
            .sudo()
            .search_count(
                [
                    ('user_id', '=', self.env.uid),
                    ('recording_id', '=', self.id),
                    ('kind', '=', 'play'),
                    ('at', '>=', since),
                ],
                limit=1,
            )
        )

    def _begin_unasked(self, kind):
        if self._wants_reason():
            raise AccessError(
                self.env._(
                    "Your company asks why you listen. Open the call, press play there and choose a reason."
                )
            )
        turns.done_beside(self.env, lambda env: self.with_env(env)._write_listen(kind).id)

    def _note_heard(self, token, second):
        """Keep up to which second the player has played.

        :return: whether the token is good
        """
        line = self._signed_listen('play', token)
        if line:
            line._reached(second)
        return bool(line)

    @api.model
    def _to_hear(self, recording_id):
        """Return the recording with this id if there is one and its sound was not deleted or refused,
        else an empty one; whoever may listen."""
        return (
            self.browse(recording_id)
            .exists()
            .filtered(lambda recording: recording.sudo().state not in GONE)
        )


class TelephonyCall(models.Model):
    """Who has listened to a call."""

    _inherit = 'telephony.call'

    heard_by_count = fields.Integer(
        string="Listened To By", compute='_compute_heard_by_count', groups=LOG_READERS
    )

    def _compute_heard_by_count(self):
        counts = self.env['telephony.listen']._heard_by('call_id', self.ids)
        for call in self:
            call.heard_by_count = counts.get(call.id, 0)

    def action_open_listens(self):
        """Open the lines of the log about the recordings of these calls."""
        return {
            **self.env['ir.actions.act_window']._for_xml_id(
                'crm_telephony.telephony_listen_action'
            ),
            'domain': [('call_id', 'in', self.ids)],
            'context': {},
        }

    def action_share_recording(self):
        """Open the dialog that makes a link to a recording of this call.

        :raise UserError: the call has none that can be played
        """
        self.ensure_one()
        recordings = self.recording_ids.filtered(lambda recording: recording.state in PLAYABLE)
        if not recordings:
            raise UserError(self.env._("This call has no recording that can be played."))
        return recordings[0].action_share()


def read_token(env, scope, token):
    """Return the list of ids that `hash_sign` has put into a token; None if the token is of another
    scope, has run out or was made up.

    :param env: Environment (sudo)
    """
    try:
        ids = verify_hash_signed(env, scope, token or '')
    except ValueError:  # no Base64, no token, no text
        return None
    return ids if isinstance(ids, list) else None
