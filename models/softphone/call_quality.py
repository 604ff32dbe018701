import math
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, ValidationError
from odoo.fields import Domain

# A talk under this estimate (1 to 5) is one about which people complain.
BAD_MOS = 3.6
# What no browser measures, by field: the least and the most that is believed.
BOUNDS = {
    'seconds': (0, 24 * 3600),
    'seconds_ago': (0, 48 * 3600),
    'mos_avg': (1, 5),
    'mos_min': (1, 5),
    'loss_in': (0, 100),
    'loss_out': (0, 100),
    'jitter': (0, 10_000),
    'rtt': (0, 60_000),
    'reconnects': (0, 10_000),
}
LONGEST = {'sip_call_id': 255, 'codec': 40}
# The talk that a browser tells of began at most this long before or after the call in the log.
NEAR = timedelta(seconds=30)
# No phone has more talks.
MOST_A_DAY = 2000


class TelephonyCallQuality(models.Model):
    """How a talk sounded, as the browser that was the phone has measured it.

    A model of its own, because the legs of a call are computed anew with each event. Nothing in it
    tells of the device or the place: no name of a headset, no address.
    """

    _name = 'telephony.call.quality'
    _description = "How a talk sounded"
    _order = 'started_at desc, id desc'
    _rec_name = 'started_at'

    account_id = fields.Many2one(
        'telephony.account', string="PBX", required=True, readonly=True, ondelete='cascade'
    )
    company_id = fields.Many2one(related='account_id.company_id', store=True, precompute=True)
    call_id = fields.Many2one(
        'telephony.call',
        string="Phone Call",
        readonly=True,
        index='btree_not_null',
        ondelete='cascade',
    )
    user_id = fields.Many2one(
        'res.users', string="User", required=True, readonly=True, index=True, ondelete='cascade'
    )
    extension = fields.Char(required=True, readonly=True)
    sip_call_id = fields.Char(string="SIP Call-ID", readonly=True)
    started_at = fields.Datetime(required=True, readonly=True)
    seconds = fields.Integer(string="Talk", readonly=True, aggregator='sum')
    mos_avg = fields.Float(
        string="Sound (Estimate)",
        readonly=True,
        digits=(3, 2),
        aggregator='avg',
        help="From 1 to 5, by the E-model of loss and delay: 4.4 is a good line, under 3.6 people complain.",
    )
    mos_min = fields.Float(string="Worst Moment", readonly=True, digits=(3, 2), aggregator='min')
    loss_in = fields.Float(
        string="Loss, Customer to Us (%)", readonly=True, digits=(5, 2), aggregator='avg'
    )
    loss_out = fields.Float(
        string="Loss, Us to Customer (%)", readonly=True, digits=(5, 2), aggregator='avg'
    )
    jitter = fields.Float(string="Jitter (ms)", readonly=True, digits=(7, 1), aggregator='avg')
    rtt = fields.Float(string="Round Trip (ms)", readonly=True, digits=(7, 1), aggregator='avg')
    codec = fields.Char(readonly=True)
    relay = fields.Boolean(string="Through TURN", readonly=True)
    resumed = fields.Boolean(
        string="Taken Up Again",
        readonly=True,
        help="The page was loaded anew or closed in the talk, and the talk went on.",
    )
    reconnects = fields.Integer(
        readonly=True,
        aggregator='sum',
        help="How often the connection to the PBX was lost in the talk.",
    )
    is_bad = fields.Boolean(
        string="Bad Line",
        compute='_compute_is_bad',
        store=True,
        help="People complain about such a line.",
    )

    _talk_uniq = models.UniqueIndex('(account_id, extension, sip_call_id)')
    _loose_idx = models.Index('(account_id, started_at) WHERE call_id IS NULL')

    @api.depends('mos_avg', 'seconds')
    def _compute_is_bad(self):
        for talk in self:
            talk.is_bad = bool(talk.seconds) and talk.mos_avg < BAD_MOS

    # === WHAT BROWSERS TELL === #

    @api.model
    def report(self, talk):
        """Keep what a browser has measured of a talk that is over. A report that comes twice is kept
        once.

        :param talk: the names of :data:`BOUNDS` and :data:`LONGEST`, `relay` and `resumed`;
            `seconds_ago` says when the talk began
        :raise AccessError: the user has no browser phone
        :raise ValidationError: something in it was never measured
        """
        phone = self.env['telephony.extension']._my_softphone()
        if not phone:
            raise AccessError(self.env._("You have no browser phone."))
        quality, values = self.sudo(), self._values_of(talk)
        values |= {'account_id': phone.account_id.id, 'extension': phone.number}
        names = ('account_id', 'extension', 'sip_call_id')
        if quality.search_count([(name, '=', values[name]) for name in names], limit=1):
            return
        mine = [(name, '=', values[name]) for name in names[:2]]
        lately = [('create_date', '>', fields.Datetime.now() - timedelta(days=1))]
        if quality.search_count(mine + lately, limit=MOST_A_DAY) >= MOST_A_DAY:
            raise ValidationError(self.env._("This phone has reported too many talks today."))
        quality.create({**values, 'user_id': self.env.uid})._find_call()

    @api.model
    def _values_of(self, talk):
        values = {}
        for name, (least, most) in BOUNDS.items():
            value = talk.get(name) or least
            if (
                isinstance(value, bool)
                or not isinstance(value, (int, float))
                or not math.isfinite(value)
                or not least <= value <= most
            ):
                raise ValidationError(
                    self.env._("%(field)s cannot be %(value)s.", field=name, value=str(value)[:40])
                )
            values[name] = value
        for name, longest in LONGEST.items():
            text = str(talk.get(name) or '')
            if len(text) > longest or not text.isprintable():
                raise ValidationError(
                    self.env._("%(field)s cannot be %(value)s.", field=name, value=text[:40])
                )
            values[name] = text
        ago = timedelta(seconds=values.pop('seconds_ago'))
        return {
            **values,
            'started_at': fields.Datetime.now() - ago,
            'relay': bool(talk.get('relay')),
            'resumed': bool(talk.get('resumed')),
        }

    # === WHICH CALL IT WAS === #

    def _find_call(self):
        """Find the call in the log that was this talk: the nearest answered one of the same phone."""
        self.ensure_one()
        talks = self.env['telephony.call'].search(
            Domain('account_id', '=', self.account_id.id)
            & Domain('answered_at', '>=', self.started_at - NEAR)
            & Domain('answered_at', '<=', self.started_at + NEAR)
            & (
                Domain('extension', '=', self.extension)
                | Domain('leg_ids.extension', '=', self.extension)
            )
        )
        self.call_id = talks.sorted(lambda call: abs(call.answered_at - self.started_at))[:1]


class TelephonyCall(models.Model):
    _inherit = 'telephony.call'

    quality_ids = fields.One2many('telephony.call.quality', 'call_id', string="Sound")

    def _after_filed(self, changed, memory):
        """Browsers tell of a talk when it ends, which may be before the PBX does."""
        super()._after_filed(changed, memory)
        ended = changed.filtered(lambda call: call.state == 'ended' and call.answered_at)
        if ended:
            loose = self.env['telephony.call.quality'].search(
                [
                    ('account_id', 'in', ended.account_id.ids),
                    ('call_id', '=', False),
                    ('started_at', '>=', min(ended.mapped('answered_at')) - NEAR),
                    ('started_at', '<=', max(ended.mapped('answered_at')) + NEAR),
                ]
            )
            for talk in loose:
                talk._find_call()
