from odoo import SUPERUSER_ID, api
from odoo.tools import SQL


def migrate(cr, version):
    """Store for each lost call whether it was called back, which was looked up each time before."""
    env = api.Environment(cr, SUPERUSER_ID, {})
    env.execute_query(env['telephony.call']._recount_sql(SQL("customer_number IS NOT NULL")))
    # the indexes that also have the time serve the same; Odoo keeps an index that its field lost
    cr.execute(
        "DROP INDEX IF EXISTS telephony_call__partner_id_index, telephony_call__lead_id_index"
    )
