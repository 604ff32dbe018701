"""An employee's calls are found by an index that also has their times."""


def migrate(cr, version):
    cr.execute("DROP INDEX IF EXISTS telephony_call__user_id_index")
