from contextlib import contextmanager
from datetime import timedelta

from odoo import api, fields, models

from ...tools.records import changes
from ...tools.settings import setting
from ...tools.words import _lt
from .matcher import Caller


class TelephonyCall(models.Model):
    """Whose calls these are, as the matcher says: when a call is filed, when it ends, and again
    when contacts, deals or decisions have changed."""

    _inherit = 'telephony.call'

    # === WHEN A CALL IS FILED === #

    @api.model
    def _before_filed(self, account, records, facts, existing):
        """Add whose calls these are to their facts."""
        super()._before_filed(account, records, facts, existing)
        users = account._directory().users
        talkers = {ref: self._talker(records[ref], users) for ref in facts}
        self._add_matches(account.company_id, facts, existing, talkers)

    @api.model
    def _talker(self, record, users):
        """The user who talked longest: whoever took the call may have passed it on. Else who took
        or placed it."""
        talked = [leg for leg in record.legs if leg.talk_seconds and users.get(leg.extension)]
        longest = max(talked, key=lambda leg: leg.talk_seconds, default=record)
        return users.get(longest.extension) or False

    @api.model
    def _add_matches(self, company, facts, existing, talkers):
        """Look up the customers of new calls, and once more when they end: who talked is known
        then. What is told after the end changes nothing, nor does anything a person's choice."""
        asked, made = (
            {},
            self._with_own_deal(
                [
                    call
                    for ref, call in existing.items()
                    if ref in facts and call.state != 'ended' and call.lead_id
                ]
            ),
        )
        for ref, values in facts.items():
            call = existing.get(ref)
            if call and (
                call.match_state == 'manual'
                or call in made
                and call.customer_number == values['customer_number']
            ):
                continue
            if not values['customer_number']:
                if call and call.customer_number:
                    # what was taken for a customer is one of our own numbers
                    values.update(
                        partner_id=False,
                        lead_id=False,
                        match_state='none',
                        match_reason=False,
                        is_excluded=False,
                    )
                continue
            was_over = (
                call and call.state == 'ended' and (not call.end_unknown or values['end_unknown'])
            )
            ends_now = values['state'] == 'ended' and not was_over
            if not call or ends_now or call.customer_number != values['customer_number']:
                asked[ref] = Caller(values['customer_number'], values['number_id'], talkers[ref])
        if not asked:
            return
        matches = self.env['telephony.matcher']._match(company, set(asked.values()))
        for ref, caller in asked.items():
            match = matches[caller]
            facts[ref].update(
                {
                    'partner_id': match.partner.id,
                    'lead_id': match.lead.id,
                    'is_excluded': match.excluded,
                    'match_state': match.state,
                    'match_reason': match.reason or False,
                }
            )

    @api.model
    def _with_own_deal(self, calls):
        """Those of the calls whose deal was made of them while they rang: nobody has to choose
        it."""
        leads = (
            self.env['crm.lead'].search_fetch(
                [('telephony_origin_call_id', 'in', [call.id for call in calls])],
                ['telephony_origin_call_id'],
            )
            if calls
            else ()
        )
        return {
            call
            for call in calls
            if any(lead == call.lead_id and lead.telephony_origin_call_id == call for lead in leads)
        }

    # === WHAT THE MATCHER SAYS NOW === #

    def _matches(self):
        """What the matcher says now, dict call id → Match, of the calls that have a customer's
        number."""
        found = {}
        for company, calls in self.grouped('company_id').items():
            callers = {
                call.id: Caller(call.customer_number, call.number_id.id, call.user_id.id)
                for call in calls
                if call.customer_number and call.direction != 'internal'
            }
            if callers:
                matches = self.env['telephony.matcher']._match(
                    company, set(callers.values()), without=self.ids
                )
                found.update({call_id: matches[caller] for call_id, caller in callers.items()})
        return found

    def _number_key(self):
        return self.company_id, self.customer_number

    def _owner(self):
        """The customer's salesperson: the deal's, or else the contact's or its company's."""
        return (
            self.lead_id.user_id
            or self.partner_id.user_id
            or self.partner_id.commercial_partner_id.user_id
        )

    # === WHO IS RESPONSIBLE === #

    def _responsible(self, due=None):
        """Who has to look after this call: the first who can until then (naive UTC), or else the
        first."""
        users = self._chain(
            self.company_id,
            self.lead_id,
            self.partner_id,
            self.number_id,
            self.user_id | self.leg_ids.user_id,
        )
        there = users - users._telephony_away(due or self._moment())
        return (there or users)[:1]

    @api.model
    def _chain(self, company, lead, partner, number, phones):
        """Who is responsible, the nearest first: the deal's owner, the contact's, the number's
        user, the team's leader; then `phones`: who placed the call or whose phone rang in vain.
        Whoever has nothing to do with telephony would not see the callback, and comes last."""
        users = self.env['res.users'].union(
            lead.user_id,
            partner.user_id,
            partner.commercial_partner_id.user_id,
            number.user_id,
            number.team_id.user_id,
            lead.team_id.user_id,
            phones,
        )
        return users.filtered(lambda user: user.active and company in user.company_ids).sorted(
            lambda user: not user._is_telephonist()
        )

    # === WHAT MOVES === #

    def _lose_place(self):
        """Their deal or contact was deleted, and with it what was said about these calls: they are
        looked up again."""
        left = self.filtered(lambda call: not call.lead_id)
        for certain, calls in left.grouped(
            lambda call: call.partner_id and call.state == 'ended'
        ).items():
            calls.write(
                {
                    'match_state': 'auto' if certain else 'none',
                    'settled_by_id': False,
                    'settled_at': False,
                    'match_reason': _lt("What it was about was deleted"),
                }
            )
        self.env['telephony.rebind'].sudo()._queue(self.mapped('customer_number'))

    def _match_again(self, matches=None, always=()):
        """Let the matcher decide anew. Old calls get a contact and no deal: what is sold today was
        not what they were about.

        :param matches: what :meth:`_matches` has told already
        :param always: those of the calls that get what the matcher says, however old they are
        """
        recent = fields.Datetime.now() - timedelta(days=setting(self.env, 'late_deal_days'))
        matches, groups = self._matches() if matches is None else matches, {}
        for call in self:
            if match := matches.get(call.id):
                values = call._values_of(match, call in always or call.start_at >= recent)
                if changes(call, values):
                    groups.setdefault(tuple(values.items()), []).append(call.id)
        with self._moving_along(is_restored=bool(always)):
            for values, ids in groups.items():
                self.browse(ids).write(dict(values))

    def _match_late(self):
        """Give calls that are on no deal what the matcher finds now. What is certain is not made
        uncertain, and a contact is not exchanged."""
        matches = self._matches()
        self.filtered(
            lambda call: call.id in matches
            and (
                call.match_state in ('none', 'ambiguous')
                or (
                    matches[call.id].state == 'auto'
                    and matches[call.id].lead
                    and matches[call.id].partner.commercial_partner_id
                    in (call.partner_id.commercial_partner_id, call.partner_id.browse())
                )
            )
        )._match_again(matches)

    def _values_of(self, match, with_deal=True):
        values = {
            'partner_id': match.partner.id,
            'lead_id': match.lead.id,
            'match_state': match.state,
            'match_reason': match.reason or False,
            'is_excluded': match.excluded,
        }
        if with_deal or match.excluded:
            return values
        if match.partner:
            return {
                **values,
                'lead_id': False,
                'match_state': 'auto',
                'match_reason': _lt("Contact with this number"),
            }
        return {**values, 'lead_id': False, 'match_state': 'none', 'match_reason': False}

    @contextmanager
    def _moving_along(self, is_restored=False):
        """Whatever changes contact and deal of these calls inside, what has followed from the calls
        goes to where they are then.

        :param is_restored: a decision is taken back, and with it what it has changed long ago
        """
        memory = {
            **self._before_customer_changed(),
            'places': {call: call._place() for call in self},
            'is_restored': is_restored,
        }
        excluded = self.filtered('is_excluded')
        yield
        moved = self.filtered(lambda call: call._place() != memory['places'][call])
        self._after_customer_changed(moved, memory)
        if owed := excluded.filtered(
            lambda call: not call.is_excluded and call.follow_up == 'done'
        ):
            owed.follow_up = 'todo'  # a customer's after all: what would have followed does
            self.env.ref('crm_telephony.ir_cron_follow_up').sudo()._trigger()

    def _place(self):
        """The record that bears the call's chatter line."""
        return self.lead_id or self.partner_id

    # === HOOKS OF LATER STAGES === #

    def _before_customer_changed(self):
        """What later stages have to know of these calls when contact, deal or ignoring have
        changed, as a dict with a key for each stage."""
        return {}

    def _after_customer_changed(self, moved, memory):
        """These calls may belong to others than before.

        :param moved: those of them whose deal, or contact where there is no deal, is another one
        :param dict memory: what :meth:`_before_customer_changed` gave, the `places` before (call →
            record), and `is_restored`: a decision was taken back
        """
