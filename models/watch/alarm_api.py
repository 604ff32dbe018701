import logging
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError

from ...providers.base import ProviderError
from ...providers.capabilities import Checks, ReadsHistory, SetsWebhooks, TellsBalance, method_of
from ...tools import turns
from ...tools.words import _lt
from ..core.words_field import WordsField, in_words
from .alarm import Finding

_logger = logging.getLogger(__name__)

# A PBX that does not answer for so long is named; one that refuses, at once.
DOWN = timedelta(hours=2)
# The comparison with the PBX's log runs each night.
COMPARED = timedelta(days=2)


class TelephonyAccount(models.Model):
    """Asks each PBX once an hour whether it still answers, and for its balance where it tells one."""

    _inherit = 'telephony.account'

    ask_error = WordsField(string="Answer to the Last Question", readonly=True, copy=False)
    ask_is_refused = fields.Boolean(readonly=True, copy=False)
    ask_failed_since = fields.Datetime(readonly=True, copy=False)
    balance = fields.Float(readonly=True, copy=False, help="What is left at the PBX's provider.")
    balance_currency = fields.Char(readonly=True, copy=False)
    balance_at = fields.Datetime(string="Balance Of", readonly=True, copy=False)
    balance_least = fields.Float(
        string="Balance, at Least",
        help="Administrators are told when less is left. 0: only when nothing is left.",
    )
    tells_balance = fields.Boolean(compute='_compute_tells_balance')

    @api.depends('provider')
    def _compute_tells_balance(self):
        for account in self:
            account.tells_balance = account._can(TellsBalance)

    @api.model
    def _cron_ask(self):
        """Ask all PBXs. Commits after each, because one that does not answer takes its time."""
        accounts = self.search([]).filtered(
            lambda account: account._is_ready(TellsBalance) or account._is_ready(Checks)
        )
        self.env['ir.cron']._commit_progress(remaining=len(accounts))
        for account in accounts:
            with turns.gives_way(self.env):
                account._ask()
            if not self.env['ir.cron']._commit_progress(1):
                return

    def _ask(self):
        """Ask this PBX, and note what it answers."""
        now = fields.Datetime.now()
        values = {'ask_error': False, 'ask_is_refused': False, 'ask_failed_since': False}
        try:
            if self._can(TellsBalance):
                balance = self._client(TellsBalance).balance()
                values.update(
                    balance=balance.amount, balance_currency=balance.currency, balance_at=now
                )
            else:
                self._client(Checks).check()
        except (ProviderError, UserError) as error:
            values = {
                'ask_error': in_words(error),
                'ask_is_refused': not getattr(error, 'retryable', False),
                'ask_failed_since': self.ask_failed_since or now,
            }
        self.write(values)


class TelephonyAlarm(models.Model):
    """Finds PBXs that refuse or do not answer what Odoo asks."""

    _inherit = 'telephony.alarm'

    @api.model
    def _find_at_api(self, accounts):
        now, found, watched = fields.Datetime.now(), [], self._watched_since()
        for account in accounts:
            values, failing = {'pbx': account.name}, account.ask_failed_since
            is_error = account.state == 'error' and account.error_in != method_of(SetsWebhooks)
            if failing and account.ask_is_refused:
                text = _lt("%(pbx)s: %(why)s", why=account.ask_error, **values)
                found.append(Finding('api_refused', account, text, since=failing))
            elif is_error and not account.balance_at and not failing:
                text = _lt("%(pbx)s: %(why)s", why=account.state_message or '', **values)
                found.append(Finding('api_refused', account, text))
            elif failing and failing < now - DOWN:
                text = _lt(
                    "%(pbx)s has not answered since %(at)s: %(why)s",
                    at=failing,
                    why=account.ask_error,
                    **values,
                )
                found.append(Finding('api_down', account, text, since=failing))
            if account.balance_at and account.balance <= account.balance_least:
                text = _lt(
                    "The balance of %(pbx)s is %(amount)s %(currency)s",
                    amount=f'{account.balance:.2f}',
                    currency=account.balance_currency or '',
                    **values,
                )
                found.append(Finding('balance_low', account, text))
            until = account.history_until
            if until and max(until, watched) < now - COMPARED and account._is_ready(ReadsHistory):
                text = _lt(
                    "The calls of %(pbx)s were last compared with its own log on %(at)s. %(message)s",
                    at=until,
                    message=account.history_message or '',
                    **values,
                )
                found.append(Finding('history_late', account, text, since=until))
        return found
