import re
from datetime import timedelta

from psycopg2.errors import DeadlockDetected, LockNotAvailable, SerializationFailure

from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import AccessError
from odoo.fields import Domain
from odoo.tools import SQL

from ..providers.numbers import normalise, to_e164
from .telephony_matcher import Caller
from .words_field import WordsField

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
# A call that goes on longer has lost its end on the way: nobody talks that long.
LIVE = timedelta(hours=4)
# Pauses before what failed by our own fault is tried again; after the last one only a person can.
RETRY_MINUTES = (1, 5, 30, 120, 360, 1440)
# Somebody else wrote at the same time: nothing is wrong, try again.
CONCURRENCY_ERRORS = (SerializationFailure, DeadlockDetected, LockNotAvailable)
# What a person may change on a call; everything else is the PBX's word.
EDITABLE = {'partner_id', 'lead_id', 'note', 'disposition_id'}


def next_try(attempts):
    """When what has failed so often is tried again, False when never."""
    return attempts <= len(RETRY_MINUTES) and fields.Datetime.now() + timedelta(minutes=RETRY_MINUTES[attempts - 1])


def clock(seconds):
    """65 → '1:05', 3700 → '1:01:40'."""
    minutes, seconds = divmod(int(seconds or 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02}:{seconds:02}' if hours else f'{minutes}:{seconds:02}'


def label_of(record, name):
    """What a selection field of the record shows, in the language of its environment; '' for nothing."""
    return dict(record._fields[name]._description_selection(record.env)).get(record[name], '')


def labels(model, names):
    """What these fields of a model are called, in the language of its environment."""
    return ", ".join(sorted(
        model._fields[name]._description_string(model.env) if name in model._fields else name for name in names))


def trigram(definition):
    """An index that is made where the database has pg_trgm; without it the search is only slower."""
    return lambda registry: definition if registry.has_trigram else ''


def changes(record, values):
    """Those of the values (ids for many2one) that the record does not have yet."""
    return {name: value for name, value in values.items() if _differs(record, name, value)}


def _differs(record, name, value):
    field = record._fields[name]
    if isinstance(field, WordsField):
        return field.differs(record, value)
    return (record[name].id if field.type == 'many2one' else record[name]) != value


class TelephonyCall(models.Model):
    """One call, one row, whatever number of phones rang.

    The facts are the fold of the call's events and are written by :meth:`_file` alone. Whom it belongs to comes from
    the matcher until a person decides otherwise. What follows from an ended call (chatter, callbacks) is done by
    scheduled action, never in the webhook.
    """
    _name = 'telephony.call'
    _description = "Phone call"
    _order = 'start_at desc, id desc'
    _check_company_auto = True

    account_id = fields.Many2one(
        'telephony.account', string="PBX", readonly=True, ondelete='restrict', help="None where the call was logged by hand.")
    company_id = fields.Many2one(
        'res.company', compute='_compute_company_id', store=True, precompute=True, readonly=False, required=True)
    external_id = fields.Char(string="PBX Call ID", readonly=True, copy=False)
    direction = fields.Selection(
        [('inbound', "Inbound"), ('outbound', "Outbound"), ('internal', "Internal")], required=True, readonly=True)
    caller_number = fields.Char(string="Caller", readonly=True)
    called_number = fields.Char(string="Called", readonly=True)
    customer_number = fields.Char(string="Customer's Number", readonly=True, help="The outside party, as +77771234567.")
    who = fields.Char(string="Number", compute='_compute_who')
    number_search = fields.Char(
        string="Number or Name", compute='_compute_who', search='_search_number_search',
        help="Any part of a number in any spelling, or of a contact's or deal's name.")
    number_id = fields.Many2one(
        'telephony.number', string="Company Number", readonly=True, index='btree_not_null', ondelete='set null')
    start_at = fields.Datetime(string="Start", readonly=True)
    start_hour = fields.Integer(
        string="Hour of Day", compute='_compute_start_hour', search='_search_start_hour', aggregator=None,
        help="In the time zone of whoever looks.")
    answered_at = fields.Datetime(string="Answered", readonly=True)
    ended_at = fields.Datetime(string="End", readonly=True)
    wait_seconds = fields.Integer(
        string="Wait (s)", readonly=True, aggregator='avg', help="From the start to the answer, or to the end.")
    talk_seconds = fields.Integer(
        string="Talk (s)", readonly=True, aggregator='sum', help="From the first answer by a person to the end.")
    wait_clock = fields.Char(string="Wait", compute='_compute_clocks')
    talk_clock = fields.Char(string="Talk", compute='_compute_clocks')
    state = fields.Selection(
        [('ringing', "Ringing"), ('in_progress', "In progress"), ('ended', "Ended")],
        required=True, default='ringing', readonly=True)
    outcome = fields.Selection(OUTCOMES, readonly=True)
    end_unknown = fields.Boolean(readonly=True, help="The PBX never told how this call ended.")
    is_short = fields.Boolean(string="Short", readonly=True, help="Answered, but too short to count as a contact.")
    extension = fields.Char(readonly=True, help="The phone that answered or placed the call.")
    user_id = fields.Many2one(
        'res.users', string="Employee", readonly=True, index='btree_not_null', ondelete='set null',
        help="Who took the call first, or placed it.")
    queue = fields.Char(readonly=True)
    attempt = fields.Integer(
        readonly=True, aggregator=None,
        help="Which attempt this is to reach the customer's number without success in between.")
    leg_ids = fields.One2many('telephony.call.leg', 'call_id', string="Phones", readonly=True)
    recording_ids = fields.One2many('telephony.recording', 'call_id', string="Recordings", readonly=True)
    has_recording = fields.Boolean(compute='_compute_has_recording', search='_search_has_recording')
    event_ids = fields.One2many(
        'telephony.event', 'call_id', string="PBX Events", readonly=True, groups='crm_telephony.group_admin')

    partner_id = fields.Many2one(
        'res.partner', string="Contact", index='btree_not_null', check_company=True, ondelete='set null')
    lead_id = fields.Many2one(
        'crm.lead', string="Deal", index='btree_not_null', check_company=True, ondelete='set null')
    match_state = fields.Selection(
        [('none', "Nobody"), ('auto', "Found"), ('ambiguous', "To be chosen"), ('manual', "Set by hand")],
        string="Match", required=True, default='none', readonly=True)
    match_reason = WordsField(string="Why", readonly=True)
    is_excluded = fields.Boolean(
        string="No Customer", readonly=True, help="A colleague's or an ignored number: nobody to call back.")
    note = fields.Text()

    callback_id = fields.Many2one(
        'telephony.callback', string="Callback", readonly=True, index='btree_not_null', ondelete='set null',
        help="The callback that this call opened.")
    callback_state = fields.Selection(related='callback_id.state', string="Callback State")
    is_called_back = fields.Boolean(
        compute='_compute_is_called_back', search='_search_is_called_back',
        help="A lost call whose customer was reached afterwards, by anyone on any line.")
    follow_up = fields.Selection(
        [('todo', "To do"), ('done', "Done"), ('error', "Error")], readonly=True,
        help="Whether chatter and callbacks were brought up to date since the call last changed.")
    follow_up_error = WordsField(string="Follow-up Failed", readonly=True)
    follow_up_attempts = fields.Integer(readonly=True)
    follow_up_next_at = fields.Datetime(readonly=True)
    message_id = fields.Many2one('mail.message', readonly=True, index='btree_not_null', ondelete='set null')
    is_sealed = fields.Boolean(readonly=True, help="The events of this call are past their retention: it is final.")

    _external_uniq = models.UniqueIndex('(account_id, external_id)', "This call is already logged.")
    _start_idx = models.Index('(start_at DESC, id DESC)')
    _partner_idx = models.Index('(partner_id, start_at DESC) WHERE partner_id IS NOT NULL')
    _lead_idx = models.Index('(lead_id, start_at DESC) WHERE lead_id IS NOT NULL')
    _customer_idx = models.Index('(customer_number, start_at DESC) WHERE customer_number IS NOT NULL')
    # Without PostgreSQL's list of entries still to be sorted in: it is read as a whole by each look-up of a number, for which
    # the planner takes this index too as long as the table is young.
    _customer_trgm_idx = models.Index(trigram('USING gin (customer_number gin_trgm_ops) WITH (fastupdate = off)'))
    _inside_trgm_idx = models.Index(trigram(
        "USING gin (caller_number gin_trgm_ops, called_number gin_trgm_ops) WITH (fastupdate = off) "
        "WHERE customer_number = '' OR customer_number IS NULL"))
    _follow_up_idx = models.Index("(id) WHERE follow_up = 'todo'")
    _follow_up_next_idx = models.Index("(follow_up_next_at) WHERE follow_up_next_at IS NOT NULL")
    _live_idx = models.Index("(start_at) WHERE state != 'ended'")
    _lost_idx = models.Index("(company_id, start_at DESC) WHERE outcome IN ('missed', 'abandoned')")

    # === COMPUTES AND SEARCHES === #

    @api.depends('account_id.company_id')
    def _compute_company_id(self):
        for call in self:
            call.company_id = call.account_id.company_id or call.company_id

    @api.depends('direction', 'customer_number', 'caller_number', 'partner_id', 'start_at')
    def _compute_display_name(self):
        for call in self:
            who = call.partner_id.display_name or call.customer_number or call.caller_number or self.env._("hidden number")
            call.display_name = self.env._("Call from %(who)s", who=who) if call.direction == 'inbound' else (
                self.env._("Call to %(who)s", who=who if call.direction == 'outbound' else call.called_number))

    @api.depends('direction', 'customer_number', 'caller_number', 'called_number')
    def _compute_who(self):
        for call in self:
            if call.direction == 'internal':
                call.who = f'{call.caller_number or ""} → {call.called_number or ""}'
            else:
                outside = call.caller_number if call.direction == 'inbound' else call.called_number
                call.who = call.customer_number or outside or self.env._("hidden number")
            call.number_search = call.who

    @api.model
    def _search_number_search(self, operator, value):
        """Digits find numbers whatever their spelling: blanks, brackets, 8 for +7, 00 for +. Anything else is a name."""
        if operator not in ('in', 'ilike'):
            return NotImplemented
        return Domain.OR(
            self._number_domain(text) if re.fullmatch(r'[\d\s()+.*\-/]+', text) else
            Domain('partner_id', 'ilike', text) | Domain('lead_id', 'ilike', text)
            for text in ([value] if isinstance(value, str) else value) if text)

    @api.model
    def _number_domain(self, text):
        digits = re.sub(r'\D', '', text)
        if not digits:
            return Domain.FALSE
        patterns = [f'%{digits}%']
        if digits.startswith('8'):
            patterns.append(f'+7{digits[1:]}%')
        elif digits.startswith('0'):    # 00 for +, or the 0 before an area code
            patterns.append(f'%{digits.lstrip("0")}%')
        outside = Domain.OR(Domain('customer_number', '=ilike', pattern) for pattern in patterns)
        inside = Domain.OR(
            Domain(name, '=ilike', pattern) for name in ('caller_number', 'called_number') for pattern in patterns)
        return outside | Domain('customer_number', '=', False) & inside

    @api.depends('start_at')
    def _compute_start_hour(self):
        for call in self:
            call.start_hour = fields.Datetime.context_timestamp(self, call.start_at).hour if call.start_at else 0

    def _search_start_hour(self, operator, value):
        return Domain('start_at.hour_number', operator, value)

    def _read_group_groupby(self, alias, groupby_spec, query):
        if groupby_spec == 'start_hour':
            groupby_spec = 'start_at:hour_number'
        return super()._read_group_groupby(alias, groupby_spec, query)

    @api.depends('wait_seconds', 'talk_seconds')
    def _compute_clocks(self):
        for call in self:
            call.wait_clock = clock(call.wait_seconds)
            call.talk_clock = clock(call.talk_seconds) if call.talk_seconds else False

    @api.depends('recording_ids')
    def _compute_has_recording(self):
        with_recording = {call.id for call, in self.env['telephony.recording']._read_group(
            [('call_id', 'in', self.ids)], ['call_id'])}
        for call in self:
            call.has_recording = call.id in with_recording

    def _search_has_recording(self, operator, value):
        if operator != 'in':
            return NotImplemented
        return Domain('recording_ids', '!=', False) if True in value else Domain('recording_ids', '=', False)

    @api.depends('outcome', 'ended_at', 'customer_number')
    def _compute_is_called_back(self):
        lost = self.filtered(lambda call: call.outcome in LOST_OUTCOMES and call.customer_number)
        served = set()
        if lost.ids:
            served = {row[0] for row in self.env.execute_query(SQL(
                "SELECT lost.id FROM telephony_call lost WHERE lost.id IN %s AND %s", tuple(lost.ids), self._served_sql()))}
        for call in self:
            call.is_called_back = call.id in served

    def _search_is_called_back(self, operator, value):
        if operator != 'in':
            return NotImplemented
        served = SQL("(SELECT lost.id FROM telephony_call lost WHERE lost.outcome IN %s AND %s)",
                     LOST_OUTCOMES, self._served_sql())
        lost = Domain('outcome', 'in', LOST_OUTCOMES) & Domain('customer_number', '!=', False)
        return Domain('id', 'in', served) if True in value else lost & Domain('id', 'not in', served)

    @api.model
    def _served_sql(self):
        """The customer of the call `lost` was reached after it."""
        return SQL("EXISTS (SELECT 1 FROM telephony_call reached WHERE %s)", self._served_condition())

    @api.model
    def _served_condition(self):
        """In the call `reached` the customer of the call `lost` was really talked to, after it."""
        return SQL(
            """reached.customer_number = lost.customer_number
               AND reached.company_id = lost.company_id
               AND reached.outcome = 'answered' AND reached.is_short IS NOT TRUE
               AND COALESCE(reached.ended_at, reached.start_at) >= COALESCE(lost.ended_at, lost.start_at)""")

    # === CRUD === #

    def write(self, vals):
        if not self.env.su:
            if forbidden := set(vals) - EDITABLE:
                raise AccessError(self.env._(
                    "The PBX tells these facts, nobody changes them: %(fields)s", fields=labels(self, forbidden)))
            if {'partner_id', 'lead_id'} & set(vals):
                return self._attach_by_hand(vals)
        return super().write(vals)

    # === WHILE IT GOES ON === #

    def _may_be_answered(self):
        """Whether this outgoing or internal call may be talked already, for all we know: its PBX tells that at the end."""
        self.ensure_one()
        return bool(self.state == 'ringing' and self.direction != 'inbound' and self.account_id
                    and not self.account_id._adapter().tells_outgoing_answer)

    # === ACTIONS === #

    def action_open_lead(self):
        self.ensure_one()
        return self.lead_id._get_records_action()

    def action_open_partner(self):
        self.ensure_one()
        return self.partner_id._get_records_action()

    def action_open_callback(self):
        self.ensure_one()
        return self.callback_id._get_records_action()

    # === FILING: FACTS FROM THE PBX === #

    @api.model
    def _file(self, account, records):
        """Write the calls that the folded events tell of.

        :param account: telephony.account
        :param dict records: external id → CallRecord, or None where the events are no call
        :return: dict external id → call
        """
        existing = {call.external_id: call for call in self.search([
            ('account_id', '=', account.id), ('external_id', 'in', list(records)),
        ])}
        void = self.browse([existing.pop(ref).id for ref, record in records.items() if not record and ref in existing])
        void.filtered(lambda call: not call.is_sealed)._take_back()
        records = {
            ref: record for ref, record in records.items()
            if record and not (ref in existing and existing[ref].is_sealed)
        }
        if not records:
            return existing
        shown = {call: call._views() for call in existing.values() if call.state != 'ended'}
        numbers, users, _sharers = account._directory()
        facts = {ref: self._facts(account, record, numbers, users) for ref, record in records.items()}
        talkers = {ref: self._talker(record, users) for ref, record in records.items()}
        self._add_matches(account.company_id, facts, existing, talkers)
        self.env['telephony.dial']._link(account, facts, existing)

        new = [ref for ref in records if ref not in existing]
        calls = {**existing, **dict(zip(new, self.create([{
            'account_id': account.id, 'company_id': account.company_id.id, 'external_id': ref, **facts[ref],
        } for ref in new]), strict=True))}
        changed = {calls[ref].id for ref in new}
        changed.update(calls[ref].id for ref in set(records) - set(new) if calls[ref]._write_changes(facts[ref]))
        filed = self.browse([calls[ref].id for ref in records])
        changed |= filed._write_legs({calls[ref].id: record.legs for ref, record in records.items()}, users)
        filed._write_recordings({calls[ref].id: record.recordings for ref, record in records.items()})
        filed.filtered(lambda call: call.direction == 'outbound' or call.state == 'ended')._count_attempts()
        if any(call.follow_up == 'todo' for call in filed):
            self.env.ref('crm_telephony.ir_cron_follow_up')._trigger()
        filed.filtered(lambda call: call.id in changed)._announce(shown)
        return calls

    def _take_back(self):
        """These turned out to be no calls: they go with all that followed from them."""
        callbacks = self.env['telephony.callback'].sudo()
        waiting = callbacks.union(*callbacks._open_of(self).values())
        closed = callbacks.search([('closing_call_id', 'in', self.ids)])
        self.callback_id._withdraw()
        self.message_id.sudo().unlink()
        self.unlink()
        if waiting := waiting.exists():
            waiting._recount()
        closed.exists()._reopen()

    @api.model
    def _facts(self, account, record, numbers, users):
        """Field values of a record. The customer is the outside party, unless it is one of our own numbers."""
        country = account._settings().country
        caller, called = normalise(record.caller, country), normalise(record.called, country)
        outside = {'inbound': record.caller, 'outbound': record.called}.get(record.direction)
        ours = {'inbound': called, 'outbound': caller}.get(record.direction)
        customer = to_e164(outside, country)
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
            'talk_seconds': record.talk_seconds,
            'state': record.state,
            'outcome': record.outcome or False,
            'end_unknown': record.end_unknown,
            'is_short': record.outcome == 'answered' and record.talk_known and record.talk_seconds < threshold,
            'extension': record.extension or False,
            'user_id': users.get(record.extension) or False,
            'queue': record.queue or False,
        }

    @api.model
    def _talker(self, record, users):
        """The user who talked longest: whoever took the call may have passed it on. Else who took or placed it."""
        talked = [leg for leg in record.legs if leg.talk_seconds and users.get(leg.extension)]
        longest = max(talked, key=lambda leg: leg.talk_seconds, default=record)
        return users.get(longest.extension) or False

    @api.model
    def _add_matches(self, company, facts, existing, talkers):
        """Look up the customers of new calls, and once more when they end: who talked is known then. What is told after
        the end changes nothing, nor does anything a person's choice."""
        asked, made = {}, self._with_own_deal([
            call for ref, call in existing.items() if ref in facts and call.state != 'ended' and call.lead_id])
        for ref, values in facts.items():
            call = existing.get(ref)
            if call and (call.match_state == 'manual' or call in made and call.customer_number == values['customer_number']):
                continue
            if not values['customer_number']:
                if call and call.customer_number:
                    # what was taken for a customer is one of our own numbers
                    values.update(partner_id=False, lead_id=False, match_state='none', match_reason=False, is_excluded=False)
                continue
            ends_now = values['state'] == 'ended' and not (call and call.state == 'ended')
            if not call or ends_now or call.customer_number != values['customer_number']:
                asked[ref] = Caller(values['customer_number'], values['number_id'], talkers[ref])
        if not asked:
            return
        matches = self.env['telephony.matcher']._match(company, set(asked.values()))
        for ref, caller in asked.items():
            match = matches[caller]
            facts[ref].update({
                'partner_id': match.partner.id, 'lead_id': match.lead.id, 'is_excluded': match.excluded,
                'match_state': match.state, 'match_reason': match.reason or False,
            })

    @api.model
    def _with_own_deal(self, calls):
        """Those of the calls whose deal was made of them while they rang: nobody has to choose it."""
        leads = self.env['crm.lead'].search_fetch(
            [('telephony_origin_call_id', 'in', [call.id for call in calls])], ['telephony_origin_call_id']) if calls else ()
        return {call for call in calls if any(
            lead == call.lead_id and lead.telephony_origin_call_id == call for lead in leads)}

    def _write_changes(self, values):
        """Write what differs, and ask for the follow-up when an ended call has changed; True when something did."""
        self.ensure_one()
        if changed := changes(self, values):
            self.write(self._with_follow_up(changed, values))
        return bool(changed)

    @api.model_create_multi
    def create(self, vals_list):
        return super().create([self._with_follow_up(vals, vals) for vals in vals_list])

    def _check_company(self, fnames=None):
        """The system files what was looked up in the call's own company: no need to read it all again."""
        if self.env.uid != SUPERUSER_ID:
            super()._check_company(fnames)

    @api.model
    def _with_follow_up(self, changed, values):
        if values.get('state') == 'ended' and {'state', 'outcome', 'is_short', 'customer_number', 'lead_id'} & set(changed):
            return {**changed, 'follow_up': 'todo'}
        return changed

    def _write_legs(self, legs_by_call, users):
        """Make the legs what they are now.

        :return: ids of the calls of which one has changed
        """
        told = set()
        have = {(leg.call_id.id, leg.extension): leg for leg in self.leg_ids}
        create = []
        for call_id, legs in legs_by_call.items():
            for leg in legs:
                values = {
                    'user_id': users.get(leg.extension) or False, 'start_at': _naive(leg.start_at),
                    'answered_at': _naive(leg.answered_at), 'ended_at': _naive(leg.ended_at),
                    'talk_seconds': leg.talk_seconds, 'outcome': leg.outcome or False,
                }
                if row := have.pop((call_id, leg.extension), None):
                    if changed := changes(row, values):
                        row.write(changed)
                        told.add(call_id)
                else:
                    create.append({'call_id': call_id, 'extension': leg.extension, **values})
        told.update(call_id for call_id, _extension in have)
        told.update(values['call_id'] for values in create)
        self.env['telephony.call.leg'].browse([leg.id for leg in have.values()]).unlink()
        self.env['telephony.call.leg'].create(create)
        return told

    def _write_recordings(self, recordings_by_call):
        """Recordings are added and completed, never taken away: what was once announced may have been stored."""
        have = {(recording.call_id.id, key): recording
                for recording in self.recording_ids for key in (recording.ref, recording.url) if key}
        create = []
        for call_id, recordings in recordings_by_call.items():
            for recording in recordings:
                row = have.get((call_id, recording.ref)) or have.get((call_id, recording.url))
                values = {
                    'url': recording.url or False, 'ref': recording.ref or False, 'duration': recording.seconds,
                    'state': 'ready' if recording.url else 'pending',
                }
                if not row:
                    create.append({'call_id': call_id, **values})
                elif recording.url and not row.url:
                    row.write({**values, 'next_try_at': False, 'error': False})
                elif recording.ref and not row.ref:
                    row.ref = recording.ref
        self.env['telephony.recording'].create(create)

    def _count_attempts(self):
        """Number the attempts to reach each customer of these calls anew: a late event may have changed their order.

        An attempt is an outbound call; the count starts again after the customer was reached, whoever called whom.
        """
        numbers = tuple({call.customer_number for call in self if call.customer_number})
        if not numbers:
            return
        self.flush_model()
        rows = self.env.execute_query(SQL(
            """ WITH calls AS (
                    SELECT id, attempt, company_id, customer_number, direction, start_at,
                           COUNT(*) FILTER (WHERE outcome = 'answered' AND is_short IS NOT TRUE) OVER (
                               PARTITION BY company_id, customer_number ORDER BY start_at, id
                               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached
                      FROM telephony_call
                     WHERE customer_number IN %s AND company_id IN %s
                ), counted AS (
                    SELECT id, attempt, CASE WHEN direction = 'outbound' THEN
                               COUNT(*) FILTER (WHERE direction = 'outbound') OVER (
                                   PARTITION BY company_id, customer_number, reached ORDER BY start_at, id)
                           ELSE 0 END AS right_attempt
                      FROM calls
                )
                UPDATE telephony_call SET attempt = right_attempt
                  FROM counted
                 WHERE counted.id = telephony_call.id AND COALESCE(counted.attempt, 0) != right_attempt
             RETURNING telephony_call.id """,
            numbers, tuple(self.company_id.ids)))
        if rows:
            self.browse([row[0] for row in rows]).invalidate_recordset(['attempt'], flush=False)

    # === TOOLS === #

    def _is_reached(self):
        """The customer and somebody of us really talked."""
        self.ensure_one()
        return self.outcome == 'answered' and not self.is_short

    @api.model
    def _live_domain(self):
        """Of the calls that go on."""
        return Domain('state', '!=', 'ended') & Domain('start_at', '>', fields.Datetime.now() - LIVE)

    def _moment(self):
        """When the call was over, as far as the PBX tells."""
        return self.ended_at or self.start_at


def _naive(moment):
    """Aware UTC as the ORM stores it, whole seconds."""
    return moment.replace(tzinfo=None, microsecond=0) if moment else False
