def migrate(cr, version):
    """Rules had one action each, in columns of their own. They are made anew of the data: with conditions and actions."""
    cr.execute("DELETE FROM telephony_rule")
    cr.execute("DELETE FROM ir_model_data WHERE module = 'crm_telephony' AND model = 'telephony.rule'")
