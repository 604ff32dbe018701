def migrate(cr, version):
    """Let the comparison with the PBXs' own logs run every hour, unless an administrator has given it
    another time."""
    cr.execute("""
        UPDATE ir_cron SET interval_type = 'hours'
         WHERE interval_number = 1 AND interval_type = 'days'
           AND id = (SELECT res_id FROM ir_model_data
                      WHERE module = 'crm_telephony' AND name = 'ir_cron_fetch_history')""")
