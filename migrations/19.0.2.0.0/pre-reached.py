"""Fills the new field is_reached by one statement, because Odoo would compute it call by call. Past
results of calls do not count."""


def migrate(cr, version):
    cr.execute("ALTER TABLE telephony_call ADD COLUMN IF NOT EXISTS is_reached boolean")
    cr.execute(
        "UPDATE telephony_call SET is_reached = TRUE WHERE outcome = 'answered' AND is_short IS NOT TRUE"
    )
