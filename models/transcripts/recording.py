from odoo import api, fields, models
from odoo.exceptions import UserError

from ...speech.engine import clean
from ...speech.mask import mask
from ..calls.recording import GONE


class TelephonyRecording(models.Model):
    """A recording and its text: when it is made, who reads it, who corrects it, and how it goes."""

    _inherit = 'telephony.recording'

    transcript_ids = fields.One2many(
        'telephony.transcript', 'recording_id', string="Transcripts", readonly=True
    )
    transcript_id = fields.Many2one(
        'telephony.transcript', string="Text", compute='_compute_transcript_id'
    )

    @api.depends('transcript_ids.is_current')
    def _compute_transcript_id(self):
        for recording in self:
            runs = recording.sudo().transcript_ids
            recording.transcript_id = runs.filtered('is_current')[:1]

    def _after_probed(self):
        super()._after_probed()
        if self.quality != 'silent':
            self.env['telephony.transcript']._queue(self)

    def _after_sides_changed(self):
        """What was said by one side was said by the other."""
        super()._after_sides_changed()
        for transcript in self.transcript_ids.filtered(lambda run: run.state == 'done'):
            transcript._keep_lines(transcript.lines)
            transcript._measure()
            if transcript.is_current:
                transcript._write_text()

    def _before_text_deleted(self):
        super()._before_text_deleted()
        self.sudo().transcript_ids.unlink()

    # === READING === #

    def _on_text_read(self):
        """Who hears a recording by reason only does not read its text in a list; a reading by anybody else
        stands in the log once a day."""
        readable = (
            super()._on_text_read().filtered(lambda recording: recording._is_theirs_to_hear())
        )
        for recording in readable.filtered('transcript'):
            recording._log_reading()
        return readable

    def _log_reading(self):
        """Write the line of the log that the present user reads the text, once a day."""
        lines = self.env['telephony.listen'].sudo()
        if not lines.search_count(
            [
                ('recording_id', '=', self.id),
                ('user_id', '=', self.env.uid),
                ('kind', '=', 'read'),
                ('at', '>=', fields.Datetime.today()),
            ],
            limit=1,
        ):
            self._write_listen('read')

    def get_words(self):
        """Return what was said in this recording: a dict with `lines`, each a dict of `start` and `end`
        (seconds), `channel` (0 and 1, 2 for both in one) and `text`; `is_corrected`, and `notes`, what a
        reader has to know, in their language. The reading is logged.

        :raise AccessError: the user may not read it
        """
        self.ensure_one()
        self.env['telephony.transcript'].check_access('read')
        self.check_access('read')
        transcript = self.transcript_id
        transcript.check_access('read')
        if not transcript:
            raise UserError(self.env._("There is no text of this recording."))
        self._log_reading()
        return transcript.sudo()._words(self.env)

    def correct_words(self, start, channel, text, before):
        """Write a line as it was really said. The engine's own text stays beside it, and is not shown.

        :param start: second at which the line begins, and `channel`, on which
        :param str text: what was said; '' takes the line out
        :param str before: the line as the user has read it, so that nobody writes over another's
        """
        self.ensure_one()
        self.check_access('read')
        self.transcript_id.check_access('read')
        lines = [list(line) for line in self.transcript_id.sudo().lines or []]
        line = next((line for line in lines if line[0] == start and line[2] == channel), None)
        if not line or line[3] != before:
            raise UserError(self.env._("Somebody has changed this line meanwhile. Read it again."))
        country = self.sudo().account_id.country_id.code or 'KZ'
        line[3] = mask(clean(text), country)[0]
        current = self.transcript_id.sudo()
        if not current.is_corrected:
            current = current._corrected()
        current._keep_lines([line for line in lines if line[3]])
        current._show()
        return current._words(self.env)

    def action_transcribe(self):
        """Have these recordings turned into text, by the routes."""
        self.check_access('read')
        if not self.env.user.has_group('crm_telephony.group_supervisor'):
            raise UserError(self.env._("Only supervisors can have recordings turned into text."))
        for recording in self.sudo().filtered(lambda recording: recording.state not in GONE):
            if not recording.attachment_id:
                raise UserError(
                    self.env._("There is only a link to this recording. Copy it to Odoo first.")
                )
            if not self.env['telephony.transcript'].sudo()._queue(recording):
                raise UserError(
                    self.env._(
                        "No speech route fits this recording. A telephony administrator sets them up under "
                        "Configuration ‣ Telephony: Speech."
                    )
                )
        return True

    def _on_player(self):
        """Tell the player whether there is a text, and where to begin."""
        return {
            **super()._on_player(),
            'has_words': bool(self.sudo().transcript_id.word_count) and self._is_theirs_to_hear(),
            'begin': self.env.context.get('telephony_begin') or 0,
        }


class TelephonyTranscript(models.Model):
    _inherit = 'telephony.transcript'

    player = fields.Json(compute='_compute_player')

    @api.depends_context('uid', 'lang', 'tz', 'telephony_begin')
    def _compute_player(self):
        for transcript in self:
            transcript.player = transcript.recording_id.player

    def _words(self, env):
        """Return what a reader sees, as :meth:`telephony.recording.get_words` does.

        :param env: the reader's
        """
        notes = []
        if self.is_corrected:
            notes.append(env._("Corrected by hand."))
        if self.dropped:
            notes.append(env._("Lines that nobody said, left out: %(count)s.", count=self.dropped))
        if self.masked:
            notes.append(
                env._(
                    "Numbers of cards, persons and phones, taken out: %(count)s.",
                    count=self.masked,
                )
            )
        return {
            'lines': [
                {'start': start, 'end': end, 'channel': channel, 'text': text}
                for start, end, channel, text in self.lines or ()
            ],
            'is_corrected': self.is_corrected,
            'notes': ' '.join(notes),
        }

    def _corrected(self):
        """Return a run like this one for what a person corrects."""
        return self.copy(
            {
                'is_current': False,
                'is_corrected': True,
                'recording_id': self.recording_id.id,
                'lines': self.lines,
                'turns': self.turns,
                'cost': 0,
            }
        )
