"""Drops the index of a call's employee, because a new one has the times of the calls too."""


def migrate(cr, version):
    cr.execute("DROP INDEX IF EXISTS telephony_call__user_id_index")
