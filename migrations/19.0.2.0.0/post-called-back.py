from odoo import SUPERUSER_ID, api
from odoo.tools import SQL


def migrate(cr, version):
    """Whether a lost call was called back was looked up each time; now it is kept."""
    env = api.Environment(cr, SUPERUSER_ID, {})
    env.execute_query(env['telephony.call']._recount_sql(SQL("customer_number IS NOT NULL")))
