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

# A caller waits in a menu or queue for seconds only: what is older is left where it is.
LONGEST_WAIT = 20


class Caller(NamedTuple):
    """Who waits: the call, what the PBX calls him, and until when it is worth sending him (seconds,
    monotonic)."""

    call_ref: str
    route_ref: str
    deadline: float


def _send(database, account_id, caller):
    """Send a waiting caller behind filing: a vendor may take seconds to answer and may limit how
    often it is told. What a killed process had not sent yet stays where the PBX has put it."""
    with turns.begun(database) as env:
        return env['telephony.account'].browse(account_id)._route(caller)


router = Worker('telephony.router', _send)


class TelephonyAccount(models.Model):
    """PBXs that do not ask who should get a call, but can be told while the caller still waits in a
    menu or queue."""

    _inherit = 'telephony.account'

    def _route_ref(self, record, stored):
        """What the PBX calls this caller, if he may be sent to somebody's phone now; '' otherwise.
        No query.

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
        # a replay
        if not stored or now - stored[-1].received_at > timedelta(seconds=LONGEST_WAIT):
            return ''
        return self._adapter().route_ref(stored, self._settings())

    def _route_soon(self, waiting):
        """Their calls are filed and committed: send these callers, behind everything else.

        :param dict waiting: call reference → what the PBX calls the caller
        """
        if waiting and self.route_to_owner and not self._missing():
            deadline = time.monotonic() + LONGEST_WAIT
            router.wake(
                self.env.cr.dbname,
                self.id,
                [Caller(ref, route_ref, deadline) for ref, route_ref in waiting.items()],
            )

    def _route(self, caller):
        """Send a caller to his salesperson, if he has one who is at work: once a call. Commits.

        :return: seconds to wait before the next
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
        # told first and done then: whatever happens to this process, nobody is sent twice
        self.env.cr.commit()  # pylint: disable=invalid-commit
        try:
            if time.monotonic() > caller.deadline:
                raise ProviderError(
                    _lt(
                        "Others were sent first, and then it was too late: the caller was left in the queue."
                    )
                )
            self._client(Routes).route(caller.route_ref, extension)
        except Exception as error:
            if not isinstance(error, (ProviderError, UserError)):
                _logger.exception("telephony account %s: a caller cannot be sent", self.id)
            event._fail(error)
        self.env.cr.commit()  # pylint: disable=invalid-commit
        return clients[self.provider].route_pause


class TelephonyEvent(models.Model):
    _inherit = 'telephony.event'

    @api.model
    def _after_committed(self, account, folded):
        """Callers who wait now are sent to their salesperson, behind everything else."""
        super()._after_committed(account, folded)
        waiting = {
            ref: route_ref
            for ref, (record, stored) in folded.items()
            if (route_ref := account._route_ref(record, stored))
        }
        account._route_soon(waiting)

    @api.model
    def _note_route(self, account, call, extension):
        """Our own event that the caller is sent to this phone, empty if there was one."""
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
