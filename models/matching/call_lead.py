import logging
from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL, clean_context

from ...tools import turns
from ...tools.words import _lt

_logger = logging.getLogger(__name__)

# What a lead is made of where the policy says "missed": he wanted us and did not get us.
UNANSWERED = ('missed', 'abandoned', 'voicemail', 'busy')


class TelephonyCall(models.Model):
    """Leads made of the calls of strangers, by the policy of the number that they called."""

    _inherit = 'telephony.call'

    def _after_filed(self, changed, memory):
        """Where the policy is a deal at once, it is made right behind the filing."""
        super()._after_filed(changed, memory)
        if any(call.state != 'ended' and call._wants_lead() for call in self):
            self.env.ref('crm_telephony.ir_cron_follow_up')._trigger()

    @api.model
    def _make_leads_while_ringing(self):
        """For the numbers whose policy is a lead at once. A call that fails here is tried again
        when it has ended, and says so then."""
        with turns.gives_way(self.env):
            for call in self.search(
                [('state', '!=', 'ended'), ('direction', '=', 'inbound'), ('lead_id', '=', False)]
            ):
                with turns.isolated(
                    self.env.cr, _logger, "no lead could be made of call %s", call.id
                ):
                    if call._wants_lead():
                        call._create_lead()
            self.env['ir.cron']._commit_progress(0)

    def _create_wanted_leads(self):
        """For ended calls whose number's policy is a deal."""
        for call in self:
            if call._wants_lead() and not call._is_past():
                call._create_lead()

    def _wants_lead(self):
        """Whether the policy of the number, else of the company, makes a deal of this call as it
        stands."""
        self.ensure_one()
        if (
            self.direction != 'inbound'
            or not self.customer_number
            or self.lead_id
            or self.is_excluded
        ):
            return False
        talked = self.is_reached
        if self.match_state == 'auto' and self._begins_deals():
            return talked or self.outcome in UNANSWERED
        if self.match_state != 'none':
            return False
        policy = self.number_id.lead_policy or self.company_id.telephony_lead_policy
        return (
            policy == 'always'
            or policy == 'answered'
            and talked
            or policy == 'missed'
            and self.outcome in UNANSWERED
        )

    def _begins_deals(self):
        """Calls of known contacts begin a deal of their own here."""
        number = self.number_id
        return (
            number and number._own_deal_policy(number.id) or self.company_id.telephony_deal_policy
        ) == 'new'

    def _create_lead(self):
        """The open deal of this call's customer; where he has none, a new one. Asked again it gives
        the same one.

        :return: crm.lead; empty where a person has to choose among several, or there is no number
        """
        self.ensure_one()
        if not self.customer_number or self.match_state == 'ambiguous':
            return self.lead_id
        self._lock_numbers()
        if not self.lead_id:
            lead, reason = self._open_lead_of_number(), _lt("The open deal of this number")
            if not lead:
                lead, reason = (
                    self._new_lead(self._lead_owner()),
                    _lt("New deal, made of this call"),
                )
            with self._moving_along():
                self.write(
                    {
                        'lead_id': lead.id,
                        'partner_id': self.partner_id.id or lead.partner_id.id,
                        'match_state': 'auto',
                        'match_reason': reason,
                    }
                )
        return self.lead_id

    def _lock_numbers(self):
        """One at a time decides about a number, or makes a deal for it. Its oldest call is the
        lock: who comes second fails on it, and Odoo lets him try again, when he sees what the first
        has done."""
        self.flush_recordset()
        keys = {(call.company_id.id, call.customer_number) for call in self if call.customer_number}
        if keys:
            companies, numbers = zip(*sorted(keys), strict=True)
            self.env.execute_query(
                SQL(
                    """ UPDATE telephony_call SET write_date = write_date
                     WHERE id IN (
                           SELECT oldest.id
                             FROM unnest(%s::int[], %s::text[]) AS asked (company_id, number)
                            CROSS JOIN LATERAL (
                                  SELECT id FROM telephony_call
                                   WHERE company_id = asked.company_id AND customer_number = asked.number
                                   ORDER BY start_at, id LIMIT 1) AS oldest)
                 RETURNING id """,
                    list(companies),
                    list(numbers),
                )
            )

    def _open_lead_of_number(self):
        """A deal that carries this number, or that one of its calls hangs on. Where calls begin
        deals of their own, only one that a call of this day has begun: who calls three times in a
        row wants one thing."""
        fresh = (
            [
                ('telephony_origin_call_id', '!=', False),
                ('create_date', '>=', fields.Datetime.now() - timedelta(days=1)),
            ]
            if self.partner_id and self._begins_deals()
            else []
        )
        calls = self.search(
            [
                ('company_id', '=', self.company_id.id),
                ('customer_number', '=', self.customer_number),
                ('lead_id', '!=', False),
            ],
            limit=80,
        )
        leads = self.env['crm.lead']
        theirs = leads._telephony_number_domain([self.customer_number]) | Domain(
            'id', 'in', calls.lead_id.ids
        )
        return leads.search(
            theirs
            & Domain(
                [
                    ('won_status', '=', 'pending'),
                    ('company_id', 'in', [False, self.company_id.id]),
                    *fresh,
                ]
            ),
            limit=1,
            order='id desc',
        )

    def _new_lead(self, user):
        """A deal that knows where it comes from: the source, campaign and team of the number that
        was called."""
        self.ensure_one()
        company, number = self.company_id, self.number_id
        team = number.team_id
        leads = (
            self.env['crm.lead']
            .with_company(company)
            .with_context(
                clean_context(self.env.context),
                lang=company._telephony_lang(),
                mail_create_nosubscribe=True,
                # who has just talked to him needs no mail about it
                mail_auto_subscribe_no_notify=user == self.user_id,
            )
        )
        who = self.partner_id.name or self.who
        return leads.create(
            {
                'name': leads.env._("Call from %(who)s", who=who)
                if self.direction == 'inbound'
                else leads.env._("Call to %(who)s", who=who),
                'type': self._lead_type(team),
                'partner_id': self.partner_id.id,
                'phone': self.customer_number,
                'company_id': company.id,
                # else crm finds the owner's
                **({'team_id': team.id} if team else {}),
                'user_id': user.id,
                'source_id': number.source_id.id,
                'campaign_id': number.campaign_id.id,
                'telephony_origin_call_id': self.id,
                'medium_id': self.env['ir.model.data']._xmlid_to_res_id('utm.utm_medium_phone'),
            }
        )

    def _lead_type(self, team):
        """As mails that come in by the team's alias: a lead where leads are used, else an
        opportunity."""
        uses_leads = (
            self.env.ref('crm.group_use_lead') in self.env.ref('base.group_user').all_implied_ids
        )
        return 'lead' if uses_leads and (team.use_leads or not team) else 'opportunity'

    def _lead_owner(self):
        """Whose the new deal is, by the choice of the number, else of the company; nobody's where
        nobody can be found."""
        number, company = self.number_id, self.company_id
        choice = number.lead_owner or company.telephony_lead_owner
        first = {
            'answered': self.user_id,
            'rotation': number.team_id._next_telephony_member(self.company_id),
            'responsible': number.user_id,
        }[choice]
        if first.active and company in first.company_ids:
            return first
        return self._responsible()
