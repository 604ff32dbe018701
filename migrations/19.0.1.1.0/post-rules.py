from odoo import SUPERUSER_ID, api
from odoo.tools import convert_file


def migrate(cr, version):
    """Load the delivered rules. An update does not, because an administrator may have deleted a
    rule; but here pre-rules.py has deleted them."""
    env = api.Environment(cr, SUPERUSER_ID, {})
    convert_file(env, 'crm_telephony', 'data/telephony_rule_data.xml', {}, mode='init')
