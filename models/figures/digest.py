from odoo import fields, models
from odoo.exceptions import AccessError

from .metric import CALLERS, OFFERED


class DigestDigest(models.Model):
    """Two figures for Odoo's own digest, which takes single numbers over a rolling time. The weekly
    letter says more."""

    _inherit = 'digest.digest'

    kpi_telephony_offered = fields.Boolean("Calls Offered")
    kpi_telephony_offered_value = fields.Integer(compute='_compute_kpi_telephony_offered_value')
    kpi_telephony_lost = fields.Boolean("Lost Callers Not Called Back")
    kpi_telephony_lost_value = fields.Integer(compute='_compute_kpi_telephony_lost_value')

    def _compute_kpi_telephony_offered_value(self):
        self._check_telephony()
        self._calculate_company_based_kpi(
            'telephony.call',
            'kpi_telephony_offered_value',
            date_field='start_at',
            additional_domain=OFFERED,
        )

    def _compute_kpi_telephony_lost_value(self):
        self._check_telephony()
        self._calculate_company_based_kpi(
            'telephony.callback',
            'kpi_telephony_lost_value',
            date_field='lost_at',
            additional_domain=[
                ('state', '=', 'open'),
                ('origin_call_id', 'any', CALLERS),
            ],
        )

    def _check_telephony(self):
        """:raise AccessError: the reader is no supervisor; Odoo then leaves the figure out"""
        if not self.env.user.has_group('crm_telephony.group_supervisor'):
            raise AccessError(self.env._("The figures of all employees are for supervisors."))

    def _compute_kpis_actions(self, company, user):
        actions = super()._compute_kpis_actions(company, user)
        menu = self.env['ir.model.data']._xmlid_to_res_id('crm.crm_menu_root')
        actions['kpi_telephony_offered'] = f'crm_telephony.telephony_call_action?menu_id={menu}'
        actions['kpi_telephony_lost'] = f'crm_telephony.telephony_callback_action?menu_id={menu}'
        return actions
