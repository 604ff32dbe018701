from odoo import api, fields, models
from odoo.exceptions import UserError

from ...speech.fold_text import fold
from ...speech.pieces import BOTH
from ...speech.talk import measure
from ...tools import turns
from ...tools.clocks import clock
from ..core.words_field import WordsField

# A search is given up after so long (seconds).
PATIENCE = 5
# Whose words stand in which column, and how a side is called in the text of a recording.
SIDES = ('ours', 'theirs', 'other')


class TelephonyTranscript(models.Model):
    """What was said in a recording: one row for each time that it was turned into text.

    The words themselves are read through the recording only (:meth:`telephony.recording.get_words`),
    which checks who may and writes it into the listening log. The columns by which they are searched
    hold them folded, one for each side.
    """

    _name = 'telephony.transcript'
    _description = "Transcript"
    _order = 'start_at desc, id desc'
    _rec_name = 'call_id'

    recording_id = fields.Many2one(
        'telephony.recording', required=True, readonly=True, index=True, ondelete='cascade'
    )
    call_id = fields.Many2one(
        related='recording_id.call_id', store=True, precompute=True, index=True, string="Phone Call"
    )
    company_id = fields.Many2one(related='recording_id.company_id', store=True, precompute=True)
    start_at = fields.Datetime(
        related='recording_id.start_at', string="Start of the Call", store=True, precompute=True
    )
    user_id = fields.Many2one(
        related='recording_id.call_id.user_id',
        string="Employee",
        store=True,
        precompute=True,
        index='btree_not_null',
    )
    state = fields.Selection(
        [
            ('queued', "Waiting"),
            ('done', "Done"),
            ('failed', "Failed"),
            ('silent', "Nothing said"),
        ],
        required=True,
        default='queued',
        readonly=True,
    )
    is_current = fields.Boolean(
        readonly=True,
        help="This text is shown and found. Older ones stay until retention deletes them.",
    )
    is_corrected = fields.Boolean(string="Corrected", readonly=True)
    engine_id = fields.Many2one(
        'telephony.speech.engine',
        readonly=True,
        ondelete='set null',
        groups='crm_telephony.group_admin',
    )
    engine_name = fields.Char(string="Turned into Text By", readonly=True)
    language = fields.Char(
        readonly=True, help="ru, kk, …; mixed for Russian and Kazakh in one talk."
    )
    # long, and not for readers of the row: nothing of it is loaded beside other columns
    lines = fields.Json(readonly=True, groups=fields.NO_ACCESS, prefetch=False)
    text_ours = fields.Text(readonly=True, groups=fields.NO_ACCESS, prefetch=False)
    text_theirs = fields.Text(readonly=True, groups=fields.NO_ACCESS, prefetch=False)
    text_other = fields.Text(readonly=True, groups=fields.NO_ACCESS, prefetch=False)
    word_count = fields.Integer(string="Words", readonly=True)
    dropped = fields.Integer(
        string="Left Out",
        readonly=True,
        help="Lines that the engine made up: loops, and text where nobody speaks.",
    )
    masked = fields.Integer(
        readonly=True, help="Numbers of cards, persons and phones that were taken out."
    )
    error = WordsField(string="Reason", readonly=True)
    cost = fields.Float(readonly=True, digits=(12, 4))
    done_at = fields.Datetime(string="Done On", readonly=True)

    # === FIGURES OF THE TALK === #

    is_separated = fields.Boolean(
        string="Sides Apart",
        readonly=True,
        help="Each side has a channel, and it is known whose it is.",
    )
    talk_share = fields.Float(
        string="We Speak (%)",
        readonly=True,
        aggregator='avg',
        help="Our share of the speaking, in per cent. Empty where one side spoke less than 5 seconds, or the sides are "
        "not apart.",
    )
    ours_seconds = fields.Float(string="We Speak (s)", readonly=True)
    theirs_seconds = fields.Float(string="They Speak (s)", readonly=True)
    silence = fields.Float(
        string="Silence (s)", readonly=True, help="Seconds in which neither side speaks."
    )
    long_silences = fields.Integer(readonly=True, help="Silences of 15 seconds and more.")
    overlap = fields.Float(string="Both Speak (s)", readonly=True)
    longest_ours = fields.Float(
        string="Our Longest Monologue (s)",
        readonly=True,
        aggregator='max',
        help="Over pauses of less than a second.",
    )
    longest_theirs = fields.Float(
        string="Their Longest Monologue (s)",
        readonly=True,
        aggregator='max',
        help="Over pauses of less than a second.",
    )
    interrupts_ours = fields.Integer(
        string="We Interrupt",
        readonly=True,
        help="How often we began to speak and the customer fell silent within a second.",
    )
    interrupts_theirs = fields.Integer(
        string="They Interrupt",
        readonly=True,
        help="How often the customer began to speak and we fell silent within a second.",
    )
    reply_seconds = fields.Float(
        string="Time to Reply (s)",
        readonly=True,
        aggregator='avg',
        help="Median of the pauses before the other side answers, up to 5 seconds.",
    )
    turns = fields.Json(readonly=True, groups=fields.NO_ACCESS, prefetch=False)

    _current_uniq = models.UniqueIndex(
        "(recording_id) WHERE is_current IS TRUE", "A recording has one text that is shown."
    )
    _start_idx = models.Index("(start_at DESC, id DESC) WHERE is_current IS TRUE")

    # === LISTS === #

    @api.model
    def web_search_read(
        self, domain, specification, offset=0, limit=None, order=None, count_limit=None
    ):
        """Give up a search that takes too long, and say what to do."""
        if not self._looked_for():
            return super().web_search_read(domain, specification, offset, limit, order, count_limit)
        try:
            with turns.in_time(self.env.cr, PATIENCE):
                return super().web_search_read(
                    domain, specification, offset, limit, order, count_limit
                )
        except turns.TooLong:
            raise UserError(
                self.env._(
                    "That takes too long, because it was said too often. Add a word or a period."
                )
            ) from None

    # === WHO SPEAKS === #

    def _side_of(self, channel):
        """Return whose a channel of the recording is: ours, theirs, or other if nobody knows."""
        ours = {'first': 0, 'second': 1}.get(self.recording_id.agent_channel)
        if channel == BOTH or ours is None:
            return 'other'
        return 'ours' if channel == ours else 'theirs'

    def _keep_lines(self, lines):
        """Store what was said.

        :param lines: lists of start, end, channel and text, in the order of time
        """
        texts = {side: [] for side in SIDES}
        for _start, _end, channel, text in lines:
            texts[self._side_of(channel)].append(fold(text))
        self.write(
            {
                'lines': lines,
                'word_count': sum(len(text.split()) for side in texts.values() for text in side),
                **{f'text_{side}': ' '.join(texts[side]) or False for side in SIDES},
            }
        )

    def _measure(self):
        """Store the figures of the talk; what cannot be told stays empty."""
        turns, recording = self.turns or [], self.recording_id
        is_separated = len(turns) == 2 and recording.agent_channel in ('first', 'second')
        sides = turns if recording.agent_channel != 'second' else turns[::-1]
        talk = measure(*sides, recording.seconds) if is_separated else measure((), (), 0)
        self.write(
            {
                'is_separated': is_separated,
                'talk_share': talk.share is not None and talk.share * 100,
                'ours_seconds': talk.ours.seconds,
                'theirs_seconds': talk.theirs.seconds,
                'silence': talk.silence,
                'long_silences': talk.long_silences,
                'overlap': talk.overlap,
                'longest_ours': talk.ours.longest,
                'longest_theirs': talk.theirs.longest,
                'interrupts_ours': talk.ours.interruptions,
                'interrupts_theirs': talk.theirs.interruptions,
                'reply_seconds': talk.reply or 0,
            }
        )

    def _show(self):
        """Make this the text of its recording, in place of the one before."""
        self.recording_id.transcript_ids.filtered('is_current').is_current = False
        self.flush_model(['is_current'])
        self.is_current = True
        self._write_text()

    def _write_text(self):
        """Write the text of the recording as people read it: a line for each line, with its second and
        who speaks."""
        names = {
            'ours': self.user_id.name or self.env._("We"),
            'theirs': self.env._("Customer"),
            'other': '',
        }
        self.recording_id.transcript = (
            '\n'.join(
                f'{clock(start)} {name + ": " if (name := names[self._side_of(channel)]) else ""}{text}'
                for start, _end, channel, text in self.lines or ()
            )
            or False
        )
