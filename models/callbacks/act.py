from odoo import api, fields, models
from odoo.tools import SQL

from ..core.words_field import WordsField
from . import ledger

KINDS = [
    ('given', "Given or taken"),
    ('passed', "Passed on while its owner is away"),
    ('moved', "Put off"),
    ('urged', "Given a priority"),
    ('done', "Closed by hand"),
    ('cancelled', "Cancelled"),
    ('reopened', "Opened again"),
]
VALUES = {'given': 'owner_id', 'passed': 'owner_id', 'moved': 'due_at', 'urged': 'priority'}


class TelephonyCallbackAct(models.Model):
    """What a person did with a callback, or the clock in their place: a fact, as calls are. It is
    about the number, so that it stands where a late word makes another callback of the calls; see
    :class:`~.ledger.Act`."""

    _name = 'telephony.callback.act'
    _description = "What was done with a callback"
    _order = 'id'
    _rec_name = 'kind'

    company_id = fields.Many2one('res.company', required=True, readonly=True, ondelete='cascade')
    customer_number = fields.Char(required=True, readonly=True)
    kind = fields.Selection(KINDS, required=True, readonly=True)
    at = fields.Datetime(required=True, readonly=True)
    user_id = fields.Many2one(
        'res.users', string="By", readonly=True, ondelete='set null', help="Empty: the clock."
    )
    after_call_id = fields.Many2one(
        'telephony.call',
        string="After",
        readonly=True,
        index='btree_not_null',
        ondelete='set null',
        help="The latest call of this customer that had been followed up then.",
    )
    after_at = fields.Datetime(readonly=True, help="When that call was over.")
    opened_by_id = fields.Many2one(
        'telephony.call',
        readonly=True,
        index='btree_not_null',
        ondelete='set null',
        help="The call that had opened the callback.",
    )
    owner_id = fields.Many2one('res.users', readonly=True, ondelete='set null')
    due_at = fields.Datetime(readonly=True)
    priority = fields.Selection([('0', "Normal"), ('1', "High")], readonly=True)
    reason = WordsField(string="In Words", readonly=True)
    reason_id = fields.Many2one(
        'telephony.callback.reason', readonly=True, index='btree_not_null', ondelete='restrict'
    )

    _number_idx = models.Index('(customer_number, company_id)')

    @api.model
    def _note(self, callbacks, kind, user=None, **values):
        """Remember what was done with these callbacks just now.

        :param str kind: one of KINDS
        :param user: who did it, if it was a person
        :param values: what it was: owner_id, due_at, priority, reason or reason_id
        """
        now, calls = fields.Datetime.now(), callbacks._latest_followed()
        return self.sudo().create(
            [
                {
                    'company_id': callback.company_id.id,
                    'customer_number': callback.customer_number,
                    'kind': kind,
                    'at': now,
                    'user_id': user.id if user else False,
                    'after_call_id': calls[callback].id,
                    'after_at': calls[callback] and calls[callback]._moment(),
                    'opened_by_id': callback.origin_call_id.id,
                    **values,
                }
                for callback in callbacks.sudo()
            ]
        )

    @api.model
    def _of(self, company, numbers):
        """{number: list of :class:`.ledger.Act`}, of these customers"""
        acts = self.sudo().search(
            [('company_id', '=', company.id), ('customer_number', 'in', numbers)]
        )
        return {
            number: [act._fact() for act in same]
            for number, same in acts.grouped('customer_number').items()
        }

    def _fact(self):
        """As the ledger takes it."""
        value = self[VALUES[self.kind]] if self.kind in VALUES else None
        return ledger.Act(
            number=self.id,
            kind=self.kind,
            at=self.at,
            after=self.after_call_id.id or None,
            after_at=self.after_at or None,
            value=(value.id if self.kind in ('given', 'passed') else value) or None,
            about=self.opened_by_id.id or None,
        )


class TelephonyCallback(models.Model):
    _inherit = 'telephony.callback'

    def _latest_followed(self):
        """{callback: the last call of its customer that people can know of}, because what followed
        from it was written down once. A new result may have asked for its follow-up again."""
        self.env['telephony.call'].flush_model()
        rows = dict(
            self.env.execute_query(
                SQL(
                    """ SELECT callback.id, (
                        SELECT call.id FROM telephony_call call
                         WHERE call.customer_number = callback.customer_number
                           AND call.company_id = callback.company_id AND call.state = 'ended'
                           AND (call.follow_up = 'done' OR call.id = callback.origin_call_id
                                OR call.is_owned AND COALESCE(call.follow_up_attempts, 0) = 0)
                      ORDER BY COALESCE(call.ended_at, call.start_at) DESC,
                               call.is_reached DESC NULLS LAST, call.start_at DESC, call.id DESC
                         LIMIT 1)
                  FROM telephony_callback callback WHERE callback.id IN %s """,
                    tuple(self.ids or (0,)),
                )
            )
        )
        calls = self.env['telephony.call'].sudo()
        return {callback: calls.browse(rows.get(callback.id)) for callback in self.sudo()}
