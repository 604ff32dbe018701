import re
from datetime import timedelta

from markupsafe import Markup

from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import AccessError
from odoo.fields import Domain
from odoo.tools import SQL

from ...providers.numbers import normalise, to_e164
from ...tools.clocks import clock
from ...tools.records import changes, labels, trigram
from ...tools.settings import setting
from ...tools.words import _lt
from ..core.words_field import WordsField, told
from .recording import GONE

OUTCOMES = [
    ('answered', "Answered"),
    ('no_answer', "No answer"),
    ('busy', "Busy"),
    ('failed', "Failed"),
    ('voicemail', "Voicemail"),
    ('missed', "Missed"),
    ('abandoned', "Abandoned"),
]
LOST_OUTCOMES = ('missed', 'abandoned')
# How many of the calls that are closed together may still be on somebody's screen: the latest ones.
MOST_ON_SCREEN = 100
# The fields that say whose call it is.
CUSTOMER = {'partner_id', 'lead_id'}
# What a person may change on a call; everything else comes from the PBX.
EDITABLE = CUSTOMER | {'note', 'disposition_id'}


class TelephonyCall(models.Model):
    """One call, one row, whatever number of phones rang.

    :meth:`_file` alone writes the facts, which are the fold of the call's events. Contact and deal
    come from the matcher until a person chooses others. What follows from an ended call (chatter,
    callbacks) is done by scheduled action, never in the webhook.

    Later stages take part by the hooks `_before_…`, `_after_…` and `_on_…` at the end of this
    class.
    """

    _name = 'telephony.call'
    _description = "Phone call"
    _inherit = ['telephony.other.side']
    _order = 'start_at desc, id desc'
    _check_company_auto = True

    account_id = fields.Many2one(
        'telephony.account',
        string="PBX",
        readonly=True,
        ondelete='restrict',
        help="Empty if the call was logged by hand.",
    )
    company_id = fields.Many2one(
        'res.company',
        compute='_compute_company_id',
        store=True,
        precompute=True,
        readonly=False,
        required=True,
    )
    external_id = fields.Char(string="PBX Call ID", readonly=True, copy=False)
    direction = fields.Selection(
        [('inbound', "Inbound"), ('outbound', "Outbound"), ('internal', "Internal")],
        required=True,
        readonly=True,
    )
    caller_number = fields.Char(string="Caller", readonly=True)
    called_number = fields.Char(string="Called", readonly=True)
    customer_number = fields.Char(
        string="Customer's Number", readonly=True, help="The outside party, as +77771234567."
    )
    who = fields.Char(string="Number", compute='_compute_who')
    number_search = fields.Char(
        string="Number or Name",
        compute='_compute_who',
        search='_search_number_search',
        help="Any part of a number in any spelling, of the name of a contact or deal, or of the customer's name on a deal.",
    )
    number_id = fields.Many2one(
        'telephony.number',
        string="Company Number",
        readonly=True,
        index='btree_not_null',
        ondelete='set null',
    )
    start_at = fields.Datetime(string="Start", readonly=True)
    start_hour = fields.Integer(
        string="Hour of Day",
        compute='_compute_start_hour',
        search='_search_start_hour',
        aggregator=None,
        help="In the reader's time zone.",
    )
    answered_at = fields.Datetime(string="Answered", readonly=True)
    ended_at = fields.Datetime(string="End", readonly=True)
    wait_seconds = fields.Integer(
        string="Wait (s)",
        readonly=True,
        aggregator='avg',
        help="From the start to the answer, or to the end.",
    )
    talk_seconds = fields.Integer(
        string="Talk (s)",
        readonly=True,
        aggregator='sum',
        help="From the first answer by a person to the end.",
    )
    wait_clock = fields.Char(string="Wait", compute='_compute_clocks')
    talk_clock = fields.Char(string="Talk", compute='_compute_clocks')
    state = fields.Selection(
        [('ringing', "Ringing"), ('in_progress', "In progress"), ('ended', "Ended")],
        required=True,
        default='ringing',
        readonly=True,
    )
    outcome = fields.Selection(OUTCOMES, readonly=True)
    end_unknown = fields.Boolean(readonly=True, help="The PBX never told how this call ended.")
    doubts = fields.Char(
        readonly=True,
        help="What the PBX left out or told wrong, so that it had to be guessed.",
    )
    doubt_text = fields.Char(compute='_compute_doubt_text')
    end_reason = WordsField(
        string="Cleared",
        readonly=True,
        copy=False,
        help="Who cleared the call, because its PBX never told its end.",
    )
    is_short = fields.Boolean(
        string="Short", readonly=True, help="Answered, but too short to count as a contact."
    )
    is_reached = fields.Boolean(
        string="Reached",
        compute='_compute_is_reached',
        store=True,
        precompute=True,
        help="We really talked to the customer: long enough, or with a result that counts as reached.",
    )
    extension = fields.Char(readonly=True, help="The phone that answered or placed the call.")
    user_id = fields.Many2one(
        'res.users',
        string="Employee",
        readonly=True,
        ondelete='set null',
        help="Who took the call first, or placed it.",
    )
    is_mine = fields.Boolean(
        store=False,
        search='_search_is_mine',
        help="The reader took or placed the call, or their phone rang.",
    )
    queue = fields.Char(readonly=True)
    attempt = fields.Integer(
        readonly=True,
        aggregator=None,
        help="Which attempt in a row this is to reach the customer's number.",
    )
    leg_ids = fields.One2many('telephony.call.leg', 'call_id', string="Phones", readonly=True)
    recording_ids = fields.One2many(
        'telephony.recording', 'call_id', string="Recordings", readonly=True
    )
    has_recording = fields.Boolean(compute='_compute_has_recording', search='_search_has_recording')
    event_ids = fields.One2many(
        'telephony.event',
        'call_id',
        string="PBX Events",
        readonly=True,
        groups='crm_telephony.group_admin',
    )

    partner_id = fields.Many2one(
        'res.partner', string="Contact", check_company=True, ondelete='set null'
    )
    lead_id = fields.Many2one('crm.lead', string="Deal", check_company=True, ondelete='set null')
    match_state = fields.Selection(
        [
            ('none', "Nobody"),
            ('auto', "Found"),
            ('ambiguous', "To be chosen"),
            ('manual', "Set by hand"),
        ],
        string="Match",
        required=True,
        default='none',
        readonly=True,
    )
    match_reason = WordsField(string="Why", readonly=True)
    match_points = fields.Char(
        string="Points",
        compute='_compute_match_points',
        groups='crm_telephony.group_admin',
        help="How much each reason counted when the deal was chosen.",
    )
    is_excluded = fields.Boolean(
        string="No Customer",
        readonly=True,
        help="The number is a colleague's or was ignored, so nobody is called back.",
    )
    disposition_id = fields.Many2one(
        'telephony.disposition',
        string="Result",
        index='btree_not_null',
        ondelete='restrict',
        help="What came of the call, as the employee chose.",
    )
    acw_seconds = fields.Integer(
        string="After-call Work (s)",
        readonly=True,
        aggregator='avg',
        help="From the end of the call until its result was saved, at most half an hour. "
        "Measured only if a result is saved.",
    )
    note = fields.Text()
    result_line = fields.Char(
        string="Result and Note",
        compute='_compute_result_line',
        help="Result and note in one line, for lists.",
    )

    is_called_back = fields.Boolean(
        readonly=True,
        copy=False,
        help="A lost call whose customer was reached afterwards, by anybody on any line.",
    )
    # a column of its own, because PostgreSQL cannot estimate two conditions that depend on each
    # other
    is_not_called_back = fields.Boolean(
        readonly=True,
        copy=False,
        help="A lost call whose customer nobody has reached since. Calls from hidden numbers do not count.",
    )
    follow_up = fields.Selection(
        [('todo', "To do"), ('done', "Done"), ('error', "Error")],
        readonly=True,
        help="Whether chatter and callbacks are up to date with the call.",
    )
    follow_up_error = WordsField(string="Follow-up Failed", readonly=True)
    follow_up_attempts = fields.Integer(readonly=True)
    follow_up_next_at = fields.Datetime(readonly=True)
    message_id = fields.Many2one(
        'mail.message', readonly=True, index='btree_not_null', ondelete='set null'
    )
    is_sealed = fields.Boolean(
        readonly=True,
        help="The events of this call were deleted after their retention: the call is final.",
    )

    _external_uniq = models.UniqueIndex('(account_id, external_id)', "This call is already logged.")
    _start_idx = models.Index('(start_at DESC, id DESC)')
    _user_idx = models.Index('(user_id, start_at DESC) WHERE user_id IS NOT NULL')
    _partner_idx = models.Index('(partner_id, start_at DESC) WHERE partner_id IS NOT NULL')
    _lead_idx = models.Index('(lead_id, start_at DESC) WHERE lead_id IS NOT NULL')
    _customer_idx = models.Index(
        '(customer_number, start_at DESC) WHERE customer_number IS NOT NULL'
    )
    # Without fastupdate: each look-up would read PostgreSQL's list of pending entries as a whole, and
    # while the table is small the planner takes this index for look-ups of whole numbers too.
    _customer_trgm_idx = models.Index(
        trigram('USING gin (customer_number gin_trgm_ops) WITH (fastupdate = off)')
    )
    _inside_trgm_idx = models.Index(
        trigram(
            "USING gin (caller_number gin_trgm_ops, called_number gin_trgm_ops) WITH (fastupdate = off) "
            "WHERE customer_number = '' OR customer_number IS NULL"
        )
    )
    _follow_up_idx = models.Index("(id) WHERE follow_up = 'todo'")
    _follow_up_next_idx = models.Index("(follow_up_next_at) WHERE follow_up_next_at IS NOT NULL")
    _live_idx = models.Index("(start_at) WHERE state != 'ended'")
    _lost_idx = models.Index("(company_id, start_at DESC) WHERE outcome IN ('missed', 'abandoned')")
    # With the company, because every reader's rules ask for it: then the index alone is read. The
    # condition is spelled as Odoo's queries spell it: else PostgreSQL does not use the index.
    _not_called_back_idx = models.Index(
        "(start_at DESC, id DESC, company_id) WHERE is_not_called_back IS TRUE"
    )

    # === COMPUTES AND SEARCHES === #

    @api.depends('account_id.company_id')
    def _compute_company_id(self):
        for call in self:
            call.company_id = call.account_id.company_id or call.company_id

    @api.depends('direction', 'called_number', 'customer_name', 'who')
    @api.depends_context('lang', 'uid')
    def _compute_display_name(self):
        for call in self:
            who = call.customer_name or call.who
            call.display_name = (
                self.env._("Call from %(who)s", who=who)
                if call.direction == 'inbound'
                else (
                    self.env._(
                        "Call to %(who)s",
                        who=who if call.direction == 'outbound' else call.called_number,
                    )
                )
            )

    @api.depends('outcome', 'is_short', 'end_unknown', 'answered_at', 'disposition_id')
    def _compute_is_reached(self):
        """Decide whether the customer was reached; nothing else decides it. Stored, so that a changed
        threshold or result does not rewrite past calls. If the PBX never told the end, the
        employee's result counts."""
        for call in self:
            talked = call.outcome == 'answered' or call.end_unknown and call.answered_at
            call.is_reached = bool(talked) and (
                call.disposition_id.counts_as_reached or bool(call.outcome) and not call.is_short
            )

    @api.depends('direction', 'customer_phone', 'caller_number', 'called_number')
    def _compute_who(self):
        for call in self:
            if call.direction == 'internal':
                call.who = f'{call.caller_number or ""} → {call.called_number or ""}'
            else:
                outside = call.caller_number if call.direction == 'inbound' else call.called_number
                call.who = call.customer_phone or outside or self.env._("hidden number")
            call.number_search = call.who

    @api.model
    def _search_number_search(self, operator, value):
        """Search a number by its digits, whatever its spelling (blanks, brackets, 8 for +7, 00 for
        +), and anything else as a name."""
        if operator not in ('in', 'ilike'):
            return NotImplemented
        return Domain.OR(
            self._number_domain(text)
            if re.fullmatch(r'[\d\s()+.*\-/]+', text)
            else Domain('partner_id', 'ilike', text)
            | Domain(
                'lead_id',
                'any',
                Domain.OR(
                    Domain(name, 'ilike', text)
                    for name in ('display_name', 'contact_name', 'partner_name')
                ),
            )
            for text in ([value] if isinstance(value, str) else value)
            if text
        )

    @api.model
    def _number_domain(self, text):
        digits = re.sub(r'\D', '', text)
        if not digits:
            return Domain.FALSE
        patterns = [f'%{digits}%']
        if digits.startswith('8'):
            patterns.append(f'+7{digits[1:]}%')
        elif digits.startswith('0'):  # 00 for +, or the 0 before an area code
            patterns.append(f'%{digits.lstrip("0")}%')
        outside = Domain.OR(Domain('customer_number', '=ilike', pattern) for pattern in patterns)
        inside = Domain.OR(
            Domain(name, '=ilike', pattern)
            for name in ('caller_number', 'called_number')
            for pattern in patterns
        )
        return outside | Domain('customer_number', '=', False) & inside

    @api.depends('match_reason')
    @api.depends_context('lang')
    def _compute_match_points(self):
        """Show the points that are stored beside the explanation, for administrators."""
        for call in self:
            facts, _ = getattr(call.match_reason, 'values', {}), self.env._
            parts = [
                f'{told(self.env, reason)} {points:+}'
                for reason, points in zip(
                    facts.get('reasons', ()), facts.get('points', ()), strict=False
                )
            ]
            if 'next' in facts:
                parts.append(
                    _(
                        "in all %(score)s, the next deal %(next)s",
                        score=facts['score'],
                        next=facts['next'],
                    )
                )
            call.match_points = ', '.join(parts) or False

    @api.depends('disposition_id', 'note')
    @api.depends_context('lang')
    def _compute_result_line(self):
        for call in self:
            call.result_line = (
                ": ".join(
                    filter(None, (call.disposition_id.name, ' '.join((call.note or '').split())))
                )
                or False
            )

    @api.depends('start_at')
    def _compute_start_hour(self):
        for call in self:
            call.start_hour = (
                fields.Datetime.context_timestamp(self, call.start_at).hour if call.start_at else 0
            )

    def _search_start_hour(self, operator, value):
        return Domain('start_at.hour_number', operator, value)

    def _read_group_groupby(self, alias, groupby_spec, query):
        if groupby_spec == 'start_hour':
            groupby_spec = 'start_at:hour_number'
        return super()._read_group_groupby(alias, groupby_spec, query)

    def _search_is_mine(self, operator, value):
        """Search without the record rules of legs, because they would be asked for every call and
        hide nothing here."""
        if operator != 'in':
            return NotImplemented
        mine = Domain('user_id', '=', self.env.uid) | Domain(
            'leg_ids', 'any!', [('user_id', '=', self.env.uid)]
        )
        return mine if True in value else ~mine

    @api.depends('wait_seconds', 'talk_seconds')
    def _compute_clocks(self):
        for call in self:
            call.wait_clock = clock(call.wait_seconds)
            call.talk_clock = clock(call.talk_seconds) if call.talk_seconds else False

    @api.depends('doubts')
    @api.depends_context('lang')
    def _compute_doubt_text(self):
        _ = self.env._
        sentences = {
            'time': _(
                "The PBX sent no believable time, so the times are those at which Odoo heard of the call."
            ),
            'duration': _(
                "The PBX sent a duration that no call has, so wait and talk are taken from the times."
            ),
            'direction': _(
                "The PBX did not tell the direction, so it is taken from who called whom."
            ),
        }
        for call in self:
            doubts = filter(None, (call.doubts or '').split(','))
            call.doubt_text = ' '.join(sentences[doubt] for doubt in doubts) or False

    @api.depends('recording_ids')
    def _compute_has_recording(self):
        with_recording = {
            call.id
            for (call,) in self.env['telephony.recording']._read_group(
                [('call_id', 'in', self.ids)], ['call_id']
            )
        }
        for call in self:
            call.has_recording = call.id in with_recording

    def _search_has_recording(self, operator, value):
        if operator != 'in':
            return NotImplemented
        return (
            Domain('recording_ids', '!=', False)
            if True in value
            else Domain('recording_ids', '=', False)
        )

    @api.model
    def _served_condition(self):
        """Return the SQL condition that the call `reached` came after the call `lost` and reached its
        customer."""
        return SQL(
            """reached.customer_number = lost.customer_number
               AND reached.company_id = lost.company_id
               AND reached.is_reached
               AND COALESCE(reached.ended_at, reached.start_at) >= COALESCE(lost.ended_at, lost.start_at)"""
        )

    # === CRUD === #

    def write(self, vals):
        if not self.env.su:
            self._before_written_by_user(vals)
            if CUSTOMER & set(vals):
                return self._on_customer_chosen(vals)
        results = {call: call.disposition_id for call in self} if 'disposition_id' in vals else {}
        written = super().write(vals)
        # chatter and callback depend on the result too
        if results and (
            changed := self.sudo().filtered(
                lambda call: call.state == 'ended' and call.disposition_id != results[call]
            )
        ):
            changed.follow_up = 'todo'
            self.env.ref('crm_telephony.ir_cron_follow_up').sudo()._trigger()
        return written

    def unlink(self):
        """Delete the calls. A customer who was reached in one of them only counts as not called back
        again."""
        companies, numbers = self.company_id, set(self.mapped('customer_number'))
        result = super().unlink()
        self.sudo()._recount_numbers(companies, numbers)
        return result

    @api.model
    def get_empty_list_help(self, help_message):
        """Say in the empty log of a database without a PBX how to connect one, or whom to ask."""
        message = super().get_empty_list_help(help_message)
        if self.env['telephony.account'].sudo().search_count([], limit=1):
            return message
        if self.env.user.has_group('crm_telephony.group_admin'):
            return (message or Markup()) + Markup(
                '<p><a class="btn btn-primary" href="/odoo/telephony-pbx/new">%s</a></p>'
            ) % (self.env._("Connect a PBX"))
        return (message or Markup()) + Markup('<p>%s</p>') % self.env._(
            "No PBX is connected yet. Ask your telephony administrator to connect it."
        )

    # === WHILE IT GOES ON === #

    def _may_be_answered(self):
        """Return whether somebody may be talking already in this outgoing or internal call, because
        its PBX tells of the answer only at the end."""
        self.ensure_one()
        return bool(
            self.state == 'ringing'
            and self.direction != 'inbound'
            and self.account_id
            and not self.account_id._adapter().tells_outgoing_answer
        )

    # === ACTIONS === #

    def action_clear(self):
        """Close calls whose end the PBX has lost, as would happen by itself after some hours. A true
        end that is told later still wins.

        :raise AccessError: the user is no supervisor
        :raise UserError: calls of the PBX are being filed right now
        """
        if not self.env.user.has_group('crm_telephony.group_supervisor'):
            raise AccessError(self.env._("Only supervisors can clear a call."))
        self.check_access('read')
        self.env['telephony.event'].sudo()._clear(
            self.sudo(),
            _lt(
                "Cleared by %(user)s at %(time)s: nobody was on the line",
                user=self.env.user.name,
                time=fields.Datetime.now(),
            ),
        )
        return True

    # === FILING: FACTS FROM THE PBX === #

    @api.model
    def _file(self, account, records):
        """Write the folded calls to the log.

        :param account: telephony.account
        :param dict records: external id → CallRecord, None where the events are no call
        :return: dict external id → call
        """
        existing = self._filed_before(account, records)
        records = {
            ref: record
            for ref, record in records.items()
            if record and not (ref in existing and existing[ref].is_sealed)
        }
        if not records:
            return existing
        memory = self.browse([call.id for call in existing.values()])._before_changed()
        numbers_before = {call: call.customer_number for call in existing.values()}
        numbers, users = account._directory()[:2]
        facts = {
            ref: self._facts(account, record, numbers, users) for ref, record in records.items()
        }
        self._before_filed(account, records, facts, existing)
        self._add_service(account, records, facts, existing)

        calls, changed = self._write_facts(account, facts, existing)
        filed = self.browse([calls[ref].id for ref in records])
        changed |= filed._write_legs(
            {calls[ref].id: record.legs for ref, record in records.items()}, users
        )
        filed._write_recordings(
            {calls[ref].id: record.recordings for ref, record in records.items()}
        )
        filed._recount_filed(account.company_id, numbers_before)
        if any(call.follow_up == 'todo' for call in filed):
            self.env.ref('crm_telephony.ir_cron_follow_up')._trigger()
        filed._after_filed(filed.filtered(lambda call: call.id in changed), memory)
        return calls

    @api.model
    def _filed_before(self, account, records):
        """Return the calls of these records that are in the log: dict external id → call. Those
        whose events turned out to be no call are taken back and left out."""
        found = {
            call.external_id: call
            for call in self.search(
                [('account_id', '=', account.id), ('external_id', 'in', list(records))]
            )
        }
        void = self.browse([call.id for ref, call in found.items() if not records[ref]])
        void.filtered(lambda call: not call.is_sealed)._take_back()
        return {ref: call for ref, call in found.items() if records[ref]}

    @api.model
    def _write_facts(self, account, facts, existing):
        """Create the new calls, and write what has changed of the others.

        :param dict facts: external id → field values
        :param dict existing: external id → call, of those that are in the log already
        :return: dict external id → call, and the ids of calls that are new or have changed
        """
        new = [ref for ref in facts if ref not in existing]
        key = {'account_id': account.id, 'company_id': account.company_id.id}
        created = self.create([{**key, 'external_id': ref, **facts[ref]} for ref in new])
        calls = {**existing, **dict(zip(new, created, strict=True))}
        changed = set(created.ids)
        changed.update(
            calls[ref].id for ref in set(facts) - set(new) if calls[ref]._write_changes(facts[ref])
        )
        return calls, changed

    def _recount_filed(self, company, numbers_before):
        """Recount attempts and lost calls of the customers of these calls, and of those whose calls
        they were before.

        :param dict numbers_before: call → customer's number before it was filed
        """
        self.filtered(
            lambda call: call.direction == 'outbound' or call.state == 'ended'
        )._recount_customers()
        if left := {
            number for call, number in numbers_before.items() if number != call.customer_number
        }:
            self._recount_numbers(company, left)

    def _take_back(self):
        """Delete these calls, which turned out to be none, with all that followed from them."""
        memory = self._before_taken_back()
        self.message_id.sudo().unlink()
        self.unlink()
        self._after_taken_back(memory)

    @api.model
    def _facts(self, account, record, numbers, users):
        """Return the field values of a record. The customer is the outside party, unless it is one of
        our own numbers.

        :param numbers: number → id of telephony.number, of the company
        :param users: extension → id of its user, 0 for none
        """
        settings, is_dialled = account._settings(), record.direction == 'outbound'
        reading = {'country': settings.country, 'codes': settings.outside_codes}
        caller = normalise(record.caller, **reading)
        called = normalise(record.called, **reading, is_dialled=is_dialled)
        outside = {'inbound': record.caller, 'outbound': record.called}.get(record.direction)
        ours = {'inbound': called, 'outbound': caller}.get(record.direction)
        customer = to_e164(outside, **reading, is_dialled=is_dialled)
        threshold = account.company_id.telephony_short_seconds
        return {
            'direction': record.direction,
            'caller_number': caller or False,
            'called_number': called or False,
            'customer_number': customer if customer and customer not in numbers else False,
            'number_id': numbers.get(ours, False),
            'start_at': _naive(record.start_at),
            'answered_at': _naive(record.answered_at),
            'ended_at': _naive(record.ended_at),
            'wait_seconds': record.wait_seconds,
            'menu_seconds': record.menu_seconds,
            'talk_seconds': record.talk_seconds,
            'state': record.state,
            'outcome': record.outcome or False,
            'end_unknown': record.end_unknown,
            'doubts': ','.join(record.doubts) or False,
            'is_short': record.outcome == 'answered'
            and record.talk_known
            and record.talk_seconds < threshold,
            'extension': record.extension or False,
            'user_id': users.get(record.extension) or False,
            'queue': record.queue or False,
            'is_imported': account._is_before_us(_naive(record.start_at)),
        }

    def _close_without_end(self):
        """Write for all these calls at once what :func:`fold.fold` says of a call whose end never
        came."""
        on_screen = self.sorted('start_at', reverse=True)[:MOST_ON_SCREEN]
        memory = on_screen._before_changed()
        self.write({'state': 'ended', 'end_unknown': True, 'follow_up': 'todo'})
        self.env.ref('crm_telephony.ir_cron_follow_up')._trigger()
        on_screen._after_filed(on_screen, memory)

    def _write_changes(self, values):
        """Write the values that differ, and ask for the follow-up of an ended call.

        :return: whether a value differed
        """
        self.ensure_one()
        if changed := changes(self, values):
            self.write(self._with_follow_up(changed, values))
        return bool(changed)

    @api.model_create_multi
    def create(self, vals_list):
        return super().create([self._with_follow_up(vals, vals) for vals in vals_list])

    def _check_company(self, fnames=None):
        """Skip the check when the system files calls, because it looks contacts and deals up in the
        call's own company."""
        if self.env.uid != SUPERUSER_ID:
            super()._check_company(fnames)

    @api.model
    def _with_follow_up(self, changed, values):
        """Return the changed values, with a follow-up if an ended call has changed in what rules
        ask. Nothing follows from one of the past that was brought in."""
        if values.get('state') == 'ended' and {
            'state',
            'outcome',
            'is_short',
            'start_at',
            'ended_at',
            'customer_number',
            'lead_id',
        } & set(changed):
            return {**changed, 'follow_up': 'done' if values.get('is_imported') else 'todo'}
        return changed

    def _write_legs(self, legs_by_call, users):
        """Create, write and delete legs, so that they are those of the records.

        :param dict legs_by_call: call id → LegRecords
        :return: ids of the calls of which a leg has changed
        """
        changed_ids = set()
        known = {(leg.call_id.id, leg.extension): leg for leg in self.leg_ids}
        create = []
        for call_id, legs in legs_by_call.items():
            for leg in legs:
                values = {
                    'user_id': users.get(leg.extension) or False,
                    'start_at': _naive(leg.start_at),
                    'answered_at': _naive(leg.answered_at),
                    'ended_at': _naive(leg.ended_at),
                    'talk_seconds': leg.talk_seconds,
                    'outcome': leg.outcome or False,
                }
                if row := known.pop((call_id, leg.extension), None):
                    if changed := changes(row, values):
                        row.write(changed)
                        changed_ids.add(call_id)
                else:
                    create.append({'call_id': call_id, 'extension': leg.extension, **values})
        changed_ids.update(call_id for call_id, _extension in known)
        changed_ids.update(values['call_id'] for values in create)
        self.env['telephony.call.leg'].browse([leg.id for leg in known.values()]).unlink()
        self.env['telephony.call.leg'].create(create)
        return changed_ids

    def _write_recordings(self, recordings_by_call):
        """Create recordings and complete known ones. None is deleted, because one that was announced
        once may have been stored; one that is gone stays gone, because its fingerprints are known.

        :param dict recordings_by_call: call id → recordings of the CallRecord
        """
        Recording = self.env['telephony.recording']
        known = {
            (recording.call_id.id, key): recording
            for recording in self.recording_ids
            for key in (recording.ref_hash, recording.url_hash)
            if key
        }
        create = []
        for call_id, recordings in recordings_by_call.items():
            account = self.browse(call_id).account_id
            for recording in recordings:
                source = {'ref': recording.ref or False, 'url': recording.url or False}
                hashes = Recording._hashes(source)
                row = known.get((call_id, hashes.get('ref_hash'))) or known.get(
                    (call_id, hashes.get('url_hash'))
                )
                if row and row.state in GONE:
                    if news := changes(row, hashes):
                        row.write(news)
                    continue
                if not row and not Recording._is_believed(account, recording.url):
                    continue
                values = {
                    **source,
                    **hashes,
                    'duration': recording.seconds,
                    **Recording._state_of_address(account, recording.url),
                }
                if not row:
                    create.append({'call_id': call_id, **values})
                elif recording.url and not row.url:
                    row.write({'next_try_at': False, **values})
                    row._after_located()
                elif recording.ref and not row.ref:
                    row.write({'ref': recording.ref, **hashes})
        self.env['telephony.recording'].create(create)

    def _recount_customers(self):
        """Run :meth:`_recount_numbers` for the customers of these calls."""
        self._recount_numbers(self.company_id, {call.customer_number for call in self})

    @api.model
    def _recount_numbers(self, companies, numbers):
        """Write anew which attempt each call of these customers is, which lost calls were called back,
        and which call was the first, because a late event may have changed their order.

        An attempt is an outbound call; the count starts again after the customer was reached,
        whoever called whom.

        :param numbers: customers' numbers; empty ones are left out
        """
        numbers = tuple(filter(None, numbers))
        if not numbers:
            return
        self.flush_model()
        rows = self.env.execute_query(
            self._recount_sql(
                SQL("customer_number IN %s AND company_id IN %s", numbers, companies._ids)
            )
        )
        if rows:
            self.browse([row[0] for row in rows]).invalidate_recordset(
                ['attempt', 'is_called_back', 'is_not_called_back', 'is_first_call'], flush=False
            )

    @api.model
    def _recount_sql(self, which):
        """Return the statement of :meth:`_recount_numbers` for all calls that meet the condition
        `which`. It gives the ids of the calls that it changes."""
        return SQL(
            """ WITH calls AS (
                    SELECT id, company_id, customer_number, direction, start_at, outcome,
                           COALESCE(ended_at, start_at) AS moment,
                           is_reached IS TRUE AS is_reached,
                           service_class IN ('offered', 'blocked') AS is_caller
                      FROM telephony_call
                     WHERE %(which)s
                ), ordered AS (
                    SELECT *, is_caller AND COUNT(*) FILTER (WHERE is_caller) OVER (
                                  PARTITION BY company_id, customer_number ORDER BY start_at, id
                                  ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) = 1 AS is_first_call,
                              COUNT(*) FILTER (WHERE is_reached) OVER (
                                  PARTITION BY company_id, customer_number ORDER BY start_at, id
                                  ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached_before,
                              BOOL_OR(is_reached) OVER (
                                  PARTITION BY company_id, customer_number ORDER BY moment
                                  RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS reached_after
                      FROM calls
                ), counted AS (
                    SELECT id, CASE WHEN direction = 'outbound' THEN
                               COUNT(*) FILTER (WHERE direction = 'outbound') OVER (
                                   PARTITION BY company_id, customer_number, reached_before ORDER BY start_at, id)
                           ELSE 0 END AS attempt,
                           COALESCE(outcome IN %(lost)s AND reached_after, FALSE) AS is_called_back,
                           COALESCE(outcome IN %(lost)s AND reached_after IS NOT TRUE, FALSE) AS is_not_called_back,
                           COALESCE(is_first_call, FALSE) AS is_first_call
                      FROM ordered
                )
                UPDATE telephony_call AS call
                   SET attempt = counted.attempt, is_called_back = counted.is_called_back,
                       is_not_called_back = counted.is_not_called_back, is_first_call = counted.is_first_call
                  FROM counted
                 WHERE counted.id = call.id
                   AND (COALESCE(call.attempt, 0), call.is_called_back IS TRUE, call.is_not_called_back IS TRUE,
                        call.is_first_call IS TRUE)
                       IS DISTINCT FROM (counted.attempt, counted.is_called_back, counted.is_not_called_back,
                                         counted.is_first_call)
             RETURNING call.id """,
            which=which,
            lost=LOST_OUTCOMES,
        )

    # === TOOLS === #

    @api.model
    def _live_domain(self):
        """Return the domain of running calls."""
        return Domain('state', '!=', 'ended') & Domain('start_at', '>', self._live_since())

    @api.model
    def _live_since(self):
        """Return the oldest start (naive UTC) of a call that still counts as running; an older one has
        lost its end."""
        return fields.Datetime.now() - timedelta(hours=setting(self.env, 'lost_call_hours'))

    def _moment(self):
        """Return when the call was over, as far as the PBX tells (naive UTC)."""
        return self.ended_at or self.start_at

    def _is_past(self):
        """Return whether the call ended too long ago for rules to act, because it was imported,
        replayed or fetched late. It gets its line in the chatter only."""
        hours = self.company_id.telephony_effect_hours
        return (
            self.is_imported
            or bool(hours)
            and self._moment() < fields.Datetime.now() - timedelta(hours=hours)
        )

    # === HOOKS OF LATER STAGES === #
    # Each runs in the transaction of what it belongs to, and an error undoes that. While calls are
    # filed, it fails the events of the call, which are then tried again.

    @api.model
    def _before_filed(self, account, records, facts, existing):
        """Complete the facts of calls that are about to be written.

        :param account: telephony.account
        :param dict records: external id → CallRecord
        :param dict facts: external id → field values, changed in place
        :param dict existing: external id → call, of those that are in the log already
        """

    def _before_changed(self):
        """Return what later stages need to compare with after the change, as a dict with a key for
        each stage."""
        return {}

    def _after_filed(self, changed, memory):
        """Runs when these calls have been filed.

        :param changed: those of the calls that are new or have changed
        :param dict memory: what :meth:`_before_changed` gave
        """

    def _before_taken_back(self):
        """Runs before these calls, which turned out to be none, are deleted.

        :return: dict, what :meth:`_after_taken_back` needs
        """
        return {}

    @api.model
    def _after_taken_back(self, memory):
        """Runs when the calls are deleted.

        :param dict memory: what :meth:`_before_taken_back` gave
        """

    def _before_written_by_user(self, vals):
        """Check what a user is about to write on these calls.

        :raise AccessError: the user may not write it
        """
        if forbidden := set(vals) - EDITABLE:
            raise AccessError(
                self.env._(
                    "%(fields)s: this comes from the PBX and cannot be edited.",
                    fields=labels(self, forbidden),
                )
            )

    def _on_customer_chosen(self, vals):
        """Write the contact or deal that the user has chosen for these calls; done by the stage that
        matches calls.

        :return: as `write` does
        """
        return self.sudo().write(vals)


def _naive(moment):
    """Return an aware UTC datetime as the ORM stores it: naive, whole seconds; False for None."""
    return moment.replace(tzinfo=None, microsecond=0) if moment else False
