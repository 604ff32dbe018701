"""What Odoo calls when the addon is installed, and before it is uninstalled."""

# Only these phones hold more than Odoo has read of them. Without this condition Odoo would read the
# phones of a million contacts again to fill the new column.
UNREAD = r"phone IS NOT NULL AND (phone_sanitized IS NULL OR phone !~ '^[-+0-9 ().]+$')"
TABLES = {'res.partner': 'res_partner', 'crm.lead': 'crm_lead'}
BATCH = 10000


def pre_init_hook(env):
    for table in TABLES.values():
        env.cr.execute(
            f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS telephony_more_phones VARCHAR"
        )


def post_init_hook(env):
    """Read the numbers in *Phone* that Odoo did not understand.

    A record without a country is read in that of its company, or else in that of a company from
    whose country the number is that Odoo did understand, because somebody there may have typed it.
    """
    companies = {
        str(company.country_id.phone_code): company.id
        for company in env['res.company'].search([], order='id desc')
    }
    for model, table in TABLES.items():
        query = f"SELECT id, company_id, country_id, phone_sanitized FROM {table} WHERE {UNREAD} ORDER BY id"  # noqa: S608
        env.cr.execute(query)
        ids = {}
        for record_id, company_id, country_id, known in env.cr.fetchall():
            if known and not company_id and not country_id:
                company_id = next(
                    (
                        company
                        for code, company in companies.items()
                        if known.startswith(f'+{code}')
                    ),
                    None,
                )
                if not company_id:
                    continue
            ids.setdefault(company_id, []).append(record_id)
        for company_id, its in ids.items():
            for start in range(0, len(its), BATCH):
                records = (
                    env[model]
                    .with_company(company_id)
                    .with_context(active_test=False)
                    .browse(its[start : start + BATCH])
                )
                env.add_to_compute(records._fields['phone_sanitized'], records)
                records.flush_recordset(['phone_sanitized', 'telephony_more_phones'])
                records.invalidate_recordset()


def uninstall_hook(env):
    """Take away what Odoo does not know to be ours: settings, saved filters, an index on a field of
    its own, and links to calls in chatters, whose texts stay."""
    env['ir.config_parameter'].search([('key', '=like', 'crm_telephony.%')]).unlink()
    env['ir.filters'].with_context(active_test=False).search(
        [('model_id', '=like', 'telephony.%')]
    ).unlink()
    env.cr.execute("DROP INDEX IF EXISTS res_partner__phone_sanitized_index")
    env.cr.execute(
        r"""
        UPDATE mail_message
           SET body = regexp_replace(body, '<a [^>]*data-oe-model="telephony\.[^>]*>(.*?)</a>', '\1', 'g')
         WHERE body LIKE '%data-oe-model="telephony.%'
        """
    )
