"""The capabilities that a client may have, one Protocol each.

A client has a capability if it has its method. What a PBX cannot do over its API is not there, and
the user interface shows no button for it. Every method raises ProviderError, whose sentence people
read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from .fetch import LISTENING, Limits, Sound


@dataclass(frozen=True)
class Extension:
    """A phone of the PBX: the number by which events know it, and whose phone it is there."""

    number: str
    name: str = ''


@dataclass(frozen=True)
class Number:
    """A number of the company, as the PBX spells it."""

    number: str
    label: str = ''


@dataclass(frozen=True)
class Balance:
    """What is left at the PBX's provider."""

    amount: float
    currency: str = ''


@runtime_checkable
class Checks(Protocol):
    def check(self) -> str:
        """Log in, and return one line that says what answered."""


@runtime_checkable
class TellsBalance(Protocol):
    def balance(self) -> Balance:
        """Return what is left at the PBX's provider, which connects no calls without money."""


@runtime_checkable
class ReadsHistory(Protocol):
    def history(self, start: datetime, end: datetime) -> Iterator[dict]:
        """Yield the calls that ended between these two moments (aware UTC), as payloads that the
        adapter, a HistoryProvider, identifies."""


@runtime_checkable
class LocatesRecordings(Protocol):
    def recording_url(self, ref: str, call_ref: str) -> str:
        """Return the address of a recording that events announced by its name."""


@runtime_checkable
class OpensSound(Protocol):
    def open_sound(
        self,
        url: str,
        allowed_hosts: Sequence[str],
        byte_range: str = '',
        limits: Limits = LISTENING,
    ) -> Sound:
        """Do what fetch.open_sound does, with the account's login if the sound lies on the PBX."""


@runtime_checkable
class DeletesRecordings(Protocol):
    def delete_recording(self, ref: str, call_ref: str) -> None:
        """Delete the PBX's own copy of a recording, which events announced by the name `ref`, ''
        where it has none, in the call `call_ref`. One that the PBX knows to be gone is deleted."""


@runtime_checkable
class ListsExtensions(Protocol):
    def extensions(self) -> list[Extension]:
        """Return the phones of the PBX."""


@runtime_checkable
class ListsNumbers(Protocol):
    def numbers(self) -> list[Number]:
        """Return the numbers of the company."""


@runtime_checkable
class Dials(Protocol):
    def dial(self, extension: str, number: str, reference: str = '') -> str:
        """Ring the employee's phone, then the customer (E.164), and return the PBX's id of the call,
        '' if it tells none. `reference` is our own id, for PBXs that keep one."""


@runtime_checkable
class HangsUp(Protocol):
    def hang_up(self, call_ref: str, extension: str = '') -> None:
        """End the call for the employee at `extension`. If two others talk by then, they go on
        talking. `call_ref` is the adapter's command_ref."""


@runtime_checkable
class Transfers(Protocol):
    def transfer(self, call_ref: str, extension: str, attended: bool) -> None:
        """Pass the customer on to a colleague's phone. If `attended`, which takes a client that
        `asks_first`, the colleague is asked first."""


@runtime_checkable
class Routes(Protocol):
    def route(self, route_ref: str, extension: str) -> None:
        """Send a caller who still waits to a phone. `route_ref` is the adapter's."""


@runtime_checkable
class GivesPasswords(Protocol):
    def one_time_password(self, login: str, password: str) -> None:
        """Make this the only password of a browser phone until the next one, which ends it; ''
        leaves it none."""


@runtime_checkable
class SetsWebhooks(Protocol):
    def set_webhooks(self) -> str:
        """Make the PBX post to Account.webhook_url, and return a line that says what was set."""


def method_of(capability: type) -> str:
    """Return the name of a capability's only method."""
    [name] = (name for name in vars(capability) if not name.startswith('_'))
    return name


CAPABILITIES: Mapping[str, type] = MappingProxyType(
    {
        method_of(capability): capability
        for capability in (
            Checks,
            TellsBalance,
            ReadsHistory,
            LocatesRecordings,
            OpensSound,
            DeletesRecordings,
            ListsExtensions,
            ListsNumbers,
            Dials,
            HangsUp,
            Transfers,
            Routes,
            GivesPasswords,
            SetsWebhooks,
        )
    }
)
