from odoo import fields, models

from ...tools.settings import DEFAULTS


class ResConfigSettings(models.TransientModel):
    _inherit = 'res.config.settings'

    telephony_short_seconds = fields.Integer(
        related='company_id.telephony_short_seconds', readonly=False
    )
    telephony_short_abandon_seconds = fields.Integer(
        related='company_id.telephony_short_abandon_seconds', readonly=False
    )
    telephony_service_percent = fields.Integer(
        related='company_id.telephony_service_percent', readonly=False
    )
    telephony_service_seconds = fields.Integer(
        related='company_id.telephony_service_seconds', readonly=False
    )
    telephony_acw_seconds = fields.Integer(
        related='company_id.telephony_acw_seconds', readonly=False
    )
    telephony_won_days = fields.Integer(related='company_id.telephony_won_days', readonly=False)
    telephony_visit_days = fields.Integer(related='company_id.telephony_visit_days', readonly=False)
    telephony_target_lost_callers = fields.Integer(
        related='company_id.telephony_target_lost_callers', readonly=False
    )
    telephony_target_wait_seconds = fields.Integer(
        related='company_id.telephony_target_wait_seconds', readonly=False
    )
    telephony_target_short_talks = fields.Integer(
        related='company_id.telephony_target_short_talks', readonly=False
    )
    telephony_deal_policy = fields.Selection(
        related='company_id.telephony_deal_policy', readonly=False, required=True
    )
    telephony_match_margin = fields.Integer(
        related='company_id.telephony_match_margin', readonly=False
    )
    telephony_lead_policy = fields.Selection(
        related='company_id.telephony_lead_policy', readonly=False, required=True
    )
    telephony_lead_owner = fields.Selection(
        related='company_id.telephony_lead_owner', readonly=False, required=True
    )
    telephony_late_days = fields.Integer(
        string="Late Match: Contact, Back to (days)",
        default=DEFAULTS['late_days'],
        config_parameter='crm_telephony.late_days',
    )
    telephony_late_deal_days = fields.Integer(
        string="Late Match: Deal, Back to (days)",
        default=DEFAULTS['late_deal_days'],
        config_parameter='crm_telephony.late_deal_days',
    )
    telephony_late_count = fields.Integer(
        string="Late Match: Calls of a Number",
        default=DEFAULTS['late_count'],
        config_parameter='crm_telephony.late_count',
    )
    telephony_effect_hours = fields.Integer(
        related='company_id.telephony_effect_hours', readonly=False
    )
    telephony_sms_quiet_minutes = fields.Integer(
        related='company_id.telephony_sms_quiet_minutes', readonly=False
    )
    telephony_sms_from = fields.Float(related='company_id.telephony_sms_from', readonly=False)
    telephony_sms_to = fields.Float(related='company_id.telephony_sms_to', readonly=False)
    telephony_event_retention_days = fields.Integer(
        string="Keep PBX Events (days)",
        default=DEFAULTS['event_retention_days'],
        config_parameter='crm_telephony.event_retention_days',
    )
    telephony_lost_call_hours = fields.Integer(
        string="Close Unfinished Calls After (hours)",
        default=DEFAULTS['lost_call_hours'],
        config_parameter='crm_telephony.lost_call_hours',
    )
    telephony_listen_reason = fields.Selection(
        related='company_id.telephony_listen_reason', readonly=False, required=True
    )
    telephony_download = fields.Selection(
        related='company_id.telephony_download', readonly=False, required=True
    )
    telephony_speech_month = fields.Float(
        related='company_id.telephony_speech_month', readonly=False
    )
    telephony_listen_days = fields.Integer(
        string="Keep the Listening Log (days)",
        default=DEFAULTS['listen_days'],
        config_parameter='crm_telephony.listen_days',
    )
    telephony_escalate_minutes = fields.Integer(
        related='company_id.telephony_escalate_minutes', readonly=False
    )
    telephony_escalate_again_minutes = fields.Integer(
        related='company_id.telephony_escalate_again_minutes', readonly=False
    )
    telephony_supervisor_id = fields.Many2one(
        related='company_id.telephony_supervisor_id', readonly=False
    )
    telephony_erase_two = fields.Boolean(related='company_id.telephony_erase_two', readonly=False)
