import time

from odoo.modules.registry import Registry

from ..models.inbox.event import pause_after
from ..tools.worker import Worker


def _file(database, account_id, _item):
    """Make calls of what deliveries have stored, behind the answers.

    The first delivery after a quiet time is filed at once. Those that follow closely are filed
    together a moment later: filing twenty events costs hardly more than filing one, and the
    requests need the processor too.
    """
    begin = time.monotonic()
    Registry(database)['telephony.event']._process_in_new_transaction(database, account_id)
    return pause_after(time.monotonic() - begin)


filer = Worker('telephony.filer', _file)
