import base64

from odoo import api, fields, models
from odoo.fields import Domain

from ...speech.audio import probe
from ...tools import turns
from ...tools.clocks import clock
from ...tools.words import _lt

CRON = 'crm_telephony.ir_cron_probe_recordings'
CHANNELS = [('first', "First channel"), ('second', "Second channel")]
# The sound may be longer or shorter than the PBX says by so many seconds, or by this share.
ROUGHLY, SHARE = 3, 0.1


class TelephonyAccount(models.Model):
    _inherit = 'telephony.account'

    agent_channel_in = fields.Selection(
        CHANNELS,
        string="Our Side, Inbound Calls",
        help="In which channel of a two-channel recording the employee speaks. Empty: nobody knows.",
    )
    agent_channel_out = fields.Selection(
        CHANNELS,
        string="Our Side, Outbound Calls",
        help="In which channel of a two-channel recording the employee speaks. Empty: nobody knows.",
    )


class TelephonyRecording(models.Model):
    """What a copy holds, measured after it was stored: its length, its waveform, and what is wrong
    with it."""

    _inherit = 'telephony.recording'

    channels = fields.Integer(readonly=True, copy=False, aggregator=None)
    rate = fields.Integer(string="Samples a Second", readonly=True, copy=False, aggregator=None)
    seconds = fields.Float(
        string="Length (s)",
        readonly=True,
        copy=False,
        aggregator='sum',
        help="Measured. The duration is what the PBX says.",
    )
    hours = fields.Float(
        compute='_compute_hours',
        store=True,
        precompute=True,
        aggregator='sum',
        help="Of sound: measured, or as the PBX says where there is no copy.",
    )
    quality = fields.Selection(
        [
            ('ok', "Good"),
            ('one_sided', "One voice only"),
            ('silent', "Silent"),
            ('truncated', "Cut off"),
            ('dual_mono', "Both sides in one"),
            ('unreadable', "Not understood"),
        ],
        readonly=True,
        copy=False,
        help="What the copy is like. Both sides in one: two channels that hold the same. "
        "Not understood: nothing here can read the file; browsers may play it all the same.",
    )
    peaks = fields.Char(
        readonly=True,
        copy=False,
        exportable=False,
        help="The waveform: base64 of 1000 bytes for each channel, one channel after the other.",
    )
    agent_channel = fields.Selection(
        [*CHANNELS, ('unknown', "Not known")],
        string="Our Side",
        required=True,
        default='unknown',
        readonly=True,
        copy=False,
    )
    agent_channel_source = fields.Selection(
        [
            ('pbx', "Told by the PBX"),
            ('rule', "As the PBX's form says"),
            ('guess', "Guessed"),
            ('hand', "Set by hand"),
        ],
        string="How Our Side Is Known",
        readonly=True,
        copy=False,
    )
    is_unprobed = fields.Boolean(readonly=True, copy=False)

    _unprobed_idx = models.Index("(id) WHERE is_unprobed IS TRUE")

    @api.depends('seconds', 'duration')
    def _compute_hours(self):
        for recording in self:
            recording.hours = (recording.seconds or recording.duration) / 3600

    def _after_stored(self):
        """Have the sound looked at, but not by whoever has brought it."""
        super()._after_stored()
        self.is_unprobed = True
        if not self.env.context.get('telephony_probed_later'):
            self._wake_probe()

    @api.model
    def _wake_probe(self):
        turns.wake_cron(self.env, CRON, [fields.Datetime.now()])

    @api.model
    def _cron_probe(self, batch_size=50):
        """Look at the copies that are new. The latest come first, because people listen to them."""
        domain = Domain('is_unprobed', '=', True)
        for recording in self.search(domain, limit=batch_size, order='id desc'):
            with turns.gives_way(self.env, CRON):
                recording._probe()
            if not self.env['ir.cron']._commit_progress(1, remaining=self.search_count(domain)):
                return

    def _probe(self):
        """Measure the copy. Commits first, as what it is if the process does not survive the look at
        it: not understood."""
        self.write({'is_unprobed': False, 'quality': self.quality or 'unreadable'})
        if not self.attachment_id:
            return
        told, sound = self.duration, self._sound_file()
        self.env['ir.cron']._commit_progress()
        with sound as file:
            found = probe(file, told or None)
        turns.retried(self.env.cr, lambda: self._write_probe(found))

    def _write_probe(self, found):
        """Write what was found, unless the copy was deleted or replaced meanwhile.

        :param found: :class:`speech.audio.Probe`
        """
        self.invalidate_recordset()
        if not self.exists() or not self.attachment_id or self.is_unprobed:
            return
        is_cut = self.quality == 'truncated'
        self.write(
            {
                'channels': found.channels,
                'rate': found.rate,
                'seconds': found.seconds,
                'quality': 'truncated' if is_cut else found.quality,
                'peaks': base64.b64encode(found.peaks).decode() or False,
                **self._our_side(found.channels),
            }
        )
        told, gap = self.duration, abs(found.seconds - self.duration)
        if told and found.seconds and gap > max(ROUGHLY, told * SHARE):
            self._doubt(
                _lt(
                    "The PBX says %(told)s, the sound has %(found)s.",
                    told=clock(told),
                    found=clock(found.seconds),
                )
            )
        self._after_probed()

    def _our_side(self, channels):
        """Return the values that say in which channel the employee speaks, where the PBX's form knows
        and nobody else has said it."""
        direction = {'inbound': 'in', 'outbound': 'out'}.get(self.call_id.direction)
        rule = channels == 2 and direction and self.account_id[f'agent_channel_{direction}']
        if not rule or self.agent_channel_source in ('pbx', 'hand'):
            return {}
        return {'agent_channel': rule, 'agent_channel_source': 'rule'}

    # === HOOKS === #

    def _after_probed(self):
        """Runs when the copy of this recording was looked at, in the same transaction."""
