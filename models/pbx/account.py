import logging
import re
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from typing import NamedTuple
from urllib.parse import urlsplit

from psycopg2.errors import QueryCanceled

from odoo import SUPERUSER_ID, api, fields, models, tools
from odoo.fields import Domain
from odoo.modules.registry import Registry
from odoo.tools import SQL

from odoo.addons.base.models.res_partner import _tz_get

from ...providers import clients, registry
from ...providers.base import (
    Account,
    Answer,
    ProviderError,
    Question,
    Refused,
    Reply,
    WebhookRequest,
)
from ...providers.numbers import normalise, to_e164
from ...tools.reach import is_encrypted, reach_of
from ...tools.words import _lt, dump
from ..core.other_side import name_in
from ..core.words_field import WordsField, in_words
from ..matching.matcher import Caller

_logger = logging.getLogger(__name__)

# A flood of forged deliveries must not become a flood of writes: refusals are counted in memory and
# written at most this often (seconds) by each process.
REFUSAL_WRITE_INTERVAL = 10
# Strangers are looked for in so many of the latest events.
STRANGERS_OF = 2000
# A PBX that asks who calls waits no longer than this.
ANSWER_MILLISECONDS = 300


# What filing reads of the account, and of its company.
FILING_FIELDS = ('company_id', 'state', 'error_in')
COMPANY_FILING_FIELDS = (
    'partner_id',
    'telephony_short_seconds',
    'telephony_deal_policy',
    'telephony_match_margin',
)


class Directory(NamedTuple):
    """The phones and numbers that filing asks for, as ids: one for all calls, until somebody
    changes one of them."""

    # all numbers of the company; where two PBXs have the same one, this PBX's
    numbers: Mapping[str, int]
    users: Mapping[str, int]  # phone → who sits at it, 0 where nobody does
    sharers: Mapping[str, tuple[int, ...]]  # phone → all who use it


class _Refusals:
    """Refused deliveries that are not yet written, by (database, account id)."""

    def __init__(self):
        self._lock = threading.Lock()
        self._counts = defaultdict(int)
        self._written = {}

    def add(self, key):
        """Count one; the number to write now, or 0."""
        now = time.monotonic()
        with self._lock:
            self._counts[key] += 1
            if now - self._written.get(key, -REFUSAL_WRITE_INTERVAL) < REFUSAL_WRITE_INTERVAL:
                return 0
            self._written[key] = now
            return self._counts.pop(key)


_refusals = _Refusals()


class TelephonyAccount(models.Model):
    """One connected PBX.

    The door of the house: deliveries come in through :meth:`_receive`, commands go out through the
    methods of this model. Which PBX it is matters to its adapter in `providers` alone.
    """

    _name = 'telephony.account'
    _description = "Connected PBX"
    _inherit = ['telephony.settings.mixin']
    _order = 'company_id, name, id'
    _check_company_auto = True
    _cached_fields = frozenset(
        (
            'active',
            'provider',
            'company_id',
            'api_key',
            'api_secret',
            'api_url',
            'webhook_token',
            'country_id',
            'timezone',
            'outside_codes',
            'trunks',
            'state',
            'error_in',
        )
    )

    name = fields.Char(required=True)
    active = fields.Boolean(default=True)
    company_id = fields.Many2one(
        'res.company', required=True, index=True, default=lambda self: self.env.company
    )
    provider = fields.Selection(selection='_selection_provider', string="PBX", required=True)
    state = fields.Selection(
        [('draft', "Waiting for the first event"), ('connected', "Connected"), ('error', "Error")],
        default='draft',
        required=True,
        readonly=True,
        copy=False,
        help="Information only: webhooks are accepted in every state.",
    )

    api_key = fields.Char(groups='crm_telephony.group_admin', copy=False)
    api_secret = fields.Char(groups='crm_telephony.group_admin', copy=False)
    api_url = fields.Char(
        string="API Address",
        compute='_compute_api_url',
        store=True,
        readonly=False,
        help="The provider's public address by default. Change it for your own PBX or another brand of the same platform.",
    )
    webhook_token = fields.Char(
        groups='crm_telephony.group_admin',
        copy=False,
        required=True,
        readonly=True,
        default=lambda self: self._new_token(),
    )
    webhook_url = fields.Char(
        string="Webhook Address", compute='_compute_webhook_url', groups='crm_telephony.group_admin'
    )
    country_id = fields.Many2one(
        'res.country',
        compute='_compute_country_id',
        store=True,
        readonly=False,
        help="Numbers without a country code belong to this country.",
    )
    timezone = fields.Selection(
        _tz_get,
        required=True,
        default=lambda self: self.env.user.tz or 'UTC',
        help="The zone of the PBX's own clock. Times without an offset are read in it.",
    )
    outside_codes = fields.Char(
        string="Outside Line Codes",
        help="What employees dial before a number to get an outside line, separated by commas: 9, 0. It is no part of the "
        "customer's number.",
    )
    route_to_owner = fields.Boolean(
        string="Ring the Customer's Salesperson First",
        default=True,
        help="Where the PBX asks who should get a call: the owner of the deal or contact, if he is at work now.",
    )
    recording_hosts = fields.Char(
        groups='crm_telephony.group_admin',
        help="Hosts from which recordings may be fetched, besides the provider's own: separated by commas, "
        "'.example.com' takes every host below it. Only public addresses are ever contacted, but for the PBX's own API.",
    )

    trunks = fields.Char(
        groups='crm_telephony.group_admin',
        help="Endpoints and contexts of the PBX through which calls come from outside and go there, separated by commas: "
        "701, DAHDI/1, from-gateway. The others are judged by what they do.",
    )
    has_trunks = fields.Boolean(compute='_compute_labels')
    strangers = fields.Json(
        compute='_compute_strangers',
        groups='crm_telephony.group_admin',
        help="Endpoints in the latest calls that nobody has entered: a list of {name, extension, is_trunk}.",
    )

    number_ids = fields.One2many('telephony.number', 'account_id', string="Company Numbers")
    extension_ids = fields.One2many('telephony.extension', 'account_id', string="Extensions")

    api_key_label = fields.Char(compute='_compute_labels')
    api_secret_label = fields.Char(compute='_compute_labels')
    setup_steps = fields.Html(compute='_compute_labels')
    setup_bodies = fields.Json(
        compute='_compute_setup_bodies',
        groups='crm_telephony.group_admin',
        help="Notifications to enter in the PBX by hand: a list of {title, url, body}.",
    )
    webhook_warning = fields.Char(
        compute='_compute_webhook_warning', groups='crm_telephony.group_admin'
    )
    has_setup_file = fields.Boolean(compute='_compute_labels')
    has_api = fields.Boolean(
        string="Has an API",
        compute='_compute_labels',
        help="Whether the PBX can be asked and told anything.",
    )

    event_state = fields.Selection(
        [('none', "No event yet"), ('arrive', "Events arrive"), ('refused', "Events refused")],
        string="Events of the PBX",
        compute='_compute_event_state',
        help="Whether what happens in the PBX arrives here. That its API answers does not tell.",
    )
    last_event_at = fields.Datetime(
        string="Last Event",
        compute='_compute_last_event_at',
        help="What the PBX sent by itself: not what was read back from it.",
    )
    event_count = fields.Integer(string="Events", compute='_compute_inbox')
    failed_event_count = fields.Integer(string="Failed Events", compute='_compute_inbox')
    refused_count = fields.Integer(
        string="Refused Deliveries",
        readonly=True,
        copy=False,
        help="Deliveries with a wrong or missing signature. They are answered 403 and not stored.",
    )
    refused_at = fields.Datetime(string="Last Refusal", readonly=True, copy=False)
    refused_reason = WordsField(string="Reason of the Last Refusal", readonly=True, copy=False)

    _webhook_token_uniq = models.UniqueIndex(
        '(webhook_token)', "This webhook token is already used."
    )

    # === DEFAULTS AND COMPUTES === #

    @api.model
    def _selection_provider(self):
        _ = self.env._
        return sorted(
            ((code, _(provider.label)) for code, provider in registry.items()),
            key=lambda item: item[1],
        )

    @api.model
    def _new_token(self):
        """256 random bits: long enough to look an account up by it without a constant-time
        comparison."""
        return secrets.token_urlsafe(32)

    @api.depends('provider')
    def _compute_api_url(self):
        for account in self:
            account.api_url = (
                registry[account.provider].default_api_url
                if account.provider in registry
                else False
            )

    @api.depends('company_id')
    def _compute_country_id(self):
        for account in self:
            account.country_id = account.company_id.country_id

    @api.depends('webhook_token', 'provider')
    @api.depends_context('company')
    def _compute_webhook_url(self):
        for account in self:
            account.webhook_url = f'{account.get_base_url()}/telephony/webhook/{account.provider}/{account.webhook_token}'

    @api.depends('provider')
    @api.depends_context('lang')
    def _compute_labels(self):
        _ = self.env._
        for account in self:
            provider = registry.get(account.provider)
            account.api_key_label = bool(provider and provider.api_key_label) and _(
                provider.api_key_label
            )
            account.api_secret_label = bool(provider and provider.api_secret_label) and _(
                provider.api_secret_label
            )
            account.has_trunks = bool(provider and provider.names_trunks)
            account.has_api = account.provider in clients
            account.has_setup_file = bool(provider and provider.setup_file(Account()))
            account.setup_steps = self.env['ir.qweb']._render(
                'crm_telephony.setup_steps',
                {'steps': [_(step) for step in provider.setup_steps] if provider else ()},
            )

    @api.depends('trunks', 'extension_ids.number')
    def _compute_strangers(self):
        for account in self:
            account.strangers = [
                asdict(one) for one in (account._strangers() if account.has_trunks else ())
            ]

    def _strangers(self):
        """Endpoints of the latest calls that nobody has entered."""
        if not self._origin:
            return []
        Event = self.env['telephony.event'].sudo()
        latest = Event.search_fetch(
            [('account_id', 'in', self._origin.ids), ('call_ref', '!=', False)],
            ['call_ref', 'payload', 'received_at', 'kind'],
            limit=STRANGERS_OF,
            order='id desc',
        )
        calls = map(Event._stored, latest.sorted('id').grouped('call_ref').values())
        return self._adapter().strangers(filter(None, calls), self._origin._settings())

    @api.depends('webhook_url')
    @api.depends_context('lang')
    def _compute_setup_bodies(self):
        for account in self:
            provider = registry.get(account.provider)
            account.setup_bodies = [
                {'title': one.title, 'url': f'{account.webhook_url}{one.suffix}', 'body': one.body}
                for one in (provider.setup_bodies if provider else ())
            ]

    @api.depends('webhook_url')
    @api.depends_context('lang')
    def _compute_webhook_warning(self):
        """Why the PBX may not reach the webhook address, as far as the address itself tells."""
        _ = self.env._
        for account in self:
            provider, url = registry.get(account.provider), account.webhook_url or ''
            reach, stands_inside = reach_of(url), bool(provider and provider.stands_inside)
            host = urlsplit(url).hostname
            if not provider:
                account.webhook_warning = False
            elif reach == 'machine':
                account.webhook_warning = _(
                    "Only a program on this very server reaches %(host)s, no PBX elsewhere: its calls would never arrive. Set "
                    "the system parameter web.base.url to the address under which the PBX reaches Odoo.",
                    host=host,
                )
            elif reach == 'network' and not stands_inside:
                account.webhook_warning = _(
                    "%(host)s is known in your own network only, and %(pbx)s is on the internet: its calls would never arrive. "
                    "Set the system parameter web.base.url to Odoo's public address.",
                    host=host,
                    pbx=_(provider.label),
                )
            elif not is_encrypted(url) and not (reach == 'network' and stands_inside):
                account.webhook_warning = _(
                    "The address is not https: numbers of customers and the secret in the address travel readable for others, "
                    "and many PBXs refuse it. Let Odoo be reached over https, then change the system parameter web.base.url."
                )
            else:
                account.webhook_warning = False

    def _compute_inbox(self):
        counts = defaultdict(dict)
        for account, state, count in (
            self.env['telephony.event']
            .sudo()
            ._read_group(
                [('account_id', 'in', self.ids)],
                ['account_id', 'state'],
                ['__count'],
            )
        ):
            counts[account.id][state] = count
        for account in self:
            account.event_count = sum(counts[account.id].values())
            account.failed_event_count = counts[account.id].get('failed', 0)

    def _compute_last_event_at(self):
        last = self.env['telephony.event'].sudo()._last_delivered(self)
        for account in self:
            account.last_event_at = last.get(account.id, False)

    @api.depends('refused_at')
    def _compute_event_state(self):
        for account in self:
            last, refused = account.last_event_at, account.refused_at
            account.event_state = (
                'refused'
                if refused and not (last and last >= refused)
                else 'arrive'
                if last
                else 'none'
            )

    # === ACTIONS === #

    def action_rotate_token(self):
        """A new webhook address at once; the old one answers 404 from now on."""
        for account in self:
            account.webhook_token = self._new_token()
        return True

    def action_reset_refusals(self):
        self.write({'refused_count': 0, 'refused_at': False, 'refused_reason': False})
        return True

    def action_is_trunk(self, name):
        """From now on this endpoint is a trunk."""
        self.ensure_one()
        self.trunks = ', '.join(dict.fromkeys([*self._trunks(), name]))

    def action_is_phone(self, extension):
        """From now on this endpoint is a phone; whose, the administrator enters."""
        self.ensure_one()
        self.check_access('write')
        if extension not in self.extension_ids.mapped('number'):
            self.env['telephony.extension'].create({'account_id': self.id, 'number': extension})

    def _trunks(self):
        return [
            name for part in re.split(r'[,;\n]', self.sudo().trunks or '') if (name := part.strip())
        ]

    def action_download_setup_file(self):
        """What the PBX wants to be fed with, made of this form."""
        self.ensure_one()
        return {
            'type': 'ir.actions.act_url',
            'url': f'/telephony/template/{self.id}',
            'target': 'download',
        }

    def _setup_file(self):
        """The set-up file of this PBX, None where it wants none.

        :raise AccessError: the file holds secrets and is the administrator's alone
        """
        self.ensure_one()
        self.check_access('write')
        return self._adapter().setup_file(self._settings())

    def action_open_base_url(self):
        """Where Odoo's own address is set; whoever may not change it is told so by Odoo."""
        return (
            self.env['ir.config_parameter']
            .search([('key', '=', 'web.base.url')], limit=1)
            ._get_records_action(name=self.env._("Odoo's Address"))
        )

    def action_view_events(self):
        self.ensure_one()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'crm_telephony.telephony_event_action'
        )
        action['domain'] = [('account_id', '=', self.id)]
        action['context'] = {'search_default_failed': 1} if self.failed_event_count else {}
        return action

    def action_view_calls(self):
        self.ensure_one()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'crm_telephony.telephony_call_action'
        )
        action['domain'] = [('account_id', '=', self.id)]
        action['context'] = {}
        return action

    # === WEBHOOK === #

    @api.model
    def _from_webhook(self, provider, token):
        """The account that a webhook address belongs to (sudo), empty when there is none."""
        try:
            account_id, account_provider = self._account_of_token(token)
        except LookupError:
            return self.sudo().browse()
        return self.sudo().browse(account_id if account_provider == provider else [])

    @api.model
    @tools.ormcache('token')
    def _account_of_token(self, token):
        """(id, provider) of an active account. Unknown tokens raise, so that guessing cannot fill
        the cache."""
        account = self.sudo().search_fetch([('webhook_token', '=', token)], ['provider'], limit=1)
        if not account:
            raise LookupError
        return account.id, account.provider

    @tools.ormcache('self.id')
    def _settings(self):
        """What the adapter may know of this account, as plain data."""
        self.ensure_one()
        account = self.sudo()
        numbers = (
            self.env['telephony.number']
            .sudo()
            .search_fetch([('company_id', '=', account.company_id.id)], ['name'])
        )
        return Account(
            api_key=account.api_key or '',
            api_secret=account.api_secret or '',
            api_url=account.api_url or '',
            webhook_url=account.webhook_url,
            timezone=account.timezone,
            outside_codes=tuple(re.findall(r'[\d*#]+', account.outside_codes or '')),
            country=account.country_id.code or '',
            extensions=frozenset(account.extension_ids.mapped('number')),
            own_numbers=frozenset(numbers.mapped('name')),
            trunks=frozenset(account._trunks()),
        )

    @tools.ormcache('self.id')
    def _filing_values(self):
        """What the ORM's cache holds of the account and its company once filing has read them."""
        account = self.sudo()
        return tuple(
            {name: record._fields[name].convert_to_cache(record[name], record) for name in names}
            for record, names in (
                (account, FILING_FIELDS),
                (account.company_id, COMPANY_FILING_FIELDS),
            )
        )

    def _recall(self):
        """Have at hand what filing asks of the account and its company. It does not change from
        call to call, and a caller waits for the card."""
        own, companys = self._filing_values()
        for record, values in (
            (self, own),
            (self.env['res.company'].browse(own['company_id']), companys),
        ):
            for name, value in values.items():
                record._fields[name]._insert_cache(record, [value])

    @tools.ormcache('self.id')
    def _directory(self):
        """:class:`Directory`"""
        self.ensure_one()
        account = self.sudo()
        numbers = (
            self.env['telephony.number']
            .sudo()
            .search_fetch([('company_id', '=', account.company_id.id)], ['name', 'account_id'])
        )
        return Directory(
            {
                number.name: number.id
                for number in numbers.sorted(lambda number: number.account_id == account)
            },
            {phone.number: phone.user_id.id or 0 for phone in account.extension_ids},
            {
                phone.number: (phone.user_id | phone.also_user_ids)._ids
                for phone in account.extension_ids
            },
        )

    def _recording_hosts(self):
        """Hosts from which recordings of this PBX are fetched: the provider's own and those that
        the administrator entered."""
        self.ensure_one()
        return (*self._adapter().recording_hosts, *(self.sudo().recording_hosts or '').split(','))

    def _adapter(self):
        return registry[self._provider_code()]

    @tools.ormcache('self.id')
    def _provider_code(self):
        """Without a query in every delivery."""
        return self.sudo().provider

    def _receive(self, request: WebhookRequest) -> Reply:
        """Authenticate a delivery, append its events to the inbox and answer what the PBX asks.
        Nothing else happens before the answer.

        :raise Refused: it is not from this PBX or too large; nothing was stored
        """
        self.ensure_one()
        provider, settings = self._adapter(), self._settings()
        try:
            if reply := provider.handshake(request):
                return reply
            provider.verify(request, settings)
        except Exception as error:
            if not isinstance(error, ProviderError):
                _logger.exception("telephony account %s: a delivery cannot be verified", self.id)
                error = Refused(
                    _lt("The delivery could not be checked: the server's log tells why.")
                )
            self._count_refusal(in_words(error))
            raise error if isinstance(error, Refused) else Refused(in_words(error)) from None
        self.env['telephony.event']._append(self, request)
        try:
            if not (question := provider.question(request, settings)):
                return provider.reply(request)
            with self.env.cr.savepoint():
                return provider.reply(request, self._answer(question))
        # the events are stored: an answer that cannot be given must not take them away
        except Exception:
            _logger.exception("telephony account %s: no answer to a question", self.id)
            return provider.reply(request)

    def _answer(self, question: Question) -> Answer:
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

    @staticmethod
    def _file_in_new_transaction(database, account_id):
        """Make calls of what is pending in the inbox of an account. Whatever goes wrong here, the
        events are safe and the scheduled action finds them."""
        with Registry(database).cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            env['telephony.event']._process(env['telephony.account'].browse(account_id))

    def _count_refusal(self, reason):
        if count := _refusals.add((self.env.cr.dbname, self.id)):
            self.env.cr.execute(
                SQL(
                    """ UPDATE telephony_account
                       SET refused_count = COALESCE(refused_count, 0) + %s,
                           refused_at = now() at time zone 'UTC',
                           refused_reason = %s
                     WHERE id IN (SELECT id FROM telephony_account WHERE id = %s FOR NO KEY UPDATE SKIP LOCKED) """,
                    count,
                    dump(reason),
                    self.id,
                )
            )
            _logger.info(
                "%s refused deliveries for telephony account %s: %s", count, self.id, reason
            )

    @api.model
    def _search_pending(self):
        """Accounts with something to do in their inbox, archived ones included: what was accepted
        is processed."""
        groups = (
            self.env['telephony.event']
            .sudo()
            ._read_group(Domain('state', '=', 'pending'), ['account_id'])
        )
        return self.browse([account.id for (account,) in groups])
