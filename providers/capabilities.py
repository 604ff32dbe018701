"""What a client may be able to do over its PBX's API, one Protocol each.

A client has a capability by having its method: what a PBX cannot do is simply not there, and the
user interface shows no button for it. Every method raises ProviderError, whose sentence people
read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from .fetch import Sound


@dataclass(frozen=True)
class Extension:
    """A phone of the PBX: what events call it, and whose it is there."""

    number: str
    name: str = ''


@dataclass(frozen=True)
class Number:
    """A number of the company, as the PBX spells it."""

    number: str
    label: str = ''


@runtime_checkable
class Checks(Protocol):
    def check(self) -> str:
        """Log in, and say in one line what answered."""


@runtime_checkable
class ReadsHistory(Protocol):
    def history(self, start: datetime, end: datetime) -> Iterator[dict]:
        """The calls that ended between these two moments (aware UTC), as payloads that the adapter,
        a HistoryProvider, identifies."""


@runtime_checkable
class LocatesRecordings(Protocol):
    def recording_url(self, ref: str, call_ref: str) -> str:
        """The address of a recording that events announced by name."""


@runtime_checkable
class OpensSound(Protocol):
    def open_sound(self, url: str, allowed_hosts: Sequence[str], byte_range: str = '') -> Sound:
        """As fetch.open_sound, but with the account's login where the PBX itself is asked."""


@runtime_checkable
class ListsExtensions(Protocol):
    def extensions(self) -> list[Extension]:
        """The phones of the PBX."""


@runtime_checkable
class ListsNumbers(Protocol):
    def numbers(self) -> list[Number]:
        """The numbers of the company."""


@runtime_checkable
class Dials(Protocol):
    def dial(self, extension: str, number: str, reference: str = '') -> str:
        """Ring the employee's phone, then the customer (E.164). Gives the PBX's id of the call, or
        '' where it tells none; `reference` is ours, for PBXs that keep one."""


@runtime_checkable
class HangsUp(Protocol):
    def hang_up(self, call_ref: str, extension: str = '') -> None:
        """End the call of whoever hangs up at `extension`; two others who talk by then go on
        talking. `call_ref` is the adapter's command_ref."""


@runtime_checkable
class Transfers(Protocol):
    def transfer(self, call_ref: str, extension: str, attended: bool) -> None:
        """Pass the customer on to a colleague's phone, who is asked first if `attended`: only where
        the client `asks_first`."""


@runtime_checkable
class Routes(Protocol):
    def route(self, route_ref: str, extension: str) -> None:
        """Send a caller who still waits, as the adapter's route_ref names them, to a phone."""


@runtime_checkable
class SetsWebhooks(Protocol):
    def set_webhooks(self) -> str:
        """Make the PBX post to Account.webhook_url, and say what was set."""


def method_of(capability: type) -> str:
    """The name of a capability's one method."""
    [name] = (name for name in vars(capability) if not name.startswith('_'))
    return name


CAPABILITIES: Mapping[str, type] = MappingProxyType(
    {
        method_of(capability): capability
        for capability in (
            Checks,
            ReadsHistory,
            LocatesRecordings,
            OpensSound,
            ListsExtensions,
            ListsNumbers,
            Dials,
            HangsUp,
            Transfers,
            Routes,
            SetsWebhooks,
        )
    }
)
