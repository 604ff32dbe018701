from contextlib import contextmanager
from datetime import timedelta

from odoo import api, fields, models

from ...tools.records import changes
from ...tools.settings import setting
from ...tools.words import _lt
from .matcher import Caller


class TelephonyCall(models.Model):
    """Asks the matcher whose calls these are: when a call is filed, when it ends, and again when
    contacts, deals or decisions have changed."""

    _inherit = 'telephony.call'

    # === WHEN A CALL IS FILED === #

    @api.model
    def _before_filed(self, account, records, facts, existing):
        """Add contact and deal of these calls to their facts: what the matcher finds, or the record
        from which a call was started in Odoo."""
        super()._before_filed(account, records, facts, existing)
        users = account._directory().users
        talkers = {ref: self._talker(records[ref], users) for ref in facts}
        self._add_matches(account.company_id, facts, existing, talkers)
        self.env['telephony.dial']._link(account, facts, existing)

    @api.model
    def _talker(self, record, users):
        """Return the id of the user who talked longest, because whoever took the call may have
        passed it on; else of who took or placed it, or False."""
        talked = [leg for leg in record.legs if leg.talk_seconds and users.get(leg.extension)]
        longest = max(talked, key=lambda leg: leg.talk_seconds, default=record)
        return users.get(longest.extension) or False

    @api.model
    def _add_matches(self, company, facts, existing, talkers):
        """Look up the customers of new calls, and once more when they end, because only then it is
        known who talked. Events after the end change nothing, and nothing changes a person's
        choice.

        :param dict facts: PBX call id → field values of the call, changed here
        :param dict existing: PBX call id → call that is filed already
        :param dict talkers: PBX call id → id of the user who talked, or False
        """
        running = [call for ref, call in existing.items() if ref in facts and call.state != 'ended']
        made = self._with_own_deal([call for call in running if call.lead_id])
        callers = {}
        for ref, values in facts.items():
            call, number = existing.get(ref), values['customer_number']
            if call and (
                call.match_state == 'manual' or call in made and call.customer_number == number
            ):
                continue
            if number:
                if not call or call.customer_number != number or call._ends_with(values):
                    callers[ref] = Caller(number, values['number_id'], talkers[ref])
            elif call and call.customer_number:
                # what was taken for a customer is one of our own numbers
                values.update(
                    partner_id=False,
                    lead_id=False,
                    match_state='none',
                    match_reason=False,
                    is_excluded=False,
                )
        if callers:
            matches = self.env['telephony.matcher']._match(company, set(callers.values()))
            for ref, caller in callers.items():
                values = facts[ref]
                # today's deals are not what the past was about
                values.update(
                    self._values_of(matches[caller], with_deal=not values.get('is_imported'))
                )

    def _ends_with(self, values):
        """Return whether the call ends with these facts: it was not over yet, or its end was only
        assumed."""
        was_over = self.state == 'ended' and (not self.end_unknown or values['end_unknown'])
        return values['state'] == 'ended' and not was_over

    @api.model
    def _with_own_deal(self, calls):
        """Return those of the calls whose deal was made of them while they rang: nobody has to
        choose it."""
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
        """Ask the matcher about the calls that have a customer's number.

        :return: dict call id → :class:`.matcher.Match`
        """
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
        """Return the customer's salesperson: the deal's, or else the contact's or its company's."""
        return (
            self.lead_id.user_id
            or self.partner_id.user_id
            or self.partner_id.commercial_partner_id.user_id
        )

    # === WHO IS RESPONSIBLE === #

    def _responsible(self, due=None):
        """Return who looks after this call: the nearest responsible user who is not on leave at
        `due` (naive UTC; without it at the end of the call), else the nearest."""
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
        """Return the responsible users, the nearest first: the deal's salesperson, the contact's,
        the number's user, the team's leader; then `phones`: who placed the call or whose phone rang
        in vain. Users without rights on telephony come last, because they would not see the
        callback."""
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
        """Forget what people said about these calls, whose deal or contact was deleted, and queue
        them to be matched again."""
        left = self.filtered(lambda call: not call.lead_id)
        for certain, calls in left.grouped(
            lambda call: call.partner_id and call.state == 'ended'
        ).items():
            calls.write(
                {
                    'match_state': 'auto' if certain else 'none',
                    'settled_by_id': False,
                    'settled_at': False,
                    'match_reason': _lt("The deal or contact of this call was deleted"),
                }
            )
        self.env['telephony.rebind'].sudo()._queue(self.mapped('customer_number'))

    def _match_again(self, matches=None, always=()):
        """Let the matcher decide anew. Old calls get a contact and no deal, because today's deals are
        not what they were about.

        :param matches: what :meth:`_matches` has returned already
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
        """Give calls without a deal the contact and deal that the matcher finds now. A certain match
        never becomes an uncertain one, and a contact is never exchanged."""
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
        """Context manager: if contact or deal of these calls change inside it, chatter line,
        callback and listeners move along.

        :param is_restored: a decision is undone, and with it what it has changed long ago
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
        if restored := excluded.filtered(
            lambda call: not call.is_excluded and call.follow_up == 'done'
        ):
            restored.follow_up = 'todo'  # a customer's after all: what would have followed does
            self.env.ref('crm_telephony.ir_cron_follow_up').sudo()._trigger()

    def _place(self):
        """Return the record that has the call's chatter line."""
        return self.lead_id or self.partner_id

    # === HOOKS OF LATER STAGES === #

    def _before_customer_changed(self):
        """Return what later stages need of these calls to compare with, once contact, deal or
        ignoring have changed: a dict with a key for each stage."""
        return {}

    def _after_customer_changed(self, moved, memory):
        """Called in the same transaction when contact or deal of these calls may have changed.

        :param moved: those of them whose deal, or contact if there is no deal, is another one
        :param dict memory: what :meth:`_before_customer_changed` gave, the `places` before (call →
            record), and `is_restored`: a decision was undone
        """
