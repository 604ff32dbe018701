"""Whose turn it is: what has to happen once, later, or one after the other."""

from psycopg2.errors import DeadlockDetected, LockNotAvailable, SerializationFailure

# Somebody else wrote at the same time: nothing is wrong, try again.
CONCURRENCY_ERRORS = (SerializationFailure, DeadlockDetected, LockNotAvailable)


def wake_cron(env, xml_id, moments):
    """Ask for a scheduled action at some moments, in one statement when the transaction is flushed
    for its commit or for a savepoint: a batch that asks for each of its records would else write a
    hundred triggers one by one.

    :param str xml_id: of the scheduled action, which an administrator may have deleted: then
        nothing happens
    :param moments: naive UTC datetimes
    """
    precommit, key = env.cr.precommit, f'crm_telephony.wake.{xml_id}'
    if key in precommit.data:
        precommit.data[key].update(moments)
        return
    waiting = precommit.data[key] = set(moments)

    def trigger():
        cron = env.ref(xml_id, raise_if_not_found=False)
        if cron and waiting:
            cron.sudo()._trigger(sorted(waiting))

    precommit.add(trigger)
