import logging

from odoo import api, fields, models
from odoo.exceptions import AccessError
from odoo.fields import Domain

from ...speech import engine as speech_engine
from ...speech.audio import probe
from ...speech.decode import Undecodable
from ...speech.engine import EngineError
from ...speech.fold_text import language_of
from ...speech.guard import is_invented
from ...speech.mask import mask
from ...speech.pieces import Piece, cut, plan
from ...tools import turns
from ...tools.clocks import RETRY_MINUTES, next_try
from ...tools.words import _lt
from ..core.words_field import in_words
from .engine import CRON

_logger = logging.getLogger(__name__)

# Seconds of CPU time that may be used to see where in a recording somebody speaks.
PROBE_SECONDS = 60
# Nothing has failed yet.
UNTRIED = {'attempts': 0, 'next_try_at': False}


class TelephonyTranscript(models.Model):
    """The queue of recordings that become text.

    A recording goes to the engine piece by piece, and each answer is stored before the next piece is
    sent: whoever ends the process in between loses one piece. A piece is sent again at growing pauses
    if it is the recording's own fault, and for as long as it takes if the engine is away.
    """

    _inherit = 'telephony.transcript'

    # `pieces`: lists of channel and stretches; `done`: number of the piece → its lines; both as JSON
    progress = fields.Json(readonly=True, copy=False, groups=fields.NO_ACCESS, prefetch=False)
    attempts = fields.Integer(readonly=True, copy=False)
    next_try_at = fields.Datetime(string="Next Try", readonly=True, copy=False)
    route_language = fields.Char(readonly=True)
    asked_at = fields.Datetime(string="Last Asked On", readonly=True, copy=False)

    _queue_idx = models.Index("(engine_id, start_at DESC) WHERE state = 'queued'")

    @api.model
    def _queue(self, recording):
        """Have a recording turned into text, if a route says so and it is not waiting already."""
        route = self.env['telephony.speech.route']._route_of(recording)
        waiting = recording.transcript_ids.filtered(lambda run: run.state == 'queued')
        if not route or waiting or not recording.attachment_id:
            return waiting
        transcript = self.create(
            {
                'recording_id': recording.id,
                'engine_id': route.engine_id.id,
                'engine_name': route.engine_id.name,
                'route_language': route.language,
            }
        )
        turns.wake_cron(self.env, CRON, [fields.Datetime.now()])
        return transcript

    def action_try_again(self):
        """Ask the engine again about what has failed.

        :raise AccessError: the user is no supervisor
        """
        self.check_access('read')
        if not self.env.user.has_group('crm_telephony.group_supervisor'):
            raise AccessError(self.env._("Only supervisors can have recordings turned into text."))
        failed = self.sudo().filtered(lambda run: run.state == 'failed' and run.engine_id)
        failed.write({'state': 'queued', 'error': False, **UNTRIED})
        turns.wake_cron(self.env, CRON, [fields.Datetime.now()])
        return True

    # === SCHEDULED ACTION === #

    @api.model
    def _cron_transcribe(self):
        """Turn what waits into text, one recording of each engine in turn, the latest first. What is
        left over is left to the next run."""
        engines = self.env['telephony.speech.engine'].search([('state', '!=', 'stopped')])
        now, is_time = fields.Datetime.now(), True
        engines = engines.filtered(
            lambda engine: not engine.next_try_at or engine.next_try_at <= now
        )
        while engines and is_time:
            for engine in engines:
                transcript = self.search(self._due(engine), limit=1)
                if not transcript:
                    engines -= engine
                    continue
                with turns.gives_way(self.env, CRON):
                    is_time = transcript._transcribe()
                if engine.state in ('away', 'stopped') or transcript.exists().filtered_domain(
                    self._due(engine)
                ):
                    engines -= engine  # or somebody else writes the recording just now
                if not is_time:
                    break
        following = self.search(
            Domain('state', '=', 'queued') & Domain('next_try_at', '>', fields.Datetime.now()),
            limit=1,
            order='next_try_at',
        )
        moments = [] if is_time else [fields.Datetime.now()]
        if following:
            moments.append(following.next_try_at)
        if moments:
            turns.wake_cron(self.env, CRON, moments)

    @api.model
    def _due(self, engine):
        """Return what an engine may be asked about now, as a domain; nothing of a company that has spent
        what it wants to spend this month."""
        companies = self.env['res.company'].search([('telephony_speech_month', '>', 0)])
        spent = companies.filtered(self._is_spent_up) if engine.minute_price else companies.browse()
        return (
            Domain('state', '=', 'queued')
            & Domain('engine_id', '=', engine.id)
            & Domain('company_id', 'not in', spent.ids)
            & (
                Domain('next_try_at', '=', False)
                | Domain('next_try_at', '<=', fields.Datetime.now())
            )
        )

    @api.model
    def _is_spent_up(self, company):
        """Return whether a company has spent on speech this month what it wants to."""
        month = fields.Datetime.now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        costs = (
            Domain('company_id', '=', company.id)
            & Domain('asked_at', '>=', month)
            & Domain('cost', '>', 0)
        )
        [(cost,)] = self._read_group(costs, [], ['cost:sum'])
        return cost >= company.telephony_speech_month

    def _transcribe(self):
        """Ask the engine about the pieces that are left. Commits.

        :return: whether there is time for another recording
        """
        if not self.recording_id.attachment_id:  # deleted meanwhile
            self.unlink()
            return bool(self.env['ir.cron']._commit_progress(1))
        if self.attempts > len(RETRY_MINUTES):  # the last try killed the process
            words = self.error or _lt("The server was stopped while this became text.")
            self.write({'state': 'failed', 'error': words, 'next_try_at': False})
            return bool(self.env['ir.cron']._commit_progress(1))
        # planned before it is made, so that what kills the process is not tried for ever
        attempts = self.attempts + 1
        at = next_try(attempts) or fields.Datetime.now()
        self.write({'attempts': attempts, 'next_try_at': at})
        self.env['ir.cron']._commit_progress()
        is_time = True
        with turns.isolated(self.env.cr, whole=True) as trial:
            for is_time in self._steps():
                if not is_time:
                    break
        if trial.error:
            turns.retried(self.env.cr, lambda: self._step_failed(trial.error))
        return bool(self.env['ir.cron']._commit_progress(1)) and is_time

    def _steps(self):
        """Ask about one piece after another, and yield after each whether there is time left."""
        recording = self.recording_id
        if not self.progress:
            self._plan(recording)
        engine = self.engine_id._engine()
        while todo := self._pieces_left():
            sound_file = recording._sound_file()
            self.env['ir.cron']._commit_progress()
            with sound_file as file:
                for place, sound in cut(file, list(todo.values())):
                    number = list(todo)[place]
                    self._ask(engine, number, todo[number], sound)
                    yield bool(self.env['ir.cron']._commit_progress())
        turns.retried(self.env.cr, self._finish)
        yield True

    def _pieces_left(self):
        """Return the pieces of which nothing is known yet: dict of number → piece."""
        return {
            number: Piece(channel, tuple(map(tuple, stretches)))
            for number, (channel, stretches) in enumerate(self.progress['pieces'])
            if str(number) not in self.progress['done']
        }

    def _plan(self, recording):
        """Find out where somebody speaks, and cut the recording there."""
        with recording._sound_file() as file:
            found = probe(file, most_seconds=PROBE_SECONDS)
        if not found.decoder:
            raise Undecodable(found.mimetype)
        sides = found.turns[:2]
        spoken = [list(map(list, side)) for side in sides]
        pieces = plan(sides, self.engine_id.most_seconds)
        self.write(
            {
                'turns': spoken,
                'progress': {
                    'pieces': [[piece.channel, piece.stretches] for piece in pieces],
                    'done': {},
                    'languages': {},
                    'dropped': 0,
                },
            }
        )

    def _ask(self, engine, number, piece, sound):
        """Ask about one piece, and keep what was really said in it.

        :raise EngineError: there is no answer
        """
        progress = dict(self.progress)
        known = progress['languages'].get(str(piece.channel))
        language = self.route_language or known or ''
        try:
            told = engine.ask(sound, language)
            heard = speech_engine.lines(told, piece)
        except EngineError as error:
            if error.is_too_large and (halves := piece.halves()) != (piece,):
                self._split(number, halves)
                return
            raise
        language = language or speech_engine.language_told(told)
        spoken = self.turns[piece.channel if len(self.turns) > 1 else 0]
        kept = [line for line in heard if not is_invented(line, spoken, language)]
        country = (
            self.recording_id.account_id.country_id.code or self.company_id.country_id.code or 'KZ'
        )
        masked = [mask(line.text, country) for line in kept]
        progress['done'] = {
            **progress['done'],
            str(number): [
                [line.start, line.end, line.channel, text]
                for line, (text, _count) in zip(kept, masked)
            ],
        }
        progress['languages'] = {str(piece.channel): language, **progress['languages']}
        progress['dropped'] += len(heard) - len(kept)
        self.write(
            {
                'progress': progress,
                **UNTRIED,
                'asked_at': fields.Datetime.now(),
                'masked': self.masked + sum(count for _text, count in masked),
                'cost': self.cost + piece.seconds / 60 * self.engine_id.minute_price,
            }
        )
        self.engine_id._answered()

    def _split(self, number, halves):
        """Ask for a piece in parts, because the engine takes no longer one."""
        progress = dict(self.progress)
        parts = [[half.channel, half.stretches] for half in halves]
        progress['pieces'] = [*progress['pieces'], *parts]
        progress['done'] = {**progress['done'], str(number): []}
        self.write({'progress': progress, **UNTRIED})

    def _finish(self):
        """Put the pieces together."""
        progress = self.progress
        lines = sorted(
            (line for part in progress['done'].values() for line in part), key=lambda line: line[:3]
        )
        text = ' '.join(line[3] for line in lines)
        languages = sorted(set(filter(None, progress['languages'].values())))
        self.write(
            {
                'state': 'done' if lines else 'silent',
                'progress': False,
                'dropped': progress['dropped'],
                'language': language_of(
                    text, languages[0] if len(languages) == 1 else 'mixed' if languages else ''
                ),
                'error': False,
                'next_try_at': False,
                'done_at': fields.Datetime.now(),
            }
        )
        self._keep_lines(lines)
        self._measure()
        if self.recording_id.transcript_ids.filtered(
            lambda run: run.is_current and run.is_corrected
        ):
            return  # what a person has corrected stays the text
        self._show()

    # === WHEN IT FAILS === #

    def _step_failed(self, error):
        """Note why a recording is no text yet, and what is done now."""
        self.invalidate_recordset()
        if not self.exists() or self.state != 'queued':
            return
        if isinstance(error, EngineError):
            if error.is_away or error.is_wrong:  # not the recording's fault
                self.write({'attempts': self.attempts - 1, 'next_try_at': False})
                if error.is_away:
                    self.engine_id._away(error)
                else:
                    self.engine_id._stop(error.words)
                return
            words, is_final = error.words, not error.retryable
            if is_final:
                self.engine_id._refused(words)
        elif isinstance(error, Undecodable):
            words, is_final = (
                _lt(
                    "Nothing here can read this recording. The settings say what can be installed."
                ),
                True,
            )
        else:
            words, is_final = in_words(error), False
            _logger.error(
                "recording %s could not be turned into text. The transcript shows whether it is tried again.",
                self.recording_id.id,
                exc_info=error,
            )
        is_over = is_final or self.attempts > len(RETRY_MINUTES)
        self.write(
            {'error': words, **({'state': 'failed', 'next_try_at': False} if is_over else {})}
        )
