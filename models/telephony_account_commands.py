import logging
import secrets
from datetime import timedelta, timezone

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from ..providers.base import ProviderError
from ..providers.clients import clients
from ..providers.numbers import normalise, to_e164
from ..tools.words import _lt
from .words_field import WordsField, in_words, told

_logger = logging.getLogger(__name__)

# What is read back each night reaches so far back beyond the last time: PBXs file long calls late.
HISTORY_OVERLAP = timedelta(hours=6)
# Calls of the last minutes are still being told by events.
HISTORY_DELAY = timedelta(minutes=10)


class TelephonyAccount(models.Model):
    """What a PBX can be asked and told. The one door for commands: whoever wants something of a PBX calls a method here."""
    _inherit = 'telephony.account'

    can_check = fields.Boolean(compute='_compute_capabilities')
    can_import = fields.Boolean(compute='_compute_capabilities')
    can_set_webhooks = fields.Boolean(compute='_compute_capabilities')
    can_fetch_history = fields.Boolean(compute='_compute_capabilities')
    state_message = WordsField(string="What the PBX Said", readonly=True, copy=False)
    history_until = fields.Datetime(
        string="Compared Until", readonly=True, copy=False,
        help="Up to here the PBX's own statistics were read back and what was lost on the way was found again.")
    history_message = WordsField(string="Comparison", readonly=True, copy=False)

    @api.depends('provider')
    def _compute_capabilities(self):
        for account in self:
            account.can_check = account._can('check')
            account.can_import = account._can('extensions') or account._can('numbers')
            account.can_set_webhooks = account._can('set_webhooks')
            account.can_fetch_history = account._can('history')

    def _can(self, capability):
        return self.provider in clients and clients[self.provider].can(capability)

    def _client(self, capability):
        """A conversation with the PBX.

        :raise UserError: this PBX cannot do that
        """
        self.ensure_one()
        if not self._can(capability):
            raise UserError(self.env._("%(pbx)s cannot do this over its API.", pbx=self.name))
        return clients[self.provider](self._settings())

    # === BUTTONS === #

    def action_check(self):
        """Log in and say what answered."""
        return self._told('check', lambda client: client.check())

    def action_set_webhooks(self):
        """Let the PBX know our address."""
        return self._told('set_webhooks', lambda client: client.set_webhooks())

    def action_import(self):
        """Take over the extensions and numbers that the PBX has and we do not."""
        self.check_access('write')
        capability = 'extensions' if self._can('extensions') else 'numbers'
        return self._told(capability, self._import)

    def action_fetch_history(self):
        """Do now what is done every night."""
        self.check_access('write')
        self.env.ref('crm_telephony.ir_cron_fetch_history').sudo()._trigger()
        return {
            'type': 'ir.actions.client', 'tag': 'display_notification',
            'params': {'message': self.env._("The comparison starts now; its result will stand on this form."), 'type': 'info'},
        }

    def _import(self, client):
        new_extensions, new_numbers = [], []
        if client.can('extensions'):
            have = set(self.extension_ids.mapped('number'))
            users = {user.name.casefold(): user.id for user in self.env['res.users'].search([('share', '=', False)])}
            new_extensions = [{
                'account_id': self.id, 'number': one.number, 'user_id': users.get(one.name.casefold()) if one.name else False,
            } for one in client.extensions() if one.number not in have]
        if client.can('numbers'):
            have = set(self.number_ids.mapped('name'))     # another PBX of the company may have the same number
            new_numbers = [{
                'account_id': self.id, 'name': one.number, 'label': one.label or False,
            } for one in client.numbers() if normalise(one.number, self._settings().country) not in have]
        self.env['telephony.extension'].create(new_extensions)
        self.env['telephony.number'].create(new_numbers)
        return _lt("%(extensions)s new extensions, %(numbers)s new numbers",
                   extensions=len(new_extensions), numbers=len(new_numbers))

    def _told(self, capability, talk):
        """Talk to the PBX; what it said, good or bad, stands on the account and is shown."""
        self.check_access('write')
        client = self._client(capability)
        try:
            message, kind = talk(client), 'success'
            self.write({'state': 'connected', 'state_message': message})
        except ProviderError as error:
            message, kind = in_words(error), 'danger'
            self.write({'state': 'error', 'state_message': message})
        return {
            'type': 'ir.actions.client', 'tag': 'display_notification',
            'params': {'message': told(self.env, message), 'type': kind, 'sticky': kind == 'danger',
                       'next': {'type': 'ir.actions.client', 'tag': 'soft_reload'}},
        }

    # === HISTORY: WHAT WAS LOST ON THE WAY IS FOUND AGAIN === #

    @api.model
    def _cron_fetch_history(self):
        """Compare each PBX's own statistics with the log. Its rows enter as events like any other."""
        accounts = self.search([]).filtered(lambda account: account.can_fetch_history and account._has_credentials())
        self.env['ir.cron']._commit_progress(remaining=len(accounts))
        for account in accounts:
            end = fields.Datetime.now() - HISTORY_DELAY
            start = (account.history_until or end - timedelta(days=1)) - HISTORY_OVERLAP
            account._fetch_history(start, end)
            if not self.env['ir.cron']._commit_progress(1):
                return

    def _has_credentials(self):
        """Without them there is nothing to ask, and nothing wrong either."""
        settings = self._settings()
        return bool(settings.api_secret and (settings.api_key or not self._adapter().api_key_label))

    def _fetch_history(self, start, end):
        """Read back the calls between two times (naive UTC) and file what is new in them. Commits."""
        self.ensure_one()
        event_model, rows, error = self.env['telephony.event'], [], None
        try:
            for payload in self._client('history').history(
                start.replace(tzinfo=timezone.utc), end.replace(tzinfo=timezone.utc),
            ):
                rows.append(event_model._row(self, payload))    # what came before an error is kept
        except Exception as complaint:
            if not isinstance(complaint, (ProviderError, UserError)):
                _logger.exception("telephony account %s: its history cannot be read", self.id)
            error = complaint
        # the conversation took minutes: what follows needs a fresh view of the database
        self.env['ir.cron']._commit_progress()
        self.env.invalidate_all()
        refs = {row.call_ref for row in rows if row.call_ref}
        known = self.env['telephony.call'].search_count([('account_id', '=', self.id), ('external_id', 'in', list(refs))])
        event_model._store(self, rows, fields.Datetime.now())
        message = _lt(
            "PBX %(there)s, Odoo %(here)s, fetched %(new)s", there=len(refs), here=known, new=len(refs) - known)
        values = {'history_message': _lt(
            "%(counts)s. %(complaint)s", counts=message, complaint=in_words(error)) if error else message}
        if not error:
            values['history_until'] = max(end, self.history_until or end)
        elif not getattr(error, 'retryable', False):
            values.update(state='error', state_message=in_words(error))
        self.write(values)
        self.env['ir.cron']._commit_progress()
        event_model._process(self)

    # === COMMANDS: A CALL FROM A RECORD === #

    @api.model
    def place_call(self, number, res_model=None, res_id=None, confirmed=()):
        """What a click on a phone number asks for: see :meth:`_place_call`. Who calls for a callback takes it."""
        record = self.env[res_model].browse(res_id or []) if res_model in self.env else None
        if record and record._name == 'telephony.callback' and record.state == 'open':
            return record.action_call(confirmed)
        if record and record._name == 'telephony.call':     # of a card, perhaps of whom the rules do not show it
            call = record._mine()
            return self.with_env(call.env)._place_call(number, call.sudo(), confirmed)
        return self._place_call(number, record, confirmed)

    @api.model
    def _place_call(self, number, record=None, confirmed=()):
        """Ring the current user's phone and then a number; the call that comes of it will be linked to the record.

        :param number: in any spelling; one without a country code is of the record's country, else of the PBX's
        :param record: where the user clicked: a deal, a contact, a callback, an activity, a call or anything with a contact
        :param confirmed: codes of the warnings that the user has read
        :return: an action that tells what happens, or asks to confirm the warnings
        :raise UserError: it cannot be done, with the reason
        :raise AccessError: the user has no rights on telephony or on the record
        """
        self.check_access('read')
        if record:
            record.ensure_one().check_access('read')
        # sudo: who has to call a customer back does so, though the deal behind it may be a colleague's
        target, activity = self._customer_record(record.sudo() if record else None), self.env['mail.activity']
        if record and record._name == 'mail.activity':
            activity = record
        phone = self._own_phone(self._company_of(record) or (target or self.env['crm.lead']).company_id)
        account = phone.account_id
        wanted = self._callable_number(number, target, account)
        warnings = {code: text for code, text in self._call_warnings(wanted, account).items() if code not in confirmed}
        if warnings:
            return {
                'type': 'ir.actions.client', 'tag': 'crm_telephony.confirm_call',
                'params': {
                    'number': number, 'res_model': record._name if record else False, 'res_id': record.id if record else False,
                    'warnings': list(warnings.values()), 'confirmed': [*confirmed, *warnings],
                },
            }
        dial_model = self.env['telephony.dial']
        dial = dial_model._begin({
            'user_id': self.env.uid, 'account_id': account.id, 'extension': phone.number, 'number': wanted,
            'res_model': target._name if target else False, 'res_id': target.id if target else False,
            'activity_id': activity.id,
        })
        if dial:
            try:
                dial_model._end(dial, pbx_ref=account._dial_from(phone, wanted) or False, state='accepted')
            except Exception as error:
                dial_model._end(dial, state='refused', complaint=in_words(error))
                raise
        is_known = target and target.sudo(False).has_access('read')
        return {
            'type': 'ir.actions.client', 'tag': 'display_notification',
            'params': {
                'title': self.env._("Your phone %(extension)s is ringing…", extension=phone.number),
                'message': self.env._("Pick it up, then %(who)s is called.", who=target.display_name if is_known else wanted),
                'type': 'info',
            },
        }

    @api.model
    def _customer_record(self, record):
        """The deal, or else the contact, that a record is about; None where it is about neither."""
        if not record:
            return None
        if record._name == 'mail.activity':
            return self._customer_record(record.env[record.res_model].browse(record.res_id)) if record.res_model else None
        if record._name in ('crm.lead', 'res.partner'):
            return record
        for name in ('lead_id', 'opportunity_id', 'partner_id'):
            field = record._fields.get(name)
            if field and field.comodel_name in ('crm.lead', 'res.partner') and record[name]:
                return record[name]
        return None

    @api.model
    def _company_of(self, record):
        """The company that a record belongs to, whosever its customer is; of an activity the one that its callback is of."""
        if record and record._name == 'mail.activity':
            record = record._open_callbacks()[:1] or (record.res_model and self.env[record.res_model].browse(record.res_id))
        return record.sudo().company_id if record and 'company_id' in record._fields else self.env['res.company']

    @api.model
    def _own_phone(self, company):
        """The phone of the current user that is rung: of a PBX of the record's company if he has one, the one that he prefers,
        one of the company that he works in.

        :raise UserError: he has none, or none of a PBX that places calls
        """
        user = self.env.user
        phones = user._telephony_phones()
        if not phones:
            raise UserError(self.env._(
                "You have no phone on a PBX. Ask your telephony administrator to enter your extension."))
        able = phones.filtered(lambda phone: phone.account_id._can('dial'))
        if not able:
            raise UserError(self.env._(
                "%(pbx)s cannot place calls from Odoo.", pbx=", ".join(phones.account_id.mapped('name'))))
        return able.sorted(lambda phone: (
            bool(company) and phone.company_id != company, phone != user.sudo().telephony_extension_id,
            phone.company_id != self.env.company))[:1]

    @api.model
    def _callable_number(self, number, record, account):
        """:raise UserError: it is none"""
        own = record._phone_get_country().get(record.id) if record else None
        if not number:
            raise UserError(self.env._("There is no number to call."))
        wanted = own and to_e164(number, own.code or '') or to_e164(number, account.country_id.code or '')
        if not wanted:
            raise UserError(self.env._("%(number)s is not a number that can be called.", number=number))
        return wanted

    @api.model
    def _call_warnings(self, number, account):
        """What the user should know before he calls: code → sentence."""
        warnings = {}
        if self.env['phone.blacklist'].sudo().search_count([('number', '=', number)], limit=1):
            warnings['blacklist'] = self.env._("%(number)s asked not to be called.", number=number)
        calls = self.env['telephony.call'].sudo()
        busy = calls.search(
            calls._live_domain() & Domain('customer_number', '=', number) & Domain('company_id', '=', account.company_id.id),
            limit=1, order='state, start_at desc')   # who talks to him before who rings
        if busy.state == 'in_progress':
            who = busy.user_id.name or busy.extension or self.env._("Somebody")
            warnings['busy'] = self.env._("%(user)s is talking to %(number)s right now.", user=who, number=number)
        elif busy.direction == 'inbound':
            warnings['busy'] = self.env._("%(number)s is calling us right now.", number=number)
        return warnings

    # === COMMANDS: WHAT THE PBX IS TOLD === #

    def _dial(self, user, number):
        """Ring this user's phone and then the number.

        :return: the PBX's id of the call, or '' where it tells none
        :raise UserError: it cannot be done, with the reason
        """
        extension = self.extension_ids.filtered(lambda one: one.user_id == user)[:1]
        if not extension:
            raise UserError(self.env._("%(user)s has no extension on %(pbx)s.", user=user.name, pbx=self.name))
        return self._dial_from(extension, self._callable_number(number, None, self))

    def _dial_from(self, extension, number):
        """Ring a phone and then an E.164 number; the same return and errors as :meth:`_dial`."""
        return self._command('dial', extension.number, number, f'odoo-{secrets.token_hex(6)}')

    def _hang_up(self, call):
        phone = self.env.user._telephony_phones().filtered(lambda one: one.account_id == self)[:1]
        return self._command('hang_up', self._command_ref(call), phone.number or '')

    def _transfer(self, call, extension, attended=False):
        return self._command('transfer', self._command_ref(call), extension.number, attended)

    def _transfer_kinds(self):
        """How calls can be passed on: some of 'blind' and 'attended'."""
        self.ensure_one()
        if not self._can('transfer'):
            return []
        return ['blind', 'attended'] if clients[self.provider].asks_first else ['blind']

    def _phone_states(self):
        """Phone → 'talking' or 'ringing', of the phones of this PBX that are not free."""
        self.ensure_one()
        calls = self.env['telephony.call'].sudo()
        calls = calls.search(calls._live_domain() & Domain('account_id', '=', self.id))
        states = {}
        for call in calls:
            legs = call.leg_ids._running()
            phones = {leg.extension: leg.answered_at for leg in legs}
            if call.direction != 'inbound' and call.extension and not legs.filtered('answered_at'):
                phones[call.extension] = call.answered_at
            for phone, talks in phones.items():
                if talks or phone not in states:
                    states[phone] = 'talking' if talks else 'ringing'
        return states

    def _command_ref(self, call):
        """What the PBX's commands call this running call."""
        stored = self.env['telephony.event'].sudo()._stored(call.sudo().event_ids.sorted('id'))
        return self._adapter().command_ref(stored, self._settings()) or call.external_id

    def _command(self, capability, *args):
        client = self._client(capability)
        try:
            return getattr(client, capability)(*args)
        except ProviderError as error:
            raise UserError(self.env._(
                "%(pbx)s: %(complaint)s", pbx=self.name, complaint=told(self.env, in_words(error)))) from error
