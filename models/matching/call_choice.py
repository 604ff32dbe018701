from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import SQL

from ...providers.numbers import pretty
from ...tools.settings import setting
from ...tools.words import _lt
from ..core.words_field import told

# Further calls of the same number that move at once with a choice; the rest move in the background.
AT_ONCE = 80
# So many of the contacts who have a number are offered; there is a search for the rest.
CONTACTS = 12
# Calls that wait for a person, and what they wait for; the codes stand in the order of the
# alphabet, as groups do.
WAITING = (
    Domain('match_state', 'in', ('none', 'ambiguous'))
    & Domain('customer_number', '!=', False)
    & Domain('direction', '!=', 'internal')
    & Domain('is_excluded', '=', False)
    & Domain('state', '=', 'ended')
)
QUESTIONS = {
    'choose': WAITING & Domain('match_state', '=', 'ambiguous'),
    'talked': WAITING & Domain('match_state', '=', 'none') & Domain('outcome', '=', 'answered'),
    'untalked': WAITING & Domain('match_state', '=', 'none') & Domain('outcome', '!=', 'answered'),
}


class TelephonyCall(models.Model):
    """What people decide about calls. What a person chose stays, whatever the matcher would say
    later, and holds for the next calls of that number; what has already followed from a call moves
    along with it."""

    _inherit = 'telephony.call'

    settled_by_id = fields.Many2one(
        'res.users', string="Set By", readonly=True, ondelete='set null'
    )
    settled_at = fields.Datetime(string="Set At", readonly=True)
    candidates = fields.Json(
        compute='_compute_candidates', help="What get_candidates tells of this call."
    )
    open_question = fields.Selection(
        [('choose', "To be chosen"), ('talked', "Who was this?"), ('untalked', "Not talked to")],
        compute='_compute_open_question',
        search='_search_open_question',
        help="What this call waits for a person to say.",
    )
    is_answerable = fields.Boolean(
        compute='_compute_is_answerable',
        search='_search_is_answerable',
        help="Whoever looks can say what this call waits for: his is the call, or one of the deals that it may be about.",
    )
    waiting_count = fields.Integer(
        string="Calls",
        compute='_compute_waiting',
        aggregator=None,
        help="Calls of this number that wait to be settled.",
    )
    is_latest_waiting = fields.Boolean(
        compute='_compute_waiting',
        search='_search_is_latest_waiting',
        help="The latest of its number's calls that wait to be settled: the others follow it.",
    )

    # what WAITING says, in the words of Odoo's own queries
    _waiting_idx = models.Index(
        "(customer_number, start_at DESC) WHERE match_state IN ('none', 'ambiguous') AND customer_number != '' "
        "AND direction != 'internal' AND is_excluded IS NOT TRUE AND state = 'ended'"
    )

    # === WHAT WAITS === #

    @api.depends('match_state', 'outcome', 'customer_number', 'direction', 'is_excluded', 'state')
    def _compute_open_question(self):
        self.open_question = False
        for question, domain in QUESTIONS.items():
            self.filtered_domain(domain).open_question = question

    def _search_open_question(self, operator, value):
        if operator != 'in':
            return NotImplemented
        return Domain.OR(QUESTIONS[question] if question else ~WAITING for question in value)

    def _read_group_groupby(self, alias, groupby_spec, query):
        if groupby_spec == 'open_question':
            return SQL(
                "CASE %s END",
                SQL(" ").join(
                    SQL(
                        "WHEN %s THEN %s",
                        domain.optimize_full(self)._to_sql(self, alias, query),
                        question,
                    )
                    for question, domain in QUESTIONS.items()
                ),
            )
        return super()._read_group_groupby(alias, groupby_spec, query)

    @api.depends('open_question')
    @api.depends_context('uid')
    def _compute_is_answerable(self):
        answerable = self.search([('id', 'in', self.ids), ('is_answerable', '=', True)])
        for call in self:
            call.is_answerable = call in answerable

    def _search_is_answerable(self, operator, value):
        if operator != 'in':
            return NotImplemented
        user = self.env.user
        answerable = Domain.TRUE
        if not user.has_group('crm_telephony.group_supervisor'):
            # the deals that he may read
            leads, partners = self.env['crm.lead'], self.env['res.partner'].sudo()
            numbers = leads._search(
                [('won_status', '=', 'pending'), ('phone_sanitized', '!=', False)]
            )
            more = leads._search(
                [('won_status', '=', 'pending'), ('telephony_more_phones', '!=', False)]
            ).subselect(SQL("unnest(string_to_array(telephony_more_phones, ' '))"))
            customers = leads._search(
                [('won_status', '=', 'pending'), ('partner_id', '!=', False)]
            ).subselect('partner_id')
            firms = partners._search([('id', 'in', customers)]).subselect('commercial_partner_id')
            legs = self.env['telephony.call.leg'].sudo()
            rang = legs._search([('user_id', '=', user.id), ('outcome', '!=', 'answered')])
            ways = [
                Domain('user_id', '=', user.id),
                Domain('listener_ids', 'in', user.ids),
                Domain('outcome', '!=', 'answered') & Domain('id', 'in', rang.subselect('call_id')),
                Domain('customer_number', 'in', numbers.subselect('phone_sanitized')),
                Domain('customer_number', 'in', more),
                Domain(
                    'partner_id', 'in', partners._search([('commercial_partner_id', 'in', firms)])
                ),
            ]
            talked = legs._search([('user_id', '=', user.id), ('outcome', '=', 'answered')])
            # Each way has an index. Joined by OR they have none: PostgreSQL reads the whole log.
            found = [
                talked.select('call_id'),
                *(self.sudo()._search(WAITING & way).select() for way in ways),
            ]
            answerable = Domain('id', 'in', SQL("(%s)", SQL(" UNION ALL ").join(found)))
        return answerable if True in value else ~answerable

    @api.depends('open_question', 'customer_number', 'company_id', 'start_at')
    def _compute_waiting(self):
        """Of the calls that the person who looks may read."""
        found = {
            (company, number): (count, start_at)
            for company, number, count, start_at in self._read_group(
                WAITING & Domain('customer_number', 'in', self.mapped('customer_number')),
                ['company_id', 'customer_number'],
                ['__count', 'start_at:max'],
            )
        }
        for call in self:
            count, start_at = found.get(call._number_key(), (0, False))
            call.waiting_count = count if call.open_question else 0
            call.is_latest_waiting = bool(call.waiting_count) and call.start_at == start_at

    def _search_is_latest_waiting(self, operator, value):
        if operator != 'in':
            return NotImplemented

        def is_latest(calls, alias, _query):
            return SQL(
                """ NOT EXISTS (SELECT FROM telephony_call AS later
                                 WHERE later.company_id = %(call)s.company_id
                                   AND later.customer_number = %(call)s.customer_number
                                   AND (later.start_at, later.id) > (%(call)s.start_at, %(call)s.id)
                                   AND later.id IN %(waiting)s) """,
                call=SQL.identifier(alias),
                waiting=calls._search(WAITING).subselect(),
            )

        latest = WAITING & Domain.custom(to_sql=is_latest)
        return latest if True in value else ~latest

    # === WHAT THERE IS TO CHOOSE FROM === #

    @api.depends('customer_number', 'number_id', 'user_id', 'partner_id', 'lead_id', 'match_state')
    @api.depends_context('lang', 'uid')
    def _compute_candidates(self):
        """For all calls at once, and only what the person who looks may read."""
        self.candidates = False
        matches, is_supervisor = (
            self.sudo()._matches(),
            self.env.user.has_group('crm_telephony.group_supervisor'),
        )
        readable = (
            self.env['crm.lead']
            .union(
                *(candidate.lead for match in matches.values() for candidate in match.candidates)
            )
            .with_env(self.env)
            ._filtered_access('read')
        )
        contacts = (
            self.env['res.partner']
            .union(
                *(partner for match in matches.values() for partner in match.partners[:CONTACTS])
            )
            .with_env(self.env)
            ._filtered_access('read')
        )
        for call in self.filtered(lambda call: call.id in matches):
            match = matches[call.id]
            shown = [candidate for candidate in match.candidates if candidate.lead in readable]
            hidden = [
                candidate.lead for candidate in match.candidates if candidate.lead not in readable
            ]
            call.candidates = {
                'deals': [call._candidate_values(candidate) for candidate in shown],
                'hidden': len(hidden),
                'hidden_deals': self._deals_of_others(hidden),
                'can_ignore': is_supervisor or not match.candidates and not match.partners,
                'contacts': [
                    {
                        'id': partner.id,
                        'name': partner.display_name,
                        'picked': partner == call.partner_id,
                    }
                    for partner in contacts
                    & self.env['res.partner'].union(*match.partners[:CONTACTS])
                ],
                'further_contacts': len(match.partners[CONTACTS:]),
            }

    def _deals_of_others(self, leads):
        """Whose deals these are which the person who looks may not read: who may answer instead."""
        users = ", ".join(dict.fromkeys(lead.user_id.name for lead in leads if lead.user_id))
        if len(leads) == 1:
            return self.env._("One deal: %(users)s", users=users)
        return (
            self.env._("%(count)s deals: %(users)s", count=len(leads), users=users) if leads else ''
        )

    def _candidate_values(self, candidate):
        lead, tells_points = candidate.lead.with_env(self.env), self._tells_points()
        return {
            'id': lead.id,
            'name': lead.name,
            'score': candidate.score if tells_points else 0,
            'reasons': [
                {**reason._asdict(), 'text': told(self.env, reason.text)}
                for reason in candidate.reasons
            ],
            'stage': lead.stage_id.name or '',
            'amount': lead.expected_revenue,
            'currency_id': lead.company_currency.id,
            'partner': lead.partner_id.sudo().display_name or lead.contact_name or '',
            'user': lead.user_id.name or '',
            'picked': lead.id == self.lead_id.id,
        }

    @api.model
    def _tells_points(self):
        """Points are for who weighs the reasons; who talks needs words."""
        return self.env.user.has_group('crm_telephony.group_admin')

    def get_candidates(self):
        """What a person may choose from for this call, as he may see it.

        :return: dict with `state` (match_state), `reason`, `lead_id` and `partner_id` ({'id',
            'name'} or False), `deals` (list of dicts, the best first: `id`, `name`, `score` (0 for
            who is no administrator), `reasons` (`code`, `text`, `weight`), `stage`, `amount`,
            `currency_id`, `partner`, `user`, `picked`), `hidden` (how many more he may not read),
            `hidden_deals` (that, and whose they are, in words), `contacts` (`id`, `name`, `picked`:
            the first of those who have this number), `further_contacts` (how many more have it),
            `can_ignore` (he may say that it is never a customer's)
        """
        self.ensure_one()
        self.check_access('read')
        return {
            'state': self.match_state,
            'reason': str(self.match_reason or ''),
            **{
                name: self[name] and {'id': self[name].id, 'name': self[name].sudo().display_name}
                for name in ('lead_id', 'partner_id')
            },
            **(
                self.candidates
                or {
                    'deals': [],
                    'hidden': 0,
                    'hidden_deals': '',
                    'contacts': [],
                    'further_contacts': 0,
                    'can_ignore': True,
                }
            ),
        }

    # === ONE CLICK === #

    def action_pick(self, lead_id):
        """This deal it is.

        :return: an action that says what happened and offers undo, as of all these
        """
        if not (lead := self.env['crm.lead'].browse(lead_id).exists()):
            return self._say(self.env._("This deal is gone. Choose another."), undo=False)
        self._attach_by_hand({'lead_id': lead.id})
        return self._say_settled()

    def action_pick_contact(self, partner_id=False):
        """This contact it is, and no deal; the call's own contact by default."""
        if not (
            partner := self.env['res.partner'].browse(partner_id).exists() or self.partner_id[:1]
        ):
            return self._say(self.env._("This contact is gone. Choose another."), undo=False)
        self._attach_by_hand({'partner_id': partner.id, 'lead_id': False})
        return self._say_settled()

    def action_choose_contact(self):
        """Ask for the contact of these calls."""
        return self._ask('contact', self.env._("Whose Calls Are These?"))

    def action_choose_deal(self):
        """Ask for the deal of these calls; the best one of all is proposed where it is the same."""
        best = {deals[0]['id'] for call in self if (deals := (call.candidates or {}).get('deals'))}
        return self._ask(
            'deal',
            self.env._("Which Deal Are They About?"),
            lead_id=best.pop() if len(best) == 1 else False,
        )

    def _ask(self, mode, title, **defaults):
        return {
            'type': 'ir.actions.act_window',
            'name': title,
            'res_model': 'telephony.settle',
            'view_mode': 'form',
            'views': [(False, 'form')],
            'target': 'new',
            'context': {
                'default_call_ids': self.ids,
                'default_mode': mode,
                **{f'default_{name}': value for name, value in defaults.items()},
            },
        }

    def action_create_lead(self):
        """A new deal for each number, his who talked, or else hers who asks for it."""
        self.env['crm.lead'].check_access('create')
        self.check_access('write')
        self.sudo()._lock_numbers()
        for _key, calls in (
            self.filtered('customer_number').grouped(lambda call: call._number_key()).items()
        ):
            latest = calls.sudo().sorted('start_at')[-1:]
            lead = latest._new_lead(latest.user_id or self.env.user)
            # it may be a deal of a colleague's, which she does not read
            calls.sudo()._attach_by_hand({'lead_id': lead.id, 'partner_id': lead.partner_id.id})
        return self.sudo()._say_settled()

    def action_ignore_number(self, confirmed=False):
        """These numbers are never a customer's: nobody is to call them back. Where one is a
        contact's, or an open deal hangs on it, only a supervisor may say so, who is asked once
        more; their salespersons are told.

        :param confirmed: the supervisor was asked
        :raise UserError: a number is a customer's
        """
        self.check_access('write')
        calls = self.sudo().filtered('customer_number')
        numbers = ", ".join(
            pretty(number) for number in sorted(set(calls.mapped('customer_number')))[:5]
        )
        customers = {
            call: match
            for call_id, match in calls._matches().items()
            if (match.candidates or match.partners) and (call := calls.browse(call_id))
        }
        if customers and not self.env.user.has_group('crm_telephony.group_supervisor'):
            raise UserError(
                self.env._(
                    "%(number)s belongs to a contact or an open deal. Only a supervisor can say that it is never a customer's.",
                    number=pretty(next(iter(customers)).customer_number),
                )
            )
        if customers and not confirmed:
            return self._ask('ignore', self.env._("Never a Customer?"))
        owners = calls._before_ignored().union(
            *(self._owners_of(match) for match in customers.values())
        )
        calls._lock_numbers()
        calls._decide('ignore')
        calls = calls.filtered(lambda call: call.match_state != 'manual')
        (calls | self.sudo()._others())._match_again()
        self._tell_of_ignored(owners, numbers)
        return self._say(self.env._("Ignored from now on: %(numbers)s", numbers=numbers))

    @api.model
    def _owners_of(self, match):
        """Whose customer has this number."""
        partners = self.env['res.partner'].sudo().union(match.partner, *match.partners[:CONTACTS])
        leads = (
            self.env['crm.lead'].sudo().union(*(candidate.lead for candidate in match.candidates))
        )
        return leads.user_id | partners.user_id | partners.commercial_partner_id.user_id

    def _tell_of_ignored(self, owners, numbers):
        """Whoever had these customers knows who says that they are none, and can object."""
        for user in owners.filtered('active') - self.env.user:
            _ = self.with_context(lang=user.lang).env._
            self.env['mail.thread'].sudo().message_notify(
                partner_ids=user.partner_id.ids,
                author_id=self.env.user.partner_id.id,
                subject=_("Never a customer: %(numbers)s", numbers=numbers),
                body=_(
                    "%(user)s says that %(numbers)s is never a customer's number. Its calls have left their contact and "
                    "deal, and nobody calls back. If that is wrong, ask for it to be taken back.",
                    user=self.env.user.name,
                    numbers=numbers,
                ),
            )

    def action_forget_choice(self):
        """Take back what was decided about these calls and their numbers: the matcher decides
        again, and everything moves back. What was decided before, if anything, holds again. Whoever
        decided can always do that, though he may have lost the call by it."""
        self._not_decided_by(self.env.user).check_access('write')
        calls = self.sudo()
        calls._lock_numbers()
        calls |= calls._chosen_with()
        others = calls._others(leaving=calls)
        new_leads = calls.lead_id.filtered(lambda lead: lead._is_untouched_from_call(self.env.user))
        calls._unlearn()
        calls.write({'match_state': 'none', 'settled_by_id': False, 'settled_at': False})
        calls._decide_as_before()
        new_leads.active = False  # the matcher is not to find them
        (calls | others)._match_again(always=calls)
        new_leads.unlink()
        return self._say(
            self.env._("Taken back. %(reason)s", reason=self.sudo()[:1].match_reason or ''),
            undo=False,
        )

    def _not_decided_by(self, user):
        """Those of the calls that he has not put where they are, and about whose numbers not he has
        decided."""
        decisions = self.sudo()._decisions()
        return self.browse(
            call.id
            for call in self.sudo()
            if user
            != (
                call.settled_by_id
                or (key := call._number_key()) in decisions
                and decisions[key].user_id
            )
        )

    def _say_settled(self):
        numbers, places = (
            set(self.sudo().mapped('customer_number')),
            {call._place() for call in self.sudo()},
        )
        if len(numbers) > 1 or len(places) > 1 or not any(places):
            return self._say(self.env._("%(count)s calls are settled.", count=len(self)))
        return self._say(
            self.env._(
                "%(number)s is now with “%(name)s”. Its next calls go there by themselves.",
                number=self.sudo()[:1].who,
                name=places.pop().display_name,
            )
        )

    def _say(self, message, undo=True):
        """A notification, with a button that takes it back, after which the view shows how things
        are."""
        return {
            'type': 'ir.actions.client',
            'tag': 'crm_telephony.settled',
            'params': {'message': message, 'call_ids': self.ids if undo else []},
        }

    # === A CHOICE BY HAND === #

    def _on_customer_chosen(self, vals):
        return self._attach_by_hand(vals)

    def _attach_by_hand(self, vals):
        """A person's choice of contact or deal: these calls keep it, and the number remembers
        it."""
        self.check_access('write')
        lead = self.env['crm.lead'].browse(vals.get('lead_id') or [])
        partner = self.env['res.partner'].browse(vals.get('partner_id') or [])
        lead.check_access('read')
        partner.check_access('read')
        calls = self.sudo()
        calls._lock_numbers()
        calls |= calls._before_chosen()
        others = calls._others()
        with calls._moving_along():
            calls.write(
                {
                    **vals,
                    'match_state': 'manual',
                    'is_excluded': False,
                    'settled_by_id': self.env.uid,
                    'settled_at': fields.Datetime.now(),
                    'match_reason': _lt("Set by %(user)s", user=self.env.user.name),
                }
            )
            if partner and 'lead_id' not in vals:
                calls.filtered(lambda call: call._is_deal_of_another()).lead_id = False
            elif lead.sudo().partner_id and 'partner_id' not in vals:
                # who calls about his company's deal stays who he is
                calls.filtered(
                    lambda call: call._is_deal_of_another()
                ).partner_id = lead.sudo().partner_id
        calls._decide('contact')
        calls._learn()
        others._match_again()
        return True

    def _is_deal_of_another(self):
        """The deal belongs to another customer than the call."""
        customer = self.lead_id.partner_id.commercial_partner_id
        return customer and customer != self.partner_id.commercial_partner_id

    def _chosen_with(self):
        """The further calls that were set by the same click."""
        return self.browse().union(
            *(
                self.search(
                    [
                        ('company_id', '=', company.id),
                        ('customer_number', '=', number),
                        ('settled_by_id', '=', calls[0].settled_by_id.id),
                        ('settled_at', '=', calls[0].settled_at),
                    ]
                )
                for (company, number), calls in self.filtered(
                    lambda call: call.settled_at and call.customer_number
                )
                .grouped(lambda call: call._number_key())
                .items()
            )
        )

    def _others(self, leaving=None):
        """The further calls that a decision about these calls' numbers concerns, unless a person
        has set them: those that wait for one.

        :param leaving: calls whose present place the others leave too
        """
        since = fields.Datetime.now() - timedelta(days=setting(self.env, 'late_days'))
        concerned = Domain('match_state', 'in', ('none', 'ambiguous'))
        if leaving:
            concerned |= Domain('lead_id', 'in', leaving.lead_id.ids)
            concerned |= Domain('lead_id', '=', False) & Domain(
                'partner_id', 'in', leaving.partner_id.ids
            )
        others = self.browse()
        for company, calls in self.filtered('customer_number').grouped('company_id').items():
            others |= self.search(
                Domain('company_id', '=', company.id)
                & Domain('customer_number', 'in', calls.mapped('customer_number'))
                & Domain('match_state', '!=', 'manual')
                & Domain('direction', '!=', 'internal')
                & Domain('id', 'not in', self.ids)
                & Domain('start_at', '>=', since)
                & concerned,
                limit=AT_ONCE,
                order='start_at desc',
            )
        if len(others) >= AT_ONCE:
            self.env['telephony.rebind']._queue(self.mapped('customer_number'))
        return others

    # === WHAT IS REMEMBERED OF A CHOICE === #

    def _decisions(self):
        decisions = self.env['telephony.decision'].sudo()
        found = decisions.union(
            *(
                decisions.search(
                    [
                        ('company_id', '=', company.id),
                        ('number', 'in', calls.mapped('customer_number')),
                    ]
                )
                for company, calls in self.filtered('customer_number').grouped('company_id').items()
            )
        )
        return {(decision.company_id, decision.number): decision for decision in found}

    def _decide(self, kind):
        """Remember for their numbers where these calls are, or that they are to be ignored. Of
        several calls with one number the latest counts."""
        have, new, void = self._decisions(), {}, self.env['telephony.decision'].sudo()
        for call in self.filtered('customer_number').sorted('start_at'):
            key = call._number_key()
            values = {'kind': kind, 'partner_id': False, 'lead_id': False, 'user_id': self.env.uid}
            if kind == 'contact':
                values.update(partner_id=call.partner_id.id, lead_id=call.lead_id.id)
                if not call._place():
                    void |= have.get(key, void)
                    continue
            if key in have:
                have[key].write(values)
            else:
                new[key] = {**values, 'company_id': key[0].id, 'number': key[1]}
        void.unlink()
        void.create(list(new.values()))

    def _decide_as_before(self):
        """What was chosen last among the calls that remain set by hand holds for their numbers
        again."""
        for (company, number), decision in self._decisions().items():
            latest = self.search(
                [
                    ('company_id', '=', company.id),
                    ('customer_number', '=', number),
                    ('match_state', '=', 'manual'),
                    ('settled_at', '!=', False),
                    '|',
                    ('partner_id', '!=', False),
                    ('lead_id', '!=', False),
                ],
                order='settled_at desc, id desc',
                limit=1,
            )
            if decision.kind == 'ignore':
                decision._after_ignoring_ended()
            if latest:
                decision.write(
                    {
                        'kind': 'contact',
                        'partner_id': latest.partner_id.id,
                        'lead_id': latest.lead_id.id,
                        'user_id': latest.settled_by_id.id,
                    }
                )
            else:
                decision.unlink()

    def _learn(self):
        """A number that nobody in their company has becomes a further number of the contact that a
        person gave its call to; archived contacts have none."""
        partners, further = self.env['res.partner'], self.env['telephony.contact.number']
        for company, calls in (
            self.filtered(lambda call: call.partner_id and call.customer_number)
            .grouped('company_id')
            .items()
        ):
            numbers, ours = calls.mapped('customer_number'), [False, company.id]
            known = {
                *partners.search(
                    partners._telephony_number_domain(numbers) & Domain('company_id', 'in', ours)
                )._telephony_numbers(),
                *further.search(
                    [
                        ('number', 'in', numbers),
                        ('partner_id.active', '=', True),
                        ('partner_id.company_id', 'in', ours),
                    ]
                ).mapped('number'),
            }
            for number, owners in calls.grouped('customer_number').items():
                if number not in known:
                    further._learn(owners[0].partner_id, [number])

    def _unlearn(self):
        """What was learnt from these calls alone is forgotten."""
        learnt = self.env['telephony.contact.number'].search(
            [
                ('origin', '=', 'learnt'),
                ('number', 'in', self.mapped('customer_number')),
                ('partner_id', 'in', self.partner_id.ids),
            ]
        )
        for number in learnt:
            if not self.search_count(
                [
                    ('customer_number', '=', number.number),
                    ('partner_id', '=', number.partner_id.id),
                    ('match_state', '=', 'manual'),
                    ('id', 'not in', self.ids),
                ],
                limit=1,
            ):
                number.unlink()

    # === HOOKS OF LATER STAGES === #

    def _before_chosen(self):
        """A person is about to say whose calls these are.

        :return: the further calls that go along with them
        """
        return self.browse()

    def _before_ignored(self):
        """A person is about to say that the numbers of these calls are never a customer's.

        :return: res.users who want to know
        """
        return self.env['res.users']
