import logging
from collections import defaultdict
from dataclasses import asdict
from datetime import timedelta

from odoo import api, fields, models

from ...providers.base import Answer, ProviderError, Question, Refused, Reply, WebhookRequest
from ...tools import turns
from ...tools.words import _lt
from ..core.words_field import in_words

_logger = logging.getLogger(__name__)

# How many of the latest events are searched for strangers.
STRANGERS_OF = 2000
# When phones or numbers are entered: failed events of so many days are read again, so many at most.
REREAD_DAYS, REREAD_MOST = 30, 1000


class TelephonyAccount(models.Model):
    """Receives what a PBX sends, and shows on the PBX's form how its events arrive."""

    _inherit = 'telephony.account'

    strangers = fields.Json(
        compute='_compute_strangers',
        groups='crm_telephony.group_admin',
        help="Endpoints in the latest calls that are neither entered as phones nor as trunks: a list of {name, extension, "
        "is_trunk}.",
    )

    event_state = fields.Selection(
        [('none', "No event yet"), ('arrive', "Events arrive"), ('refused', "Events refused")],
        string="Events of the PBX",
        compute='_compute_event_state',
        help="Whether the PBX's events reach Odoo. An API that answers does not prove it.",
    )
    last_event_at = fields.Datetime(
        string="Last Event",
        compute='_compute_last_event_at',
        help="When the PBX last sent an event by itself. Calls that were read back from it do not count.",
    )
    event_count = fields.Integer(string="Events", compute='_compute_inbox')
    failed_event_count = fields.Integer(string="Failed Events", compute='_compute_inbox')

    # === RECEIVING === #

    def _receive(self, request: WebhookRequest) -> Reply:
        """Authenticate a delivery, append its events to the inbox and return the answer. Nothing
        else happens before the PBX has it, because a PBX that waits sends again.

        :raise Refused: it is not from this PBX or too large; nothing was stored
        """
        self.ensure_one()
        if self._is_listening() and (reply := self._captured(request)):
            return reply
        provider, settings = self._adapter(), self._settings()
        try:
            if reply := provider.handshake(request):
                return reply
            provider.verify(request, settings)
        except Exception as error:
            if not isinstance(error, ProviderError):
                _logger.exception(
                    "telephony account %s (%s): a delivery could not be verified because of an error of ours; it was refused "
                    "with 403. The PBX or the hourly comparison brings it again.",
                    self.id,
                    self.name,
                )
                error = Refused(
                    _lt("The delivery could not be checked. The server's log tells why.")
                )
            self._count_refusal(in_words(error))
            raise error if isinstance(error, Refused) else Refused(in_words(error)) from None
        if reply := self._on_verified(request):
            return reply
        self.env['telephony.event']._append(self, request)
        return self._on_answered(self._answer(request))

    def _answer(self, request: WebhookRequest) -> Reply:
        """Return the answer to a delivery whose events are stored."""
        provider, settings = self._adapter(), self._settings()
        try:
            if not (question := provider.question(request, settings)):
                return provider.reply(request)
            with self.env.cr.savepoint():
                return provider.reply(request, self._on_question(question))
        # the events stay stored if the question cannot be answered
        except Exception:
            _logger.exception(
                "telephony account %s (%s): the PBX's question about a caller could not be answered; its call goes on without "
                "the customer's salesperson. The event is stored.",
                self.id,
                self.name,
            )
            return provider.reply(request)

    def _on_question(self, question: Question) -> Answer:
        """Return what Odoo knows about a caller, for a PBX that asks and waits; done by the stage
        that matches calls. The delivery is stored by then: an error here is logged and undone, and
        the PBX gets no answer."""
        return Answer()

    def _on_verified(self, request: WebhookRequest) -> Reply | None:
        """Runs when a delivery is known to be from this PBX, before its events are stored.

        :return: the answer, if the delivery carries something else than events; else None
        """
        return None

    def _on_answered(self, reply: Reply) -> Reply:
        """Runs when the events of a delivery are stored, and may add to the answer. An error undoes
        the delivery, which the PBX then sends again."""
        return reply

    def _after_entered(self):
        """Read failed events again, because some cannot be read before it is known whose number
        stands in them."""
        super()._after_entered()
        asking = self.filtered(lambda account: account._adapter().takes_template)
        failed = asking and self.env['telephony.event'].sudo().search(
            [
                ('account_id', 'in', asking.ids),
                ('state', '=', 'failed'),
                ('received_at', '>', fields.Datetime.now() - timedelta(days=REREAD_DAYS)),
            ],
            limit=REREAD_MOST,
        )
        # what came before there was a template was not checked by it: a person replays that
        if failed and (read := failed.filtered(lambda event: not event._is_unread())):
            read.next_try_at = now = fields.Datetime.now()
            turns.wake_cron(self.env, 'crm_telephony.ir_cron_process_events', [now])

    # === HOW EVENTS ARRIVE === #

    @api.depends('trunks', 'extension_ids.number')
    def _compute_strangers(self):
        for account in self:
            account.strangers = [
                asdict(endpoint)
                for endpoint in (account._strangers() if account.has_trunks else ())
            ]

    def _strangers(self):
        """Return the endpoints of the latest calls that are entered neither as phones nor as
        trunks."""
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

    def action_view_events(self):
        self.ensure_one()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'crm_telephony.telephony_event_action'
        )
        action['domain'] = [('account_id', '=', self.id)]
        action['context'] = {'search_default_failed': 1} if self.failed_event_count else {}
        return action
