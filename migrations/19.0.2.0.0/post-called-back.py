from odoo import SUPERUSER_ID, api
from odoo.tools import SQL


def migrate(cr, version):
    """Whether a lost call was called back was looked up each time; now it is kept."""
    env = api.Environment(cr, SUPERUSER_ID, {})
    env.execute_query(env['telephony.call']._recount_sql(SQL("customer_number IS NOT NULL")))
    # what their sisters with the time in them serve too; Odoo leaves an index that a field has no
    # more
    cr.execute(
        "DROP INDEX IF EXISTS telephony_call__partner_id_index, telephony_call__lead_id_index"
    )
