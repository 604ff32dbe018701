def migrate(cr, version):
    """Rules had one action each, in columns of their own: they are made anew of the data, with
    conditions and actions. So are the access rules, which an update would leave as they are: who
    may see and hear what has changed."""
    cr.execute("DELETE FROM telephony_rule")
    cr.execute("""
        DELETE FROM ir_rule
         WHERE id IN (SELECT res_id FROM ir_model_data WHERE module = 'crm_telephony' AND model = 'ir.rule')""")
    cr.execute(
        "DELETE FROM ir_model_data WHERE module = 'crm_telephony' AND model IN ('telephony.rule', 'ir.rule')"
    )
