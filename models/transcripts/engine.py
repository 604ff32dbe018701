import io
import math
import time
import wave
from array import array
from datetime import timedelta
from urllib.parse import urlsplit

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError

from ...providers.fetch import is_public
from ...speech.engine import Engine, EngineError
from ...tools import turns
from ..core.words_field import WordsField, told

CRON = 'crm_telephony.ir_cron_transcribe'
# Pauses (minutes) while an engine does not answer; the last one for as long as it is away.
AWAY_MINUTES = (1, 5, 15, 60)
# An engine asks for no longer pause than this (seconds).
LONGEST_AFTER = 3600
# The administrators are told of an engine that is away for so long.
TOLD_AFTER = timedelta(hours=24)
# So many refusals in a row are the fault of the settings.
MOST_REFUSALS = 5
LANGUAGES = [
    ('ru', "Russian"),
    ('kk', "Kazakh"),
    ('en', "English"),
    ('ky', "Kyrgyz"),
    ('uz', "Uzbek"),
    ('uk', "Ukrainian"),
]


class TelephonySpeechEngine(models.Model):
    """A server that turns speech into text: one of one's own, or a service on the internet.

    An engine that is away makes no transcript fail. It is asked at growing pauses, once for all that
    wait, and afterwards the latest talks come first.
    """

    _name = 'telephony.speech.engine'
    _description = "Speech engine"
    _inherit = ['mail.thread', 'mail.activity.mixin']
    _order = 'sequence, id'

    name = fields.Char(required=True)
    active = fields.Boolean(default=True)
    sequence = fields.Integer(default=10)
    company_id = fields.Many2one(
        'res.company', help="Empty: for every company.", default=lambda self: self.env.company
    )
    url = fields.Char(
        string="Address",
        required=True,
        tracking=True,
        help="The whole address, which ends with /v1/audio/transcriptions. Recordings are sent to it.",
    )
    api_key = fields.Char(string="Key", groups='crm_telephony.group_admin', copy=False)
    model = fields.Char(help="As the engine calls it. Empty: its default.")
    hints = fields.Char(
        help="Names of your company and products, so that the engine writes them correctly."
    )
    timeout = fields.Integer(string="Patience (s)", default=90, required=True)
    most_seconds = fields.Integer(
        string="Longest Piece (s)",
        default=120,
        required=True,
        help="A talk is sent in pieces of at most so long. An engine that tells no times gets 20, so that each line has its "
        "second.",
    )
    minute_price = fields.Float(
        string="Price of a Minute",
        digits=(12, 5),
        help="In the currency of the company. Each side of a talk counts by itself.",
    )
    leaves_house = fields.Boolean(
        string="Sound Leaves the House",
        compute='_compute_leaves_house',
        help="The address is not one of a private network.",
    )
    state = fields.Selection(
        [
            ('new', "Not checked"),
            ('ready', "Ready"),
            ('away', "Does not answer"),
            ('stopped', "Stopped"),
        ],
        default='new',
        required=True,
        readonly=True,
        copy=False,
        help="Does not answer: it is asked again by itself. "
        "Stopped: it refuses what it is asked, so a person has to correct its settings and press Check.",
    )
    error = WordsField(string="What Is Wrong", readonly=True, copy=False)
    away_since = fields.Datetime(readonly=True, copy=False)
    next_try_at = fields.Datetime(string="Next Try", readonly=True, copy=False)
    failures = fields.Integer(readonly=True, copy=False)
    checked_at = fields.Datetime(string="Checked On", readonly=True, copy=False)

    @api.depends('url')
    def _compute_leaves_house(self):
        for engine in self:
            engine.leaves_house = _is_outside(engine.url or '')

    @api.constrains('url')
    def _check_url(self):
        for engine in self:
            try:
                parts = urlsplit(engine.url)
                is_plain = (
                    parts.scheme in ('http', 'https') and parts.hostname and not parts.username
                )
            except ValueError:
                is_plain = False
            if not is_plain:
                raise ValidationError(
                    self.env._(
                        "“%(url)s” is no plain web address. Enter one like http://127.0.0.1:9377/v1/audio/transcriptions.",
                        url=engine.url,
                    )
                )
            if parts.scheme == 'http' and engine.leaves_house:
                raise ValidationError(
                    self.env._(
                        "An address on the internet must begin with https://, because the talks and the key go to it."
                    )
                )

    @api.constrains('timeout', 'most_seconds', 'minute_price')
    def _check_limits(self):
        for engine in self:
            if not 5 <= engine.timeout <= 600 or not 20 <= engine.most_seconds <= 600:
                raise ValidationError(
                    self.env._("Patience is 5 to 600 seconds, the longest piece 20 to 600 seconds.")
                )
            if engine.minute_price < 0:
                raise ValidationError(
                    self.env._("The price of a minute cannot be less than nothing.")
                )

    def write(self, vals):
        """Let what was changed be tried at once."""
        if {'url', 'api_key', 'model'} & set(vals) and 'state' not in vals:
            vals = {**vals, **self._as_new(), 'state': 'new'}
            turns.wake_cron(self.env, CRON, [fields.Datetime.now()])
        return super().write(vals)

    def _as_new(self):
        return {'error': False, 'away_since': False, 'next_try_at': False, 'failures': 0}

    def _engine(self):
        """Return how this engine is asked, as a :class:`.engine.Engine`."""
        self.ensure_one()
        engine = self.sudo()
        return Engine(
            url=engine.url,
            key=engine.api_key or '',
            model=engine.model or '',
            hints=engine.hints or '',
            timeout=engine.timeout,
        )

    def action_check(self):
        """Send a second of sound, and say what comes back."""
        self.ensure_one()
        self.check_access('write')
        begin = time.monotonic()
        try:
            self._engine().ask(_tone())
        except EngineError as error:
            if error.is_away:
                self._away(error)
            else:
                self._stop(error.words)
            self.env.cr.commit()  # pylint: disable=invalid-commit
            raise UserError(told(self.env, error.words)) from None
        self._answered()
        self.checked_at = fields.Datetime.now()
        turns.wake_cron(self.env, CRON, [fields.Datetime.now()])
        return {
            'type': 'ir.actions.client',
            'tag': 'display_notification',
            'params': {
                'type': 'success',
                'message': self.env._(
                    "The engine answers, after %(seconds)s s.",
                    seconds=round(time.monotonic() - begin, 1),
                ),
                'next': {'type': 'ir.actions.client', 'tag': 'soft_reload'},
            },
        }

    # === HOW IT GETS ON === #

    def _answered(self):
        """The engine does what it is asked."""
        if self.state != 'ready' or self.failures:
            self.write({'state': 'ready', **self._as_new()})

    def _away(self, error):
        """The engine does not answer: ask it again later, and tell somebody after a day."""
        now = fields.Datetime.now()
        failures = self.failures + 1
        pause = timedelta(minutes=AWAY_MINUTES[min(failures, len(AWAY_MINUTES)) - 1])
        if after := error.retry_after:
            pause = max(pause, timedelta(seconds=min(after, LONGEST_AFTER)))
        self.write(
            {
                'state': 'away',
                'error': error.words,
                'away_since': self.away_since or now,
                'failures': failures,
                'next_try_at': now + pause,
            }
        )
        turns.wake_cron(self.env, CRON, [self.next_try_at])
        if now - self.away_since > TOLD_AFTER:
            self._tell(
                lambda env: env._(
                    "The speech engine %(engine)s has not answered for a day", engine=self.name
                )
            )

    def _refused(self, words):
        """The engine refuses a recording; when it refuses one after another, its settings are wrong."""
        self.failures += 1
        if self.failures >= MOST_REFUSALS:
            self._stop(words)

    def _stop(self, words):
        """Ask the engine nothing more, until a person has looked at its settings."""
        self.write({'state': 'stopped', 'error': words, 'next_try_at': False})
        self._tell(
            lambda env: env._("The speech engine %(engine)s refuses to work", engine=self.name)
        )

    def _tell(self, words):
        """Give each administrator an activity, unless they have one already.

        :param words: called with the environment of an administrator; returns a sentence
        """
        companies = self.company_id or self.env['res.company'].sudo().search([])
        for user in companies[:1]._telephony_administrators():
            if not self.activity_ids.filtered(lambda activity, user=user: activity.user_id == user):
                self.activity_schedule(
                    'mail.mail_activity_data_todo',
                    summary=words(self.with_context(lang=user.lang).env),
                    user_id=user.id,
                )


def _is_outside(url):
    """Return whether an address is not one of a private network, as far as its name tells."""
    try:
        host = urlsplit(url).hostname or ''
    except ValueError:
        return False
    try:
        return is_public(host)
    except ValueError:  # a name
        return '.' in host and not host.endswith(('.local', '.lan', '.internal', '.localhost'))


def _tone():
    """Return a second of a tone, as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, 'wb') as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(8000)
        samples = (int(8000 * math.sin(place * 0.35)) for place in range(8000))
        wav.writeframes(array('h', samples).tobytes())
    return file.getvalue()
