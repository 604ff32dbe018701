"""What Odoo calls when the addon is installed."""
# Of a million contacts Odoo would read every phone again to fill the new column: only these have more in it than Odoo knew.
UNREAD = r"phone IS NOT NULL AND (phone_sanitized IS NULL OR phone !~ '^[-+0-9 ().]+$')"
TABLES = {'res.partner': 'res_partner', 'crm.lead': 'crm_lead'}
BATCH = 10000


def pre_init_hook(env):
    for table in TABLES.values():
        env.cr.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS telephony_more_phones VARCHAR")


def post_init_hook(env):
    """Read what people typed into *Phone* and Odoo did not understand."""
    for model, table in TABLES.items():
        env.cr.execute(f"SELECT id FROM {table} WHERE {UNREAD} ORDER BY id")  # noqa: S608
        ids = [row[0] for row in env.cr.fetchall()]
        for start in range(0, len(ids), BATCH):
            records = env[model].with_context(active_test=False).browse(ids[start:start + BATCH])
            env.add_to_compute(records._fields['phone_sanitized'], records)
            records.flush_recordset(['phone_sanitized', 'telephony_more_phones'])
            records.invalidate_recordset()
