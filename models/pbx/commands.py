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


class TelephonyAccount(models.Model):
    """What a PBX can be asked and told. The one door for commands: whoever wants something of a PBX
    calls a method here."""

    _inherit = 'telephony.account'

    can_check = fields.Boolean(compute='_compute_capabilities')
    can_import = fields.Boolean(compute='_compute_capabilities')
    can_set_webhooks = fields.Boolean(compute='_compute_capabilities')
    can_fetch_history = fields.Boolean(compute='_compute_capabilities')
    state_message = WordsField(string="What the PBX Said", readonly=True, copy=False)
    error_in = fields.Char(
        readonly=True,
        copy=False,
        help="The capability that has failed, while the state is an error.",
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
        help="Whether what Odoo asks of the PBX is answered.",
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
        """Whether an event, and nothing else, shows that all is well: the first one, or one that
        comes though the PBX would not be told where to send it."""
        return self.state == 'draft' or (
            self.state == 'error' and self.error_in == method_of(SetsWebhooks)
        )

    def _answered(self):
        """The values of an account whose API has just answered: what it had refused is over.
        Whether events come is another matter."""
        return {
            'state': 'connected' if self.last_event_at else 'draft',
            'error_in': False,
            'answered_at': fields.Datetime.now(),
        }

    def _can(self, capability):
        return self.provider in clients and clients[self.provider].can(capability)

    def _missing(self):
        """What has to be entered before this PBX's API can be used, as people call it: "API key";
        '' where nothing is missing or where the PBX has no API."""
        return clients[self.provider].missing(self._settings()) if self.provider in clients else ''

    def _is_ready(self, capability):
        """Whether the PBX can do this now: its API offers it, and the credentials are entered. What
        is not ready has no button."""
        self.ensure_one()
        return self._can(capability) and not self._missing()

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
        return self._told(Checks, lambda client: client.check())

    def action_set_webhooks(self):
        """Let the PBX know our address."""
        return self._told(SetsWebhooks, lambda client: client.set_webhooks())

    def action_import(self):
        """Take over the extensions and numbers that the PBX has and we do not."""
        self.check_access('write')
        capability = ListsExtensions if self._can(ListsExtensions) else ListsNumbers
        return self._told(capability, self._import)

    def _import(self, client):
        new_extensions, new_numbers = [], []
        if client.can(ListsExtensions):
            have = {
                *self.extension_ids.mapped('number'),
                *self._settings().trunks,
                *(one['extension'] for one in self.strangers or () if one['is_trunk']),
            }
            users = {
                user.name.casefold(): user.id
                for user in self.env['res.users'].search([('share', '=', False)])
            }
            new_extensions = [
                {
                    'account_id': self.id,
                    'number': one.number,
                    'user_id': users.get(one.name.casefold()) if one.name else False,
                }
                for one in client.extensions()
                if one.number not in have
            ]
        if client.can(ListsNumbers):
            # another PBX of the company may have the same number
            have = set(self.number_ids.mapped('name'))
            new_numbers = [
                {
                    'account_id': self.id,
                    'name': one.number,
                    'label': one.label or False,
                }
                for one in client.numbers()
                if normalise(one.number, self._settings().country) not in have
            ]
        self.env['telephony.extension'].create(new_extensions)
        self.env['telephony.number'].create(new_numbers)
        return _lt(
            "%(extensions)s new extensions, %(numbers)s new numbers",
            extensions=len(new_extensions),
            numbers=len(new_numbers),
        )

    def _told(self, capability, talk):
        """Talk to the PBX; what it said, good or bad, stands on the account and is shown."""
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
        :raise UserError: it cannot be done, with the reason
        """
        return self._command(Dials, extension.number, number, f'odoo-{secrets.token_hex(6)}')

    def _transfer_kinds(self):
        """How calls can be passed on: some of 'blind' and 'attended'."""
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
        """The sentence that tells a person why this PBX cannot do it yet, and who can change that;
        '' where it can."""
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
