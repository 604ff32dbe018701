import ipaddress
import logging
import re
import secrets
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from odoo import api, fields, models, tools
from odoo.exceptions import ValidationError
from odoo.tools import SQL

from odoo.addons.base.models.res_partner import _tz_get

from ...providers import clients, registry
from ...providers.base import Account, SetupFile
from ...tools import turns
from ...tools.reach import is_encrypted, reach_of
from ...tools.words import dump
from ..core.res_company import FILING_FIELDS as COMPANY_FILING_FIELDS
from ..core.words_field import WordsField, told

_logger = logging.getLogger(__name__)

# A flood of forged deliveries must not become a flood of writes: refusals are counted in memory and
# written at most this often (seconds) by each process.
REFUSAL_WRITE_INTERVAL = 10


# The fields of the account that filing reads.
FILING_FIELDS = ('company_id', 'state', 'error_in')


class Directory(NamedTuple):
    """The ids of an account's phones and numbers, cached, because every filing asks for them."""

    # number → telephony.number, of the whole company; this PBX's, where two PBXs have the same
    numbers: Mapping[str, int]
    users: Mapping[str, int]  # extension → its user, 0 for none
    sharers: Mapping[str, tuple[int, ...]]  # extension → all who use the phone
    # id of telephony.number → ids of its source and campaign, False for none
    origins: Mapping[int, tuple[int, int]]


# Refused deliveries that are not yet written, by (database, account id).
_refusals = turns.Tally(REFUSAL_WRITE_INTERVAL)


class TelephonyAccount(models.Model):
    """One connected PBX: its credentials, its webhook address, its phones and numbers.

    `commands.py` asks and tells the PBX, `inbox/account.py` receives what it sends. Only the
    adapter in `providers` knows what kind of PBX it is.
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
            'capture_until',
            'template_id',
            'senders',
            'state',
            'error_in',
            'recording_policy',
            'recording_storage',
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
        help="By default the provider's public address. Change it for a PBX of your own or another brand of the same platform.",
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
        help="The country of numbers without a country code.",
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
    line_count = fields.Integer(
        string="Lines",
        help="How many calls with the outside this PBX carries at once, both directions together. 0: not known.",
    )
    route_to_owner = fields.Boolean(
        string="Ring the Customer's Salesperson First",
        default=True,
        help="Where the PBX asks who should get a call: the owner of the deal or contact, if they are at work now.",
    )
    recording_hosts = fields.Char(
        groups='crm_telephony.group_admin',
        help="Hosts from which recordings may be fetched, besides the provider's own, separated by commas. "
        "'.example.com' means every host below it. Only public addresses are contacted, except for the PBX's own API.",
    )

    trunks = fields.Char(
        groups='crm_telephony.group_admin',
        help="Endpoints and contexts of the PBX through which calls come from outside and go there, separated by commas: "
        "701, DAHDI/1, from-gateway. The others are judged by what they do.",
    )
    has_trunks = fields.Boolean(compute='_compute_labels')
    template_id = fields.Many2one(
        'telephony.template',
        string="Template",
        groups='crm_telephony.group_admin',
        ondelete='restrict',
        index='btree_not_null',
        domain="[('state', '=', 'live'), ('company_id', 'in', (False, company_id))]",
        help="How the deliveries of this PBX are read.",
    )
    takes_template = fields.Boolean(compute='_compute_labels')
    senders = fields.Char(
        string="Senders",
        groups='crm_telephony.group_admin',
        help="The only addresses from which this PBX delivers, separated by commas: 192.0.2.7, 198.51.100.0/24. Empty: any.",
    )
    template_warning = fields.Char(
        compute='_compute_template_warning', groups='crm_telephony.group_admin'
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
        """Return 256 random bits as text: long enough to look an account up by it without a
        constant-time comparison."""
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

    @api.depends('provider', 'template_id')
    @api.depends_context('lang')
    def _compute_labels(self):
        _ = self.env._
        for account in self:
            provider = account._adapter_shown()
            account.takes_template = bool(provider and provider.takes_template)
            account.api_key_label = bool(provider and provider.api_key_label) and _(
                provider.api_key_label
            )
            account.api_secret_label = bool(provider and provider.api_secret_label) and _(
                provider.api_secret_label
            )
            account.has_trunks = bool(provider and provider.names_trunks)
            account.has_api = account.provider in clients
            account.has_setup_file = bool(
                provider and (provider.setup_bodies or provider.setup_file(Account()))
            )
            account.setup_steps = self.env['ir.qweb']._render(
                'crm_telephony.setup_steps',
                {
                    'steps': [_(step) for step in provider.steps_in(self.env.lang or 'en_US')]
                    if provider
                    else ()
                },
            )

    def _adapter_shown(self):
        """Return the adapter for the values on the form, saved or not; None while none is chosen."""
        provider = registry.get(self.provider)
        return provider and provider.of(Account(template=self.sudo()._template_text()))

    def _template_text(self):
        """Return the template by which deliveries are read; '' while there is none."""
        template = self.template_id
        takes_it = self.provider in registry and registry[self.provider].takes_template
        return template.content if takes_it and template.state == 'live' else ''

    @api.depends('provider', 'template_id.content', 'template_id.state')
    @api.depends_context('lang')
    def _compute_template_warning(self):
        _ = self.env._
        for account in self:
            provider = account._adapter_shown()
            warning = False
            if provider and provider.takes_template:
                if reason := provider.unusable():
                    warning = _(
                        "The template cannot be used, so every event fails: %(reason)s",
                        reason=told(self.env, reason),
                    )
                elif not account._template_text():
                    warning = _(
                        "No template: what the PBX sends is kept, but nobody reads it. Choose the template of your PBX."
                    )
                elif account.template_id.is_by_address_only:
                    warning = _(
                        "Deliveries are taken for genuine by the secret address alone: this PBX can do no better. Whoever "
                        "learns the address can forge calls: tell it to nobody, enter the PBX's own addresses as Senders."
                    )
            account.template_warning = warning

    @api.constrains('senders')
    def _check_senders(self):
        for account in self:
            for sender in account._senders():
                try:
                    ipaddress.ip_network(sender, strict=False)
                except ValueError:
                    raise ValidationError(
                        self.env._(
                            "Senders are addresses such as 192.0.2.7 or 192.0.2.0/24, and this is none: %(text)s",
                            text=sender,
                        )
                    ) from None

    def _senders(self):
        return tuple(re.findall(r'[^\s,;]+', self.sudo().senders or ''))

    @api.depends('webhook_url')
    @api.depends_context('lang')
    def _compute_setup_bodies(self):
        _ = self.env._
        for account in self:
            provider = registry.get(account.provider)
            account.setup_bodies = [
                {
                    'title': _(notification.title),
                    'url': f'{account.webhook_url}{notification.suffix}',
                    'body': notification.body,
                }
                for notification in (provider.setup_bodies if provider else ())
            ]

    @api.depends('webhook_url')
    @api.depends_context('lang')
    def _compute_webhook_warning(self):
        """Say why the PBX may not reach the webhook address, as far as the address itself tells."""
        _ = self.env._
        for account in self:
            provider, url = registry.get(account.provider), account.webhook_url or ''
            reach, stands_inside = reach_of(url), bool(provider and provider.stands_inside)
            host = urlsplit(url).hostname
            if not provider:
                account.webhook_warning = False
            elif reach == 'machine':
                account.webhook_warning = _(
                    "%(host)s is reached from this server only, not from a PBX elsewhere: its calls would never arrive. Set "
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
                    "The address is not https: anybody on the way can read customers' numbers and the secret, and many PBXs "
                    "refuse it. Make Odoo reachable over https, then change web.base.url."
                )
            else:
                account.webhook_warning = False

    # === ACTIONS === #

    def action_rotate_token(self):
        """Give the account a new webhook address. The old one answers 404 from now on."""
        for account in self:
            account.webhook_token = self._new_token()
        return True

    def action_reset_refusals(self):
        self.write({'refused_count': 0, 'refused_at': False, 'refused_reason': False})
        return True

    def action_is_trunk(self, name):
        """Enter an endpoint among the trunks."""
        self.ensure_one()
        self.trunks = ', '.join(dict.fromkeys([*self._trunks(), name]))

    def action_is_phone(self, extension):
        """Enter an endpoint as a phone. Its user is entered by the administrator."""
        self.ensure_one()
        self.check_access('write')
        if extension not in self.extension_ids.mapped('number'):
            self.env['telephony.extension'].create({'account_id': self.id, 'number': extension})

    def _trunks(self):
        return [
            name for part in re.split(r'[,;\n]', self.sudo().trunks or '') if (name := part.strip())
        ]

    def action_download_setup_file(self):
        """Download the set-up file that the PBX imports, filled with the values of this form."""
        self.ensure_one()
        return {
            'type': 'ir.actions.act_url',
            'url': f'/telephony/template/{self.id}',
            'target': 'download',
        }

    def _setup_file(self):
        """Return the set-up file of this PBX, None where it imports none.

        :raise AccessError: only administrators get the file, because it holds secrets
        """
        self.ensure_one()
        self.check_access('write')
        if bodies := self.setup_bodies:
            parts = ['{title}\n{url}\n{body}\n'.format(**body) for body in bodies]
            return SetupFile('odoo-notifications.txt', '\n'.join(parts))
        return self._adapter().setup_file(self._settings())

    def action_open_base_url(self):
        """Open the system parameter with Odoo's address. Odoo refuses users who may not change
        it."""
        return (
            self.env['ir.config_parameter']
            .search([('key', '=', 'web.base.url')], limit=1)
            ._get_records_action(name=self.env._("Odoo's Address"))
        )

    # === WEBHOOK === #

    @api.model
    def _from_webhook(self, provider, token):
        """Return the account of a webhook address (sudo), empty when there is none."""
        try:
            account_id, account_provider = self._account_of_token(token)
        except LookupError:
            return self.sudo().browse()
        return self.sudo().browse(account_id if account_provider == provider else [])

    @api.model
    @tools.ormcache('token')
    def _account_of_token(self, token):
        """Return (id, provider) of an active account.

        :raise LookupError: the token is unknown. What raises is not cached, so guessing cannot fill
            the cache
        """
        account = self.sudo().search_fetch([('webhook_token', '=', token)], ['provider'], limit=1)
        if not account:
            raise LookupError
        return account.id, account.provider

    @tools.ormcache('self.id')
    def _settings(self):
        """Return what the adapter may know of this account, as plain data."""
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
            template=account._template_text(),
            senders=account._senders(),
        )

    @tools.ormcache('self.id')
    def _filing_values(self):
        """Return what the ORM caches of the account and its company when filing reads them: two
        dicts field → cache value."""
        account = self.sudo()
        return tuple(
            {name: record._fields[name].convert_to_cache(record[name], record) for name in names}
            for record, names in (
                (account, FILING_FIELDS),
                (account.company_id, COMPANY_FILING_FIELDS),
            )
        )

    def _recall(self):
        """Put what filing reads of the account and its company into the ORM's cache, because it is
        the same for each call, and a caller waits for the card."""
        account_values, company_values = self._filing_values()
        company = self.env['res.company'].browse(account_values['company_id'])
        for record, values in ((self, account_values), (company, company_values)):
            for name, value in values.items():
                record._fields[name]._insert_cache(record, [value])

    @tools.ormcache('self.id')
    def _directory(self):
        """Return the :class:`Directory` of this account."""
        self.ensure_one()
        account = self.sudo()
        numbers = (
            self.env['telephony.number']
            .sudo()
            .search_fetch(
                [('company_id', '=', account.company_id.id)],
                ['name', 'account_id', 'source_id', 'campaign_id'],
            )
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
            {number.id: (number.source_id.id, number.campaign_id.id) for number in numbers},
        )

    def _recording_hosts(self):
        """Return the hosts from which recordings of this PBX are fetched: the provider's own and
        those that the administrator entered."""
        self.ensure_one()
        return (*self._adapter().recording_hosts, *(self.sudo().recording_hosts or '').split(','))

    def _adapter(self):
        return registry[self._provider_code()].of(self._settings())

    @tools.ormcache('self.id')
    def _provider_code(self):
        """Return the provider code from the cache, so that a delivery costs no query."""
        return self.sudo().provider

    def _count_refusal(self, reason):
        if count := _refusals.add((self.env.cr.dbname, self.id)):
            self.env.cr.execute(
                SQL(
                    """ UPDATE telephony_account
                       SET refused_count = COALESCE(refused_count, 0) + %s,
                           refused_at = date_trunc('second', now() at time zone 'UTC'),
                           refused_reason = %s
                     WHERE id IN (SELECT id FROM telephony_account WHERE id = %s FOR NO KEY UPDATE SKIP LOCKED) """,
                    count,
                    dump(reason),
                    self.id,
                )
            )
            _logger.info(
                "telephony account %s (%s): %s deliveries refused: %s",
                self.id,
                self.name,
                count,
                reason,
            )

    # === HOOKS OF LATER STAGES === #

    def _after_entered(self):
        """Runs when phones or numbers of these PBXs were entered, in the same transaction: an error
        undoes that."""
