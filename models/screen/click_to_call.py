import re
from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain

from ...providers.numbers import pretty, to_e164
from ...tools.records import label_of

# The systray menu looks people up from so many characters on, because an index of trigrams needs
# them, and shows so many of each kind.
SEARCH_CHARACTERS, FOUND_CONTACTS, FOUND_DEALS, RECENT_CALLS = 3, 5, 4, 10
# A call that rang at the user's phone in vain is a recent one for so long.
RECENT_LOST = timedelta(days=7)


class TelephonyDial(models.Model):
    """The methods of click-to-call that browsers call; they return client actions."""

    _inherit = 'telephony.dial'

    @api.model
    def place_call(self, number, res_model=None, res_id=None, confirmed=()):
        """Call the number on which the user has clicked. A call for an open callback takes the
        callback, see `telephony.callback._call`.

        :param number: in any spelling; one without a country code is of the record's country, else
            of the PBX's
        :param res_model: of the record where the user clicked, if any: a deal, a contact, a
            callback, an activity, a call or anything with a contact
        :param confirmed: codes of the warnings that the user has read
        :return: a client action: it tells what happens, asks to confirm the warnings, or opens the
            device's own dialler
        :raise UserError: the call cannot be placed, with the reason
        :raise AccessError: the user has no rights on telephony or on the record
        """
        record = self.env[res_model].browse(res_id or []) if res_model in self.env else None
        if record and record._name == 'telephony.callback' and record.state == 'open':
            result = record._call(confirmed)
        # from a card: the record rules may hide the call from the user whose phone rings
        elif record and record._name == 'telephony.call':
            call = record._mine()
            result = self.with_env(call.env)._place(number, call.sudo(), confirmed)
        else:
            result = self._place(number, record, confirmed)
        return self._as_action(result, record, confirmed)

    @api.model
    def _as_action(self, result, record=None, confirmed=()):
        """Return the client action that tells the user a :class:`DialResult`."""
        if result.outcome == 'unconfirmed':
            return {
                'type': 'ir.actions.client',
                'tag': 'crm_telephony.confirm_call',
                'params': {
                    'number': result.number,
                    'res_model': record._name if record else False,
                    'res_id': record.id if record else False,
                    'warnings': list(result.warnings.values()),
                    'confirmed': [*confirmed, *result.warnings],
                },
            }
        if result.outcome == 'own_device':
            return {
                'type': 'ir.actions.client',
                'tag': 'crm_telephony.own_device',
                'params': {
                    'number': result.number,
                    'display': pretty(result.number),
                    'reason': result.reason,
                },
            }
        if result.outcome == 'browser':
            return {
                'type': 'ir.actions.client',
                'tag': 'crm_telephony.browser_call',
                'params': {
                    'dial_id': result.dial_id,
                    'number': result.number,
                    'dialled': result.dialled,
                    'display': pretty(result.number),
                },
            }
        return {
            'type': 'ir.actions.client',
            'tag': 'display_notification',
            'params': {
                'title': self.env._(
                    "Your phone %(extension)s is ringing", extension=result.extension
                ),
                'message': self.env._("Pick it up, then %(who)s is called.", who=result.who),
                'type': 'info',
            },
        }

    # === WHOM TO CALL: THE SYSTRAY MENU === #

    @api.model
    def search_people(self, wanted):
        """Find whom a user may mean who types a number or a part of a name: contacts and open deals
        with a phone number, as far as they may read them.

        :return: ``[{'model', 'id', 'name', 'detail', 'number', 'display'}, …]``, contacts first;
            `number` is E.164 if it can be parsed. [] for less than three characters, because no
            index finds these
        """
        self.env['telephony.account'].check_access('read')
        wanted = (wanted or '').strip()
        if len(wanted) < SEARCH_CHARACTERS:
            return []
        digits = re.sub(r'\D', '', wanted)
        if re.search(r'[^\d\s()+./-]', wanted) or len(digits) < SEARCH_CHARACTERS:
            digits = ''
        return [*self._search_contacts(wanted, digits), *self._search_deals(wanted, digits)]

    @api.model
    def _search_contacts(self, wanted, digits):
        partners = self.env['res.partner']
        domain = (
            self._number_domain(partners, wanted)
            if digits
            else Domain('complete_name', 'ilike', wanted)
            & (Domain('phone', '!=', False) | Domain('telephony_number_ids', '!=', False))
        )
        found = []
        for partner in partners.search(domain, limit=FOUND_CONTACTS):
            numbers = partner._telephony_numbers() or [partner.phone]
            number = next(
                (
                    number
                    for number in numbers
                    if number and digits and digits in re.sub(r'\D', '', number)
                ),
                next(filter(None, numbers)),
            )
            company = partner.commercial_partner_id
            found.append(
                self._found(
                    partner,
                    partner.name or partner.display_name,
                    company.name
                    if company != partner and company.has_access('read')
                    else partner.city or '',
                    number,
                )
            )
        return found

    @api.model
    def _search_deals(self, wanted, digits):
        leads = self.env['crm.lead']
        domain = (
            self._number_domain(leads, wanted)
            if digits
            else Domain.OR(
                Domain(name, 'ilike', wanted) for name in ('name', 'contact_name', 'partner_name')
            )
        )
        domain &= Domain('won_status', '=', 'pending') & Domain('phone', '!=', False)
        return [
            self._found(
                lead,
                lead.contact_name or lead.partner_name or lead.name,
                lead.name,
                lead.phone_sanitized or lead.phone,
            )
            for lead in leads.search(domain, limit=FOUND_DEALS)
        ]

    @api.model
    def _number_domain(self, model, wanted):
        """Return the domain of records with a number: by any part of it as it is written, or by the
        whole of it in any spelling."""
        domain = Domain('phone_mobile_search', 'ilike', wanted)
        whole = to_e164(wanted, self.env.company.country_id.code or '')
        return domain | Domain('phone_mobile_search', 'ilike', whole) if whole else domain

    @api.model
    def _found(self, record, name, detail, number):
        return {
            'model': record._name,
            'id': record.id,
            'name': name,
            'detail': detail,
            'number': number,
            'display': pretty(number),
        }

    @api.model
    def recent_calls(self):
        """Return the user's last calls with customers: those that they took or placed, and those
        that rang at their phone in vain in the last week.

        :return: ``[{'id' (of telephony.call), 'name', 'number', 'display', 'direction', 'is_lost',
            'outcome' (in words), 'start_at' (UTC)}, …]``, the latest first; names as far as the
            user may read them
        """
        calls = self.env['telephony.call']
        if not self.env.user._is_telephonist():
            return []
        shared = Domain('direction', '!=', 'internal') & Domain(
            'company_id', 'in', self.env.companies.ids
        )
        week = fields.Datetime.now() - RECENT_LOST
        order = 'start_at desc, id desc'
        own = calls.search(
            shared & Domain('user_id', '=', self.env.uid), order=order, limit=RECENT_CALLS
        )
        lost = calls.search(
            shared
            & Domain('start_at', '>=', week)
            & Domain('user_id', '=', False)
            & Domain('leg_ids.user_id', '=', self.env.uid),
            order=order,
            limit=RECENT_CALLS,
        )
        latest = (own | lost).sorted(lambda call: (call.start_at, call.id), reverse=True)
        return [self._recent_call(call) for call in latest[:RECENT_CALLS]]

    @api.model
    def _recent_call(self, call):
        number = (
            call.customer_number
            or (call.caller_number if call.direction == 'inbound' else call.called_number)
            or ''
        )
        return {
            'id': call.id,
            'number': number,
            'display': pretty(number),
            'name': call.customer_name or '',
            'direction': call.direction,
            'is_lost': call._is_lost() and call.direction == 'inbound',
            'outcome': label_of(call, 'outcome') or label_of(call, 'state'),
            'start_at': fields.Datetime.to_string(call.start_at),
        }


class TelephonyCallback(models.Model):
    _inherit = 'telephony.callback'

    def action_call(self, confirmed=()):
        """Call the customer and take the callback.

        :param confirmed: as :meth:`telephony.dial.place_call` takes it
        :return: a client action, as of :meth:`telephony.dial.place_call`
        """
        return self.env['telephony.dial']._as_action(self._call(confirmed), self, confirmed)


class TelephonyAccount(models.Model):
    _inherit = 'telephony.account'

    @api.model
    def place_call(self, number, res_model=None, res_id=None, confirmed=()):
        """The former name of `telephony.dial.place_call`, for integrations that use it over Odoo's
        external API."""
        return self.env['telephony.dial'].place_call(number, res_model, res_id, confirmed)
