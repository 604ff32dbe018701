import logging

from psycopg2.errors import QueryCanceled

from odoo import models
from odoo.tools import SQL

from ...providers.base import Answer, Question
from ...providers.numbers import normalise, to_e164
from ..core.other_side import name_in
from .matcher import Caller

_logger = logging.getLogger(__name__)

# A PBX that asks who calls waits no longer than this.
ANSWER_MILLISECONDS = 300


class TelephonyAccount(models.Model):
    """What a PBX is told that asks who calls, or who should get the call."""

    _inherit = 'telephony.account'

    def _on_question(self, question: Question) -> Answer:
        """What Odoo knows about a caller. A PBX that waits for this keeps a person waiting: what is
        not known in time is not said."""
        number = to_e164(
            question.number, self.country_id.code or '', self._settings().outside_codes
        )
        if question.kind == 'create':
            return Answer(
                contacts=(self._create_contact(question.contact, number)._telephony_contact(),)
            )
        try:
            with self.env.cr.savepoint():
                self.env.cr.execute(SQL("SET LOCAL statement_timeout = %s", ANSWER_MILLISECONDS))
                answer = self._look_up(
                    number, normalise(question.called, self.country_id.code or '')
                )
                self.env.cr.execute(SQL("SET LOCAL statement_timeout = 0"))
                return answer
        except QueryCanceled:
            _logger.warning(
                "telephony account %s: no answer in %s ms", self.id, ANSWER_MILLISECONDS
            )
            return Answer(team=tuple(self.extension_ids.mapped('number')))

    def _look_up(self, number, called):
        company = self.company_id
        dids = (
            self.env['telephony.number'].search(
                [('company_id', '=', company.id), ('name', '=', called)]
            )
            if called
            else self.number_ids.browse()
        )
        did = dids.sorted(lambda one: one.account_id != self)[:1]
        phones = {extension.user_id: extension.number for extension in reversed(self.extension_ids)}
        if not number:
            return Answer(team=self._phones_of(did.team_id, phones))
        caller = Caller(number, did.id)
        match = self.env['telephony.matcher']._match(company, [caller])[caller]
        manager = match.salesperson()
        return Answer(
            contacts=tuple(partner._telephony_contact() for partner in match.partner),
            caller_name=match.partner.complete_name or name_in(match.lead) or match.lead.name or '',
            manager=phones.get(manager, '')
            if self.route_to_owner and manager and self._is_at_work(manager)
            else '',
            team=self._phones_of(did.team_id or match.lead.team_id, phones),
        )

    def _phones_of(self, team, phones):
        """The extensions of a team's members; of everybody where there is no such team: somebody
        has to take the call."""
        return tuple(phones[user] for user in team.member_ids if user in phones) or tuple(
            self.extension_ids.mapped('number')
        )

    def _is_at_work(self, user):
        return bool(user._telephony_at_work(self.company_id))

    def _create_contact(self, contact, number):
        """The contact that a person at the PBX enters; the one who has the number already is not
        entered twice."""
        partner = None
        if number:
            caller = Caller(number)
            match = self.env['telephony.matcher']._match(self.company_id, [caller])[caller]
            partner = match.partner or match.partners[:1]
        return partner or self.env['res.partner'].create(
            {
                'name': f'{contact.first_name} {contact.last_name}'.strip()
                or contact.company
                or number,
                'company_name': contact.company or False,
                'email': contact.email or False,
                'phone': number or contact.phone_business or contact.phone_mobile,
                'country_id': self.country_id.id,
                'company_id': self.company_id.id,
            }
        )
