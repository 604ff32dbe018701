from collections import defaultdict
from datetime import timedelta
from itertools import groupby, pairwise

import pytz

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import split_every

from ...tools.best_hours import own_hour
from ...tools.periods import midnight
from .metric import OUTBOUND
from .report import local_of, zones_of

# From best to worst.
EVIDENCE = [
    ('found', "Call found"),
    ('by_hand', "Logged by hand"),
    ('inbound', "The customer called"),
    ('colleague', "A colleague called"),
    ('none', "No call found"),
    ('unjudged', "Cannot be judged"),
]
# A call may still be told so long after the activity was done; who dials first and ticks later has
# so long for the call.
JUDGED_DAYS = 3
AFTER = timedelta(minutes=30)
# What a supervisor sees of claims without a call: their author had so long to log it.
AUTHORS_OWN = timedelta(hours=24)
# So many claims are judged at once and committed.
BATCH = 500


class MailActivity(models.Model):
    """Compares finished call activities with the calls that exist. "No call found" says what it says:
    a private mobile leaves no trace either, until its call is logged by hand."""

    _inherit = 'mail.activity'

    telephony_done_at = fields.Datetime(
        string="Call Done At",
        readonly=True,
        copy=False,
        index='btree_not_null',
        help="When a person marked this call activity done. Odoo itself keeps the day only.",
    )
    telephony_done_by_id = fields.Many2one('res.users', string="Done By", readonly=True, copy=False)
    telephony_evidence = fields.Selection(
        EVIDENCE,
        string="Call Behind It",
        readonly=True,
        copy=False,
        help="Whether a call of the customer is in the log, from the day before until half an hour after the activity was "
        "marked done.",
    )
    telephony_evidence_call_id = fields.Many2one(
        'telephony.call', string="Call", readonly=True, copy=False, ondelete='set null'
    )

    def _action_done(self, feedback=False, attachment_ids=None):
        claims = (
            self.browse()
            if self.env.su
            else self.filtered(
                lambda activity: (
                    activity.activity_type_id.category == 'phonecall'
                    and activity.res_model in ('crm.lead', 'res.partner')
                )
            )
        )
        result = super()._action_done(feedback=feedback, attachment_ids=attachment_ids)
        claims = claims.exists().sudo()
        claims.write(
            {'telephony_done_at': fields.Datetime.now(), 'telephony_done_by_id': self.env.uid}
        )
        claims._judge()
        return result

    @api.model
    def _cron_judge_claims(self):
        """Judge the claims of the last days once more, because PBXs tell some calls late."""
        since = fields.Datetime.now() - timedelta(days=JUDGED_DAYS)
        claims = self.with_context(active_test=False).search(
            [('telephony_done_at', '>=', since), ('telephony_evidence', '!=', 'found')]
        )
        for batch in split_every(BATCH, claims.ids, self.browse):
            batch._judge()
            self.env['ir.cron']._commit_progress(len(batch))

    def _judge(self):
        """Write which call stands behind each of these claims. What they need is read once for all of
        them."""
        judgeable = self._judgeable()
        calls = judgeable._calls_with_customers()
        nothing = self.env['telephony.call']
        for claim in self:
            evidence, call = (
                best_evidence(calls[claim], claim.telephony_done_by_id) or ('none', nothing)
                if claim in judgeable
                else ('unjudged', nothing)
            )
            if (evidence, call) != (claim.telephony_evidence, claim.telephony_evidence_call_id):
                claim.write({'telephony_evidence': evidence, 'telephony_evidence_call_id': call.id})

    def _judgeable(self):
        """Return those of these claims whose author's phone is known, and about whose PBXs no event of
        that day failed."""
        authors = self.telephony_done_by_id
        pbxs = defaultdict(set)
        phones = self.env['telephony.extension'].sudo()
        for phone in phones.search(
            ['|', ('user_id', 'in', authors.ids), ('also_user_ids', 'in', authors.ids)]
        ):
            for user in phone.user_id | phone.also_user_ids:
                pbxs[user].add(phone.account_id)
        failures = self._failures({pbx for its in pbxs.values() for pbx in its})
        return self.filtered(
            lambda claim: (
                pbxs[claim.telephony_done_by_id]
                and not any(
                    claim.telephony_done_at - timedelta(days=1)
                    <= failure
                    <= claim.telephony_done_at + AFTER
                    for pbx in pbxs[claim.telephony_done_by_id]
                    for failure in failures[pbx]
                )
            )
        )

    def _failures(self, pbxs):
        """Return when events of these PBXs failed around these claims: dict account → moments. Of each
        hour the first and the last, because no claim's day lies between them."""
        failures = defaultdict(list)
        if not pbxs:
            return failures
        moments = self.mapped('telephony_done_at')
        rows = (
            self.env['telephony.event']
            .sudo()
            ._read_group(
                [
                    ('account_id', 'in', [pbx.id for pbx in pbxs]),
                    ('state', '=', 'failed'),
                    ('received_at', '>=', min(moments) - timedelta(days=1)),
                    ('received_at', '<=', max(moments) + AFTER),
                ],
                ['account_id', 'received_at:hour'],
                ['received_at:min', 'received_at:max'],
            )
        )
        for pbx, _hour, first, last in rows:
            failures[pbx] += [first, last]
        return failures

    def _calls_with_customers(self):
        """Return the calls that these claims may be about: dict claim → the calls of its record or of
        one of its numbers, from the day before until half an hour later, the latest first."""
        if not self:
            return {}
        spans = {claim: claim._span() for claim in self}
        keys = self._customer_keys()
        wanted = defaultdict(set)
        for field, value in set().union(*keys.values()):
            wanted[field].add(value)
        calls = (
            self.env['telephony.call']
            .sudo()
            .search_fetch(
                Domain.OR(Domain(field, 'in', list(values)) for field, values in wanted.items())
                & Domain('start_at', '>=', min(begin for begin, _end in spans.values()))
                & Domain('start_at', '<=', max(end for _begin, end in spans.values())),
                ['start_at', 'direction', 'outcome', 'user_id', 'is_manual', *wanted],
                order='start_at desc, id desc',
            )
        )
        by_key = defaultdict(list)
        for place, call in enumerate(calls):
            for field in wanted:
                value = call[field].id if calls._fields[field].relational else call[field]
                by_key[field, value].append(place)
        found = {}
        for claim, (begin, end) in spans.items():
            places = {place for key in keys[claim] for place in by_key[key]}
            its = calls.browse(calls._ids[place] for place in sorted(places))
            found[claim] = its.filtered(
                lambda call, begin=begin, end=end: begin <= call.start_at <= end
            )
        return found

    def _span(self):
        """Return from when to when a call may stand behind this claim (naive UTC)."""
        zone = self.telephony_done_by_id.company_id._telephony_zone()
        yesterday = local_of(self.telephony_done_at, zone).date() - timedelta(days=1)
        return midnight(yesterday, zone), self.telephony_done_at + AFTER

    def _customer_keys(self):
        """Return by what the calls with each claim's customer are found: dict claim → pairs of a field of
        the call and its value."""
        keys = {}
        for model, claims in self.grouped('res_model').items():
            field = 'lead_id' if model == 'crm.lead' else 'partner_id'
            records = self.env[model].sudo().browse(claims.mapped('res_id')).exists()
            numbers = {record.id: record._telephony_numbers() for record in records}
            for claim in claims:
                keys[claim] = {(field, claim.res_id)} | {
                    ('customer_number', number) for number in numbers.get(claim.res_id, ())
                }
        return keys


def best_evidence(calls, author):
    """Return the best evidence among the calls with a customer and its call, None if there is none.

    :param calls: the latest first
    :param author: who says that they called
    """
    for evidence, kind in (
        (
            'found',
            lambda call: (
                call.direction == 'outbound' and call.user_id == author and not call.is_manual
            ),
        ),
        ('by_hand', lambda call: call.is_manual and call.user_id == author),
        (
            'inbound',
            lambda call: (
                call.direction == 'inbound'
                and call.user_id == author
                and call.outcome == 'answered'
            ),
        ),
        ('colleague', lambda call: call.direction == 'outbound' and call.user_id != author),
    ):
        if found := calls.filtered(kind)[:1]:
            return evidence, found
    return None


class TelephonyReport(models.AbstractModel):
    """Claims and attempts: what was said to be done, beside what the log knows."""

    _inherit = 'telephony.report'

    @api.model
    @api.readonly
    def get_claims(self, period='days_30'):
        """Return how many finished call activities have a call behind them, by employee, for
        supervisors. A claim without a call is shown after 24 hours, because its author sees it first
        and may log the call.

        :return: list of dicts: `user_id`, `name` and for each evidence {value, domain}
        :raise AccessError: the reader is no supervisor
        """
        self._check_supervisor()
        Activity = self.env['mail.activity'].with_context(active_test=False)
        domain = self._shown_claims(period)
        rows = {}
        for user, evidence, count in Activity._read_group(
            domain, ['telephony_done_by_id', 'telephony_evidence'], ['__count']
        ):
            rows.setdefault(user, {})[evidence] = count
        return [
            {
                'user_id': user.id,
                'name': user.name,
                **{
                    evidence: {
                        'value': counts.get(evidence, 0),
                        'domain': list(
                            domain
                            & Domain('telephony_done_by_id', '=', user.id)
                            & Domain('telephony_evidence', '=', evidence)
                        ),
                    }
                    for evidence, _label in EVIDENCE
                },
            }
            for user, counts in sorted(rows.items(), key=lambda item: item[0].name or '')
        ]

    def _shown_claims(self, period):
        """Return the domain of the claims that a supervisor sees."""
        members = (
            self.env['res.users'].sudo().search([('company_ids', 'in', self.env.companies.ids)])
        )
        return self._claims_domain(period, members) & (
            Domain('telephony_evidence', '!=', 'none')
            | Domain(
                'telephony_done_at',
                '<',
                fields.Datetime.to_string(fields.Datetime.now() - AUTHORS_OWN),
            )
        )

    def _claims_domain(self, period, users):
        begin, end = self._period(period).bounds(self.env.company._telephony_zone())
        return (
            Domain('telephony_done_at', '>=', fields.Datetime.to_string(begin))
            & Domain('telephony_done_at', '<', fields.Datetime.to_string(end))
            & Domain('telephony_done_by_id', 'in', users.ids)
        )

    @api.model
    @api.readonly
    def get_attempts(self, period='days_30', filters=None):
        """Return what was really tried to reach each customer, for supervisors.

        :return: list of dicts: `number`, `lead_id`, `name`, `attempts`, `by_hand`,
            `reached_at_attempt` (None if never), `answers_at` (see :func:`own_hour`),
            `distinct_hours`, `distinct_days`, `last_outcome`, `longest_silence_minutes` and `domain`;
            most attempts first, at most 200
        :raise AccessError: the reader is no supervisor
        """
        self._check_supervisor()
        _span, cuts, base = self._scope(period, filters)
        zones = zones_of(cuts)
        domain = base & OUTBOUND & Domain('customer_number', '!=', False)
        Call = self.env['telephony.call']
        numbers = Call._read_group(
            domain,
            ['customer_number'],
            ['__count'],
            order='__count desc, customer_number',
            limit=200,
        )
        calls = Call.search_fetch(
            domain & Domain('customer_number', 'in', [number for number, _count in numbers]),
            [
                'customer_number',
                'company_id',
                'start_at',
                'outcome',
                'is_short',
                'is_manual',
                'lead_id',
                'partner_id',
            ],
            order='customer_number, start_at, id',
        )
        rows = [
            self._attempts_of(number, list(its), zones, domain)
            for number, its in groupby(calls, key=lambda call: call.customer_number)
        ]
        return sorted(rows, key=lambda row: (-row['attempts'], row['number']))

    def _attempts_of(self, number, calls, zones, domain):
        moments = [
            local_of(call.start_at, zones.get(call.company_id.id, pytz.utc)) for call in calls
        ]
        reached = [
            at
            for at, call in enumerate(calls, 1)
            if call.outcome == 'answered' and not call.is_short
        ]
        silences = [(later - sooner) // timedelta(minutes=1) for sooner, later in pairwise(moments)]
        last = calls[-1]
        return {
            'number': number,
            'lead_id': last.lead_id.id,
            'name': last.lead_id.display_name or last.partner_id.display_name or number,
            'attempts': len(calls),
            'by_hand': sum(call.is_manual for call in calls),
            'reached_at_attempt': next(iter(reached), None),
            'answers_at': own_hour([moments[at - 1].hour for at in reached]),
            'distinct_hours': len({moment.strftime('%Y-%m-%d %H') for moment in moments}),
            'distinct_days': len({moment.date() for moment in moments}),
            'last_outcome': last.outcome,
            'longest_silence_minutes': max(silences, default=0),
            'domain': list(domain & Domain('customer_number', '=', number)),
        }
