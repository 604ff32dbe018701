import logging
import time
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from odoo import api, fields, models
from odoo.exceptions import UserError

from ...providers import clients
from ...providers.base import ProviderError, Question, dump
from ...providers.capabilities import Routes
from ...tools import turns
from ...tools.words import _lt
from ...tools.worker import Worker
from ..inbox.event import ROUTED, EventRow

_logger = logging.getLogger(__name__)

# A caller waits in a menu or queue for seconds only; a call that is older stays where it is.
LONGEST_WAIT = 20


class Caller(NamedTuple):
    """A waiting caller: the call, by what name the PBX knows them, and until when it makes sense to
    send them (seconds, monotonic)."""

    call_ref: str
    route_ref: str
    deadline: float


def _send(database, account_id, caller):
    """Send a waiting caller to a salesperson, in the worker, because a PBX may take seconds to
    answer and may limit how often it is asked. A caller whom a killed process has not sent yet
    stays in the queue."""
    with turns.begun(database) as env:
        return env['telephony.account'].browse(account_id)._route(caller)


router = Worker('telephony.router', _send)


class TelephonyAccount(models.Model):
    """Sends waiting callers to their salesperson, on PBXs that do not ask who should get a call, but
    can be told while the caller still waits in a menu or queue."""

    _inherit = 'telephony.account'

    def _route_ref(self, record, stored):
        """Return by what name the PBX knows this caller, if they may be sent to a phone now, else ''.
        Makes no query.

        :param record: the folded call, or None
        :param stored: its events as the adapter takes them
        """
        client = clients.get(self._provider_code())
        if (
            not client
            or not client.can(Routes)
            or not record
            or record.state != 'ringing'
            or record.direction != 'inbound'
        ):
            return ''
        now = datetime.now(timezone.utc)
        # older events come from a replay
        if not stored or now - stored[-1].received_at > timedelta(seconds=LONGEST_WAIT):
            return ''
        return self._adapter().route_ref(stored, self._settings())

    def _route_soon(self, waiting):
        """Send these callers after all other work. Their calls are filed and committed.

        :param dict waiting: call reference → by what name the PBX knows the caller
        """
        if waiting and self.route_to_owner and not self._missing():
            deadline = time.monotonic() + LONGEST_WAIT
            router.wake(
                self.env.cr.dbname,
                self.id,
                [Caller(ref, route_ref, deadline) for ref, route_ref in waiting.items()],
            )

    def _route(self, caller):
        """Send a caller to their salesperson, if they have one who is at work; at most once a call.
        Commits.

        :return: seconds to wait before the next caller
        """
        call = self.env['telephony.call'].search(
            [
                ('account_id', '=', self.id),
                ('external_id', '=', caller.call_ref),
                ('state', '=', 'ringing'),
            ]
        )
        if not call or call.leg_ids:
            return 0
        extension = self._on_question(
            Question('route', call.customer_number or '', call.called_number or '')
        ).manager
        event = extension and self.env['telephony.event']._note_route(self, call, extension)
        if not event:
            return 0
        # stored before it is done: whatever happens to this process, nobody is sent twice
        self.env.cr.commit()  # pylint: disable=invalid-commit
        try:
            if time.monotonic() > caller.deadline:
                raise ProviderError(
                    _lt(
                        "Not sent to the salesperson: other callers came first, and it took too long. "
                        "The caller stayed in the queue."
                    )
                )
            self._client(Routes).route(caller.route_ref, extension)
        except Exception as error:
            if not isinstance(error, (ProviderError, UserError)):
                _logger.exception(
                    "telephony account %s: call %s could not be sent to extension %s; the caller stays in the queue",
                    self.id,
                    call.id,
                    extension,
                )
            event._fail(error)
        self.env.cr.commit()  # pylint: disable=invalid-commit
        return clients[self.provider].route_pause


class TelephonyEvent(models.Model):
    _inherit = 'telephony.event'

    @api.model
    def _after_committed(self, account, folded):
        """Send callers who wait now to their salesperson, after all other work."""
        super()._after_committed(account, folded)
        waiting = {
            ref: route_ref
            for ref, (record, stored) in folded.items()
            if (route_ref := account._route_ref(record, stored))
        }
        account._route_soon(waiting)

    @api.model
    def _note_route(self, account, call, extension):
        """Store our own event that the caller is sent to this phone, and return it; empty if there
        was one already."""
        key = f'{ROUTED}:{call.external_id}'
        row = EventRow(
            kind=ROUTED,
            call_ref=call.external_id,
            leg_ref=None,
            key=key,
            state='done',
            error=None,
            payload=dump({'extension': extension}),
        )
        with turns.gives_way(self.env):  # another process has done it just now
            self._store(account, [row], fields.Datetime.now())
            if self.env.cr.rowcount:
                event = self.search([('account_id', '=', account.id), ('dedupe_key', '=', key)])
                event.call_id = call
                return event
        return self.browse()
