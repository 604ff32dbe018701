import logging
import secrets

from odoo import api, fields, models
from odoo.exceptions import UserError

from ...providers import clients
from ...providers.base import ProviderError
from ...providers.capabilities import (
    Checks,
    Dials,
    ListsExtensions,
    ListsNumbers,
    ReadsHistory,
    SetsWebhooks,
    Transfers,
    method_of,
)
from ...providers.numbers import normalise
from ...tools.words import _lt
from ..core.words_field import WordsField, in_words, told

_logger = logging.getLogger(__name__)

# What `error_in` says of an account whose template cannot be used.
TEMPLATE = 'template'


class TelephonyAccount(models.Model):
    """What a PBX can be asked and told. All commands go through here, so that missing credentials
    and refusals are handled once."""

    _inherit = 'telephony.account'

    can_check = fields.Boolean(compute='_compute_capabilities')
    can_import = fields.Boolean(compute='_compute_capabilities')
    can_set_webhooks = fields.Boolean(compute='_compute_capabilities')
    can_fetch_history = fields.Boolean(compute='_compute_capabilities')
    state_message = WordsField(string="What the PBX Said", readonly=True, copy=False)
    error_in = fields.Char(
        readonly=True,
        copy=False,
        help="What failed last.",
    )
    answered_at = fields.Datetime(
        string="API Answered",
        readonly=True,
        copy=False,
        help="The last good check, import or comparison.",
    )
    api_state = fields.Selection(
        [('unchecked', "API not checked"), ('answers', "API answers"), ('error', "API error")],
        string="API of the PBX",
        compute='_compute_api_state',
        help="Whether the PBX answers what Odoo asks.",
    )

    @api.depends('provider')
    def _compute_capabilities(self):
        for account in self:
            account.can_check = account._can(Checks)
            account.can_import = account._can(ListsExtensions) or account._can(ListsNumbers)
            account.can_set_webhooks = account._can(SetsWebhooks)
            account.can_fetch_history = account._can(ReadsHistory)

    @api.depends('provider', 'state', 'answered_at')
    def _compute_api_state(self):
        for account in self:
            account.api_state = account.can_check and (
                'error'
                if account.state == 'error'
                else 'answers'
                if account.answered_at
                else 'unchecked'
            )

    def _is_waiting_for_events(self):
        """Return whether the next event shows that all is well: the first event of all, or one that
        comes although the webhook address could not be set, or that the template reads again."""
        return self.state == 'draft' or (
            self.state == 'error' and self.error_in in (method_of(SetsWebhooks), TEMPLATE)
        )

    def _note_unusable(self, reason):
        """Say on the form that nothing can be read. Once: each delivery finds it anew."""
        self.ensure_one()
        if self.state != 'error':
            self.write({'state': 'error', 'error_in': TEMPLATE, 'state_message': reason})

    def _heard(self):
        """Return the values of an account whose events arrive and are read."""
        values = {'state': 'connected', 'error_in': False}
        return values | ({'state_message': False} if self.error_in == TEMPLATE else {})

    def _answered(self):
        """Return the values of an account whose API has just answered: an earlier error is over.
        The state is *Connected* only if events have come too."""
        return {
            'state': 'connected' if self.last_event_at else 'draft',
            'error_in': False,
            'answered_at': fields.Datetime.now(),
        }

    def _can(self, capability):
        return self.provider in clients and clients[self.provider].can(capability)

    def _missing(self):
        """Return the label of what has to be entered before this PBX's API can be used, such as
        "API key"; '' if nothing is missing or the PBX has no API."""
        return clients[self.provider].missing(self._settings()) if self.provider in clients else ''

    def _is_ready(self, capability):
        """Return whether the PBX can do this now: its API offers it, and the credentials are
        entered. What is not ready has no button."""
        self.ensure_one()
        return self._can(capability) and not self._missing()

    def _client(self, capability):
        """Return a client that talks to the PBX.

        :raise UserError: this PBX cannot do that
        """
        self.ensure_one()
        if not self._can(capability):
            raise UserError(self.env._("%(pbx)s cannot do this from Odoo.", pbx=self.name))
        return clients[self.provider](self._settings())

    # === BUTTONS === #

    def action_check(self):
        """Log in to the PBX and show what it answered."""
        return self._told(Checks, lambda client: client.check())

    def action_set_webhooks(self):
        """Enter our webhook address in the PBX."""
        return self._told(SetsWebhooks, lambda client: client.set_webhooks())

    def action_import(self):
        """Create the extensions and numbers that the PBX has and the account lacks."""
        self.check_access('write')
        capability = ListsExtensions if self._can(ListsExtensions) else ListsNumbers
        return self._told(capability, self._import)

    def _import(self, client):
        new_extensions, new_numbers = [], []
        if client.can(ListsExtensions):
            known = {
                *self.extension_ids.mapped('number'),
                *self._settings().trunks,
                *(
                    endpoint['extension']
                    for endpoint in self.strangers or ()
                    if endpoint['is_trunk']
                ),
            }
            users = {
                user.name.casefold(): user.id
                for user in self.env['res.users'].search([('share', '=', False)])
            }
            new_extensions = [
                {
                    'account_id': self.id,
                    'number': phone.number,
                    'user_id': users.get(phone.name.casefold()) if phone.name else False,
                }
                for phone in client.extensions()
                if phone.number not in known
            ]
        if client.can(ListsNumbers):
            # another PBX of the company may have the same number
            known = set(self.number_ids.mapped('name'))
            new_numbers = [
                {'account_id': self.id, 'name': did.number, 'label': did.label or False}
                for did in client.numbers()
                if normalise(did.number, self._settings().country) not in known
            ]
        self.env['telephony.extension'].create(new_extensions)
        self.env['telephony.number'].create(new_numbers)
        return _lt(
            "%(extensions)s new extensions, %(numbers)s new numbers",
            extensions=len(new_extensions),
            numbers=len(new_numbers),
        )

    def _told(self, capability, talk):
        """Run a command, store the PBX's answer or refusal on the account, and show it.

        :param str capability: what the PBX has to offer for it
        :param talk: called with the client; returns the sentence to show
        """
        self.check_access('write')
        client = self._client(capability)
        try:
            message, kind = talk(client), 'success'
            self.write({**self._answered(), 'state_message': message})
        except ProviderError as error:
            message, kind = in_words(error), 'danger'
            self.write(
                {'state': 'error', 'error_in': method_of(capability), 'state_message': message}
            )
        return {
            'type': 'ir.actions.client',
            'tag': 'display_notification',
            'params': {
                'message': told(self.env, message),
                'type': kind,
                'sticky': kind == 'danger',
                'next': {'type': 'ir.actions.client', 'tag': 'soft_reload'},
            },
        }

    # === COMMANDS: WHAT THE PBX IS TOLD === #

    def _dial(self, extension, number):
        """Ring a phone (telephony.extension) and then an E.164 number.

        :return: the PBX's id of the call, or '' where it tells none
        :raise UserError: the PBX cannot do it or refused; the message says why
        """
        return self._command(Dials, extension.number, number, f'odoo-{secrets.token_hex(6)}')

    def _transfer_kinds(self):
        """Return how calls can be transferred: a list of 'blind' and 'attended', empty if not."""
        self.ensure_one()
        if not self._is_ready(Transfers):
            return []
        return ['blind', 'attended'] if clients[self.provider].asks_first else ['blind']

    def _command(self, capability, *args):
        client = self._client(capability)
        if why := self._why_not_yet(capability):
            raise UserError(why)
        try:
            return getattr(client, method_of(capability))(*args)
        except ProviderError as error:
            raise UserError(
                self.env._(
                    "%(pbx)s: %(complaint)s",
                    pbx=self.name,
                    complaint=told(self.env, in_words(error)),
                )
            ) from error

    def _why_not_yet(self, capability):
        """Return the sentence that says what this PBX lacks to do it, and whom to ask; '' if it
        lacks nothing."""
        missing = self._missing()
        if not missing:
            return ''
        _ = self.env._
        values = {'pbx': self.name, 'field': _(missing)}
        if capability is Dials:
            return _(
                "%(pbx)s cannot place calls yet: its %(field)s is not entered. Ask your telephony administrator.",
                **values,
            )
        return _(
            "%(pbx)s cannot be told anything yet: its %(field)s is not entered. Ask your telephony administrator.",
            **values,
        )
