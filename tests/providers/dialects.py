"""How each PBX tells a call. Each has a `dialect.py` in its folder, written from the PBX's
documentation without a look at the adapter; nothing in it imports Odoo or the addon. It has

- `LABEL`: the PBX's name; `BATCH`: how many events the PBX puts into one request;
- `KEY`: the public name of the simulated PBX (a domain, an account number), where it has one;
- `TEMPLATE`: the id of the template by which it is read, where the adapter takes one;
- `BLIND`: what the PBX cannot tell, or tells otherwise: field of Facts -> why, by its
  documentation;
- `UNTOLD`: scenarios that the PBX cannot tell at all: name -> why;
- `tell(call, ref, began, pbx)`: all that the PBX says of the call, in order, as a list of
  :class:`Said`. `ref` is any text that is different for different calls; ids are made of it;
- `request(payloads, pbx)`: the signed :class:`Request` with these payloads;
- `told(call)`: the call's facts as far as this PBX tells them: they differ from the scenario's in
  BLIND alone;
- `handshake(pbx)`, only where the PBX checks the address when it is entered: a Request, and the
  answer that it wants.
"""

import hashlib
import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Pbx:
    """The simulated PBX. `key` is its public name: a domain, an account number. `zone` is that of
    its own clock, `url` the webhook address that it was given; a chatty one also sends what nobody
    needs."""

    secret: str = field(default='', repr=False)
    key: str = ''
    zone: ZoneInfo = ZoneInfo('Asia/Almaty')
    url: str = field(default='', repr=False)
    is_chatty: bool = False


@dataclass(frozen=True)
class Said:
    """One event, and when the PBX tells it."""

    at: datetime
    payload: dict[str, Any]


@dataclass(frozen=True)
class Request:
    body: bytes
    headers: dict[str, str]
    method: str = 'POST'
    suffix: str = ''
    query: str = ''


def number_from(ref: str, digits: int) -> int:
    """A number that looks accidental and is always the same for the same text."""
    return int(hashlib.sha256(ref.encode()).hexdigest(), 16) % 10**digits


def in_requests(
    dialect: ModuleType, said: Iterable[Said], pbx: Pbx
) -> Iterator[tuple[datetime, Request]]:
    """The requests as they go out: what happened at one moment goes together, where the PBX can put
    it into one."""
    waiting: list[Said] = []
    for event in said:
        if waiting and (event.at != waiting[0].at or len(waiting) == dialect.BATCH):
            yield waiting[0].at, dialect.request([other.payload for other in waiting], pbx)
            waiting = []
        waiting.append(event)
    if waiting:
        yield waiting[0].at, dialect.request([other.payload for other in waiting], pbx)


def dialects() -> dict[str, ModuleType]:
    """The dialect of every PBX, by its code: the name of its folder."""
    folders = importlib.import_module(__package__).__path__
    return {
        found.name: importlib.import_module(f'{__package__}.{found.name}.dialect')
        for found in pkgutil.iter_modules(folders)
        if found.ispkg
    }
