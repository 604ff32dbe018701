from odoo import api, fields, models

from ...tools.records import changes
from ..matching.call_choice import AT_ONCE
from . import ledger
from .book import AsWritten


class TelephonyCall(models.Model):
    """What a call has to do with callbacks, apart from what the rules plan."""

    _inherit = 'telephony.call'

    callback_id = fields.Many2one(
        'telephony.callback',
        string="Callback",
        readonly=True,
        index='btree_not_null',
        ondelete='set null',
        help="The callback that this call opened.",
    )
    callback_state = fields.Selection(related='callback_id.state', string="Callback State")

    def _fact(self):
        """As the ledger takes it."""
        return ledger.Call(
            self.id,
            self.direction,
            self.start_at,
            self._moment(),
            self.outcome or '',
            self.is_reached,
            self.answered_at or None,
        )

    # === ACTIONS === #

    def action_open_callback(self):
        self.ensure_one()
        return self.callback_id._get_records_action()

    # === WHEN A CALL CHANGES === #

    def _before_taken_back(self):
        callbacks = self.env['telephony.callback'].sudo()
        since = {}
        for call in self.filtered('customer_number'):
            key = call._number_key()
            since[key] = min(since.get(key, call._moment()), call._moment())
        return {
            **super()._before_taken_back(),
            'since': since,
            'gone': self.sudo().callback_id,
            'touched': callbacks.search([('closing_call_id', 'in', self.ids)])
            | self.sudo().callback_id,
        }

    @api.model
    def _after_taken_back(self, memory):
        """The callbacks of these customers follow from the calls that are left."""
        super()._after_taken_back(memory)
        callbacks, written = self.env['telephony.callback'].sudo(), AsWritten()
        for company in {company for company, _number in memory['since']}:
            callbacks._balance(
                company,
                {
                    number: moment
                    for (where, number), moment in memory['since'].items()
                    if where == company
                },
                written,
                touched=memory['touched'],
                gone=memory['gone'],
            )
        calls = self.sudo().browse(written.again)
        if calls := calls.filtered(lambda call: not call._is_past()):
            calls.follow_up = 'todo'
            self.env.ref('crm_telephony.ir_cron_follow_up')._trigger()

    def _before_customer_changed(self):
        callbacks = (
            self.env['telephony.callback']
            .sudo()
            .search([('state', '=', 'open'), ('origin_call_id', 'in', self.ids)])
        )
        return {
            **super()._before_customer_changed(),
            'callback_owners': {
                callback: callback.origin_call_id._responsible() for callback in callbacks
            },
        }

    def _after_customer_changed(self, moved, memory):
        """An open callback goes to the contact and deal of the call that opened it, and to their
        salesperson if it had its owner from there."""
        super()._after_customer_changed(moved, memory)
        for callback, owner in memory['callback_owners'].items():
            call = callback.origin_call_id
            values = {'partner_id': call.partner_id.id, 'lead_id': call.lead_id.id}
            if callback.user_id == owner and (now := call._responsible()):
                values['user_id'] = now.id
            if changed := changes(callback, values):
                callback.write(changed)

    # === WHEN A PERSON CHOOSES === #

    def _before_chosen(self):
        """The further calls of the callbacks that these calls belong to go along, unless a person
        has set them: a callback has one customer and one deal."""
        further = super()._before_chosen()
        for callback in self._open_callbacks_of_number():
            begin = callback.origin_call_id.start_at or callback.create_date
            own = self.filtered(
                lambda call, number=callback.customer_number: call.customer_number == number
            )
            if any(call.start_at >= begin for call in own):
                further |= self.search(
                    [
                        ('company_id', '=', callback.company_id.id),
                        ('customer_number', '=', callback.customer_number),
                        ('start_at', '>=', begin),
                        ('match_state', '!=', 'manual'),
                        ('id', 'not in', own.ids),
                    ],
                    limit=AT_ONCE,
                    order='start_at desc',
                )
        return further

    def _before_ignored(self):
        """Whoever is to call one of these numbers back wants to know that nobody should."""
        return super()._before_ignored() | self._open_callbacks_of_number().user_id

    def _open_callbacks_of_number(self):
        callbacks = self.env['telephony.callback'].sudo()
        return callbacks.union(
            *(
                callbacks.search(
                    [
                        ('company_id', '=', company.id),
                        ('customer_number', 'in', calls.mapped('customer_number')),
                        ('state', '=', 'open'),
                    ]
                )
                for company, calls in self.filtered('customer_number').grouped('company_id').items()
            )
        )
