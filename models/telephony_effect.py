import logging

from odoo import api, fields, models

from .telephony_rule_action import KINDS

_logger = logging.getLogger(__name__)


class TelephonyEffect(models.Model):
    """What an action of a rule made of one call: done, still to do, skipped with the reason, or failed.

    A call and an action have one effect, whatever is replayed and however many schedulers run.
    """
    _name = 'telephony.effect'
    _description = "Effect of a telephony rule"
    _order = 'id desc'
    _rec_name = 'kind'

    call_id = fields.Many2one('telephony.call', required=True, readonly=True, index=True, ondelete='cascade')
    company_id = fields.Many2one(related='call_id.company_id', store=True, precompute=True)
    rule_id = fields.Many2one('telephony.rule', readonly=True, index='btree_not_null', ondelete='set null')
    action_id = fields.Many2one('telephony.rule.action', string="By", readonly=True, index='btree_not_null', ondelete='set null')
    kind = fields.Selection(KINDS, string="Action", required=True, readonly=True)
    state = fields.Selection(
        [('planned', "Planned"), ('done', "Done"), ('skipped', "Skipped"), ('error', "Error")],
        required=True, default='planned', readonly=True)
    due_at = fields.Datetime(string="Due", readonly=True)
    done_at = fields.Datetime(string="Done", readonly=True)
    note = fields.Char(string="What Happened", readonly=True)
    callback_id = fields.Many2one('telephony.callback', readonly=True, index='btree_not_null', ondelete='set null')

    _action_uniq = models.UniqueIndex('(call_id, action_id)', "This action has already followed from this call.")
    _due_idx = models.Index("(due_at) WHERE state = 'planned'")

    @api.depends('kind', 'rule_id')
    def _compute_display_name(self):
        for effect in self:
            effect.display_name = dict(self._fields['kind']._description_selection(self.env)).get(effect.kind)

    def action_open_call(self):
        self.ensure_one()
        return self.call_id._get_records_action()
