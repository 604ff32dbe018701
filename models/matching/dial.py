import re
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import NamedTuple

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import SQL

from ...providers.capabilities import Dials
from ...providers.numbers import numbers_in, pretty
from ...tools import turns
from ...tools.words import _lt
from ..core.words_field import WordsField, in_words

# A PBX answers a request within this time, or never (seconds).
ASKING = 30
# A click on the same number this soon after the PBX has accepted the first one is a double click
# (seconds).
SAME_CLICK = 5
# A call belongs to a click that was at most this long before it, or this long after it if the PBX's
# clock is wrong.
LINK_BEFORE = timedelta(minutes=10)
LINK_AFTER = timedelta(minutes=2)
# Two spellings with the same last digits, this many, are the same number.
SAME_DIGITS = 7
# No number that a device can call is longer.
LONGEST_NUMBER = 50


def same_number(first, second):
    """Return whether two spellings may be the same number. Only the last digits count, because PBXs
    add exit codes and drop country codes."""
    first, second = (re.sub(r'\D', '', number or '')[-SAME_DIGITS:] for number in (first, second))
    return len(first) == SAME_DIGITS and first == second


class DialResult(NamedTuple):
    """What came of a click on a number. Business code reads this; only the methods that browsers
    call make a client action of it.

    `outcome` is

    * ``ringing``: the PBX has accepted the call and rings the user's phone `extension`;
    * ``browser``: the user's browser is the phone and is to call the number itself; `dial_id` is the
      click (telephony.dial), False if it was a double click, `dialled` is what the phone dials;
    * ``unconfirmed``: nothing was done, because the user has not read the `warnings` (code →
      sentence) yet;
    * ``own_device``: nothing was done, because no PBX can ring a phone of this user, as `reason`
      says. They may still call with their own device.
    """

    outcome: str
    number: str  # E.164 where it can be parsed
    # the customer's name as far as the user may read it, else the number
    who: str = ''
    extension: str = ''
    warnings: Mapping[str, str] = MappingProxyType({})
    reason: str = ''
    dial_id: int | bool = False
    dialled: str = ''


class TelephonyDial(models.Model):
    """A call that was started from Odoo: who clicked on which number of which record. Click-to-call
    is here, from asking the PBX (:meth:`_place`) to the record that the call belongs to
    (:meth:`_link`).

    A row is written before the PBX is asked, in a transaction of its own: so a second click finds
    it, whatever becomes of the first, and so does the filing of the call, because a PBX may send
    the call's events before it answers our request.
    """

    _name = 'telephony.dial'
    _description = "Call started from Odoo"
    _order = 'asked_at desc, id desc'
    _rec_name = 'number'

    user_id = fields.Many2one(
        'res.users', required=True, readonly=True, index=True, ondelete='cascade'
    )
    account_id = fields.Many2one(
        'telephony.account', string="PBX", required=True, readonly=True, ondelete='cascade'
    )
    company_id = fields.Many2one(related='account_id.company_id')
    extension = fields.Char(required=True, readonly=True)
    number = fields.Char(required=True, readonly=True, help="As +77771234567.")
    # no many2one: the record may be younger than the transaction that is still open
    res_model = fields.Char(string="Started From", readonly=True, help="crm.lead or res.partner.")
    res_id = fields.Many2oneReference(string="Record", model_field='res_model', readonly=True)
    activity_id = fields.Many2one(
        'mail.activity', readonly=True, index='btree_not_null', ondelete='set null'
    )
    asked_at = fields.Datetime(required=True, readonly=True, default=fields.Datetime.now)
    state = fields.Selection(
        [('asked', "PBX asked"), ('accepted', "Accepted"), ('refused', "Refused")],
        required=True,
        default='asked',
        readonly=True,
    )
    complaint = WordsField(string="What the PBX Said", readonly=True)
    pbx_ref = fields.Char(
        string="ID Told at Once",
        readonly=True,
        help="What the PBX called the call when it was asked to place it.",
    )
    call_ref = fields.Char(string="PBX Call ID", readonly=True, help="The call that came of it.")

    _open_idx = models.Index("(account_id, asked_at) WHERE call_ref IS NULL")
    _call_idx = models.Index("(account_id, call_ref) WHERE call_ref IS NOT NULL")
    _number_idx = models.Index("(number)")

    # === PLACING A CALL === #

    @api.model
    def _place(self, number, record=None, confirmed=()):
        """Ring the current user's phone and then a number; the call that comes of it will be linked
        to the record.

        :param number: in any spelling; one without a country code is of the record's country, else
            of the PBX's
        :param record: what the user wants to call about, if anything: a deal, a contact, a
            callback, an activity, a call or anything with a contact
        :param confirmed: codes of the warnings that the user has read
        :return: :class:`DialResult`
        :raise UserError: the call cannot be placed, with the reason
        :raise AccessError: the user has no rights on telephony or on the record
        """
        self.env['telephony.account'].check_access('read')
        if record:
            record.ensure_one().check_access('read')
        # sudo: a user calls a customer back, though the deal behind it may be a colleague's
        target = self._customer_record(record.sudo() if record else None)
        company = self._company_of(record) or (target or self.env['crm.lead']).company_id
        browser = self._on_own_browser()
        phone, reason = (browser, '') if browser else self._own_phone(company)
        account = phone.account_id
        wanted = self._callable_number(
            number,
            target,
            account.country_id or (company or self.env.company).country_id,
            is_pbx=bool(phone),
        )
        warnings = self._warnings(wanted, account.company_id or company or self.env.company)
        if unread := {code: text for code, text in warnings.items() if code not in confirmed}:
            return DialResult('unconfirmed', wanted, warnings=unread)
        if not phone:
            return DialResult('own_device', wanted, reason=reason)
        dial_id = self._ring(phone, wanted, target, self._activity_of(record), bool(browser))
        is_known = target and target.sudo(False).has_access('read')
        return DialResult(
            'browser' if browser else 'ringing',
            wanted,
            extension=phone.number,
            who=target.display_name if is_known else pretty(wanted),
            dial_id=dial_id,
            dialled=account._adapter().dialled(wanted, account._settings()),
        )

    @api.model
    def _customer_record(self, record):
        """Return the deal, or else the contact, that a record is about; None if it is about
        neither."""
        if not record:
            return None
        if record._name == 'mail.activity':
            return (
                self._customer_record(record.env[record.res_model].browse(record.res_id))
                if record.res_model
                else None
            )
        if record._name in ('crm.lead', 'res.partner'):
            return record
        for name in ('lead_id', 'opportunity_id', 'partner_id'):
            field = record._fields.get(name)
            if field and field.comodel_name in ('crm.lead', 'res.partner') and record[name]:
                return record[name]
        return None

    @api.model
    def _activity_of(self, record):
        """Return the activity that a click on this record is about, else an empty recordset."""
        if record and record._name == 'mail.activity':
            return record
        if record and 'activity_id' in record._fields:
            return record.sudo().activity_id
        return self.env['mail.activity']

    @api.model
    def _company_of(self, record):
        """Return the company of a record, whichever company its customer belongs to; of an activity
        the company of its callback."""
        if record and record._name == 'mail.activity':
            record = record._on_called()
        return (
            record.sudo().company_id
            if record and 'company_id' in record._fields
            else self.env['res.company']
        )

    @api.model
    def _own_phone(self, company):
        """Return the phone of the current user that is to ring: first one of a PBX of the record's
        company, then the phone that they prefer, then one of the company that they work in.

        :return: the phone (telephony.extension, sudo) and ''; without one an empty recordset and
            the reason in words
        """
        user = self.env.user
        phones = user._telephony_phones()
        able = phones.filtered('can_dial').sorted(
            lambda phone: (
                bool(company) and phone.company_id != company,
                phone != user.sudo().telephony_extension_id,
                phone.company_id != self.env.company,
            )
        )[:1]
        if able:
            return able, ''
        if not phones:
            return able, self.env._(
                "You have no phone on a PBX. Ask your telephony administrator to enter your extension."
            )
        unready = phones.account_id.filtered(lambda account: account._can(Dials))[:1]
        return able, unready._why_not_yet(Dials) if unready else self.env._(
            "%(pbx)s cannot place calls from Odoo.", pbx=", ".join(phones.account_id.mapped('name'))
        )

    @api.model
    def _callable_number(self, number, record, country, is_pbx):
        """Return the number as E.164. The user's own device may also call short numbers, such as
        an emergency service.

        :raise UserError: there is no number that can be called
        """
        own = record._phone_get_country().get(record.id) if record else None
        if not number:
            raise UserError(self.env._("There is no number to call."))
        wanted = (
            own and numbers_in(number, own.code or '') or numbers_in(number, country.code or '')
        )
        wanted = next(iter(wanted), '')
        if (
            not wanted
            and not is_pbx
            and len(number) <= LONGEST_NUMBER
            and re.fullmatch(r'[+*#\d\s().-]*\d[*#\d\s().-]*', number)
        ):
            wanted = re.sub(r'[^+*#\d]', '', number)
        if not wanted:
            raise UserError(
                self.env._(
                    "%(number)s is not a complete phone number. Enter it with the area or country code.",
                    number=number,
                )
            )
        return wanted

    @api.model
    def _warnings(self, number, company):
        """Return what the user should know before calling, dict code → sentence."""
        warnings = {}
        if self.env['phone.blacklist'].sudo().search_count([('number', '=', number)], limit=1):
            warnings['blacklist'] = self.env._(
                "%(number)s is on the phone blacklist: the customer asked not to be called.",
                number=number,
            )
        calls = self.env['telephony.call'].sudo()
        busy = calls.search(
            calls._live_domain()
            & Domain('customer_number', '=', number)
            & Domain('company_id', '=', company.id),
            limit=1,
            order='state, start_at desc',
        )  # a talk comes before a ringing phone
        if busy.state == 'in_progress':
            who = busy.user_id.name or busy.extension or self.env._("Somebody")
            warnings['busy'] = self.env._(
                "%(user)s is talking to %(number)s right now.", user=who, number=number
            )
        elif busy.direction == 'inbound':
            warnings['busy'] = self.env._("%(number)s is calling us right now.", number=number)
        return warnings

    # === ASKING THE PBX === #

    @api.model
    def _ring(self, phone, number, target, activity, is_browser):
        """Remember a click and let the PBX ring the phone; a double click changes nothing.

        :param is_browser: the phone is the browser that asks, so it calls the number itself
        :return: the id of the click, False for a double click
        :raise UserError: the PBX refuses, or the phone is being called for another number
        """
        dial_id = self._begin(
            {
                'user_id': self.env.uid,
                'account_id': phone.account_id.id,
                'extension': phone.number,
                'number': number,
                'res_model': target._name if target else False,
                'res_id': target.id if target else False,
                'activity_id': activity.id,
            }
        )
        if dial_id:
            try:
                pbx_ref = not is_browser and phone.account_id._dial(phone, number)
                self._end(dial_id, pbx_ref=pbx_ref or False, state='accepted')
            except Exception as error:
                self._end(dial_id, state='refused', complaint=in_words(error))
                raise
        return dial_id

    @api.model
    def _begin(self, values):
        """Remember a click. Commits, in a transaction of its own.

        :return: the id, or False for a double click
        :raise UserError: the user's phone is being called for another number
        """
        # the clicks of a user one after the other: each sees what became of the one before
        with (
            turns.beside(self.env) as env,
            turns.held(env, turns.Lock.DIALING, values['user_id'], wait=True),
        ):
            dial_model = self.with_env(env).sudo()
            env.cr.execute(
                SQL(
                    """ SELECT number FROM telephony_dial
                     WHERE user_id = %(user)s AND asked_at > %(now)s - %(asking)s * interval '1 second' AND (
                           state = 'asked'
                        OR state = 'accepted' AND number = %(number)s
                           AND write_date > %(now)s - %(same)s * interval '1 second')
                  ORDER BY id DESC LIMIT 1 """,
                    user=values['user_id'],
                    number=values['number'],
                    now=fields.Datetime.now(),
                    asking=ASKING,
                    same=SAME_CLICK,
                )
            )
            found = env.cr.fetchone()
            dial_id = not found and dial_model.create(values).id
            env.cr.commit()  # pylint: disable=invalid-commit
        if found and found[0] != values['number']:
            raise UserError(
                self.env._("Your phone is just being called for %(number)s.", number=found[0])
            )
        return dial_id

    @api.model
    def _end(self, dial_id, **values):
        """Write what the PBX answered, in a transaction of its own, because the filer may be linking
        the call at this moment."""
        turns.done_beside(
            self.env, lambda env: self.with_env(env).sudo().browse(dial_id).write(values)
        )

    # === LINKING THE CALL === #

    @api.model
    def _link(self, account, facts, existing):
        """Link outbound calls to the records from which they were started. One query for all of
        them.

        :param dict facts: PBX call id → field values of the call, changed here
        :param dict existing: PBX call id → call that is filed already
        """
        outbound = {
            ref: values
            for ref, values in facts.items()
            if values['direction'] == 'outbound'
            and values['start_at']
            and not (ref in existing and existing[ref].match_state == 'manual')
        }
        dials = self._dials_of(account, outbound) if outbound else ()
        if not dials:
            return
        for ref, values in sorted(outbound.items(), key=lambda item: item[1]['start_at']):
            dial = dials.filtered(lambda dial, ref=ref: dial.call_ref == ref) or dials._of_call(
                ref, values
            )
            if dial:
                if dial.call_ref != ref:
                    dial.call_ref = ref
                values.update(dial._customer_values(account.company_id, values, existing.get(ref)))

    @api.model
    def _dials_of(self, account, outbound):
        """Return the clicks that these calls may have come of: those that are linked to them, and
        those around them that no call is linked to.

        :param dict outbound: PBX call id → field values of the call
        """
        starts = [values['start_at'] for values in outbound.values()]
        return self.search_fetch(
            Domain('account_id', '=', account.id)
            & (
                Domain('call_ref', 'in', list(outbound))
                | Domain('call_ref', '=', False)
                & Domain('asked_at', '>=', min(starts) - LINK_BEFORE)
                & Domain('asked_at', '<=', max(starts) + LINK_AFTER)
            ),
            [
                'user_id',
                'extension',
                'number',
                'res_model',
                'res_id',
                'asked_at',
                'pbx_ref',
                'call_ref',
            ],
        )

    def _of_call(self, ref, values):
        """Return the click that this call came of, or none: the one with the PBX's own id, else the
        nearest one of the same phone and number."""
        waiting = self.filtered(lambda dial: not dial.call_ref)
        if told := waiting.filtered(lambda dial: dial.pbx_ref == ref):
            return told[:1]
        start = values['start_at']
        return waiting.filtered(
            lambda dial: values['extension'] in (dial.extension, False)
            and dial.asked_at - LINK_AFTER <= start <= dial.asked_at + LINK_BEFORE
            and same_number(dial.number, values['customer_number'] or values['called_number'])
        ).sorted(lambda dial: abs(dial.asked_at - start))[:1]

    def _customer_values(self, company, values, call):
        """Return the field values that link a call to the record from which it was started; {} if
        that was deleted or is another company's."""
        self.ensure_one()
        record = self.env[self.res_model].browse(self.res_id).exists() if self.res_model else None
        if not record or record.company_id not in (company, self.env['res.company']):
            return {}
        if record._name == 'crm.lead':
            partner_id = values.get('partner_id', call and call.partner_id.id)
            return {
                'lead_id': record.id,
                'partner_id': record.partner_id.id or partner_id,
                'match_state': 'manual',
                'is_excluded': False,
                'match_reason': _lt("Called from this deal by %(user)s", user=self.user_id.name),
            }
        lead_id = values.get('lead_id', call and call.lead_id.id)
        return self._contact_values(company, record, self.env['crm.lead'].browse(lead_id or []))

    def _contact_values(self, company, contact, matched):
        """Return the field values that link a call to the contact from which it was started, and to
        the contact's open deal if there is only one.

        :param matched: the deal that the matcher has found, or none
        """
        family = contact.commercial_partner_id
        if matched and matched.partner_id.commercial_partner_id == family:
            return {'partner_id': contact.id}
        deals = self.env['crm.lead'].search(
            [
                ('won_status', '=', 'pending'),
                ('company_id', 'in', [False, company.id]),
                ('partner_id.commercial_partner_id', '=', family.id),
            ],
            limit=2,
        )
        if len(deals) > 1:
            return {
                'partner_id': contact.id,
                'lead_id': False,
                'match_state': 'ambiguous',
                'match_reason': _lt(
                    "Called from this contact by %(user)s: choose the deal", user=self.user_id.name
                ),
            }
        return {
            'partner_id': contact.id,
            'lead_id': deals.id,
            'match_state': 'manual',
            'is_excluded': False,
            'match_reason': _lt("Called from this contact by %(user)s", user=self.user_id.name),
        }

    @api.autovacuum
    def _gc_dials(self):
        """Delete clicks after 30 days, because their calls hold what came of them."""
        old = self.search(
            [('asked_at', '<', fields.Datetime.now() - timedelta(days=30))], limit=10000
        )
        old.unlink()
        return len(old), len(old) == 10000

    # === HOOKS OF LATER STAGES === #

    @api.model
    def _on_own_browser(self):
        """Runs before a call is placed. Returns the phone (telephony.extension, sudo) that the browser
        is which asks for the call, an empty recordset if it is none."""
        return self.env['telephony.extension']
