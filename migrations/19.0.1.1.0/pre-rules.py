def migrate(cr, version):
    """Delete the rules, which had one action each, in columns of their own: they are loaded anew,
    with conditions and actions. Delete the access rules too, because an update would leave them as
    they are, and who may see and hear what has changed."""
    cr.execute("DELETE FROM telephony_rule")
    cr.execute("""
        DELETE FROM ir_rule
         WHERE id IN (SELECT res_id FROM ir_model_data WHERE module = 'crm_telephony' AND model = 'ir.rule')""")
    cr.execute(
        "DELETE FROM ir_model_data WHERE module = 'crm_telephony' AND model IN ('telephony.rule', 'ir.rule')"
    )
