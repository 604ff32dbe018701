import logging
from collections import defaultdict
from dataclasses import asdict

from odoo import api, fields, models

from ...providers.base import Answer, ProviderError, Question, Refused, Reply, WebhookRequest
from ...tools.words import _lt
from ..core.words_field import in_words

_logger = logging.getLogger(__name__)

# Strangers are looked for in so many of the latest events.
STRANGERS_OF = 2000


class TelephonyAccount(models.Model):
    """The door for what a PBX sends, and what the inbox tells of the PBX."""

    _inherit = 'telephony.account'

    strangers = fields.Json(
        compute='_compute_strangers',
        groups='crm_telephony.group_admin',
        help="Endpoints in the latest calls that nobody has entered: a list of {name, extension, is_trunk}.",
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
    # === RECEIVING === #

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
                return provider.reply(request, self._on_question(question))
        # the events are stored: an answer that cannot be given must not take them away
        except Exception:
            _logger.exception("telephony account %s: no answer to a question", self.id)
            return provider.reply(request)

    def _on_question(self, question: Question) -> Answer:
        """What Odoo knows about a caller, for a PBX that waits for it; said by the stage that
        matches calls. What it raises is logged, and the PBX gets no answer: the delivery itself is
        stored by then."""
        return Answer()

    # === WHAT THE INBOX TELLS === #

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
