"""Plays the samples of a template, without a database: requests in, calls out.

A sample has the form of the payload files of every PBX's tests:

    about         what it shows
    account       what is entered: timezone, country, extensions, own_numbers
    started_at    the moment from which received_after counts
    deliveries    requests in order of arrival: json, form, xml or raw, with query, suffix, headers
                  and received_after (seconds)
    expected      the fields of the call that must come of it; null where none comes of it
    failed        what the reason says of a delivery that is not understood
    ignored       true where a delivery belongs to no call
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from urllib.parse import urlencode

from ..base import (
    Account,
    CallRecord,
    Provider,
    ProviderError,
    Stored,
    WebhookRequest,
    _,
    dump,
)
from ..reading import read_call
from .documents import split
from .evaluation import Reading, read, translate
from .language import Template
from .operations import iso

STARTED = datetime(2026, 3, 2, 6, tzinfo=timezone.utc)
# What an Account takes from a sample as it stands, and what as a set.
PLAIN = ('timezone', 'country', 'webhook_url')
SETS = ('extensions', 'own_numbers', 'trunks')


@dataclass
class Played:
    """What a sequence of requests gave: its calls by their ids, what failed and what belongs to no
    call."""

    calls: dict[str, CallRecord | None] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    events: int = 0

    @property
    def records(self) -> list[CallRecord]:
        return [record for record in self.calls.values() if record]


class _Alone(Provider):
    """Reads by a template that no account has yet. It has no code, so nobody can choose it."""

    def __init__(self, template: Template):
        self.template = template

    def translate(self, stored, account):
        return translate(self.template, stored, account)


def request_of(delivery: Mapping) -> WebhookRequest:
    """Return the request of a delivery in a sample, unsigned."""
    headers = {name.lower(): str(value) for name, value in (delivery.get('headers') or {}).items()}
    form: dict[str, tuple[str, ...]] = {}
    if 'json' in delivery:
        body, kind = json.dumps(delivery['json'], ensure_ascii=False).encode(), 'application/json'
    elif 'form' in delivery:
        form = _lists(delivery['form'])
        body, kind = urlencode(form, doseq=True).encode(), 'application/x-www-form-urlencoded'
    elif 'xml' in delivery:
        body, kind = str(delivery['xml']).encode(), 'application/xml'
    else:
        body, kind = str(delivery.get('raw', '')).encode('utf-8', 'surrogateescape'), ''
    return WebhookRequest(
        method=delivery.get('method', 'POST' if body else 'GET'),
        suffix=delivery.get('suffix', ''),
        headers={**({'content-type': kind} if kind else {}), **headers},
        query=_lists(delivery.get('query') or {}),
        form=form,
        body=body,
    )


def _lists(fields: Mapping) -> dict[str, tuple[str, ...]]:
    return {
        str(name): tuple(map(str, value)) if isinstance(value, list) else (str(value),)
        for name, value in fields.items()
    }


def account_of(sample: Mapping, template: Template) -> Account:
    """Return the account of a sample, with this template."""
    given = sample.get('account') or {}
    return Account(
        **{name: given[name] for name in PLAIN if name in given},
        **{name: frozenset(given[name]) for name in SETS if name in given},
        outside_codes=tuple(given.get('outside_codes', ())),
        template=json.dumps(template.data),
    )


def arrivals_of(sample: Mapping) -> list[tuple[WebhookRequest, datetime]]:
    """Return the requests of a sample, each with the moment of its arrival."""
    start = moment(sample['started_at']) if sample.get('started_at') else STARTED
    return [
        (request_of(delivery), start + timedelta(seconds=float(delivery.get('received_after', 0))))
        for delivery in sample['deliveries']
    ]


def moment(text: str) -> datetime:
    """Return a time of a sample, in UTC if it has no offset.

    :raise ValueError: the text is no time
    """
    found = iso(text)
    if not found:
        raise ValueError(text)
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def play(
    template: Template,
    arrivals: Iterable[tuple[WebhookRequest, datetime]],
    account: Account,
) -> Played:
    """Return what these requests give, as the inbox would read them: repeats add nothing, a bad item
    fails alone, and what is kept is read again from JSON."""
    played, stored = Played(), {}
    for request, received_at in arrivals:
        try:
            payloads = split(template, request)
        except ProviderError as error:
            played.failed.append(str(error))
            continue
        for payload in payloads:
            kept = json.loads(dump(payload))
            try:
                reading: Reading = read(template, kept, account)
            except ProviderError as error:
                played.failed.append(str(error))
                continue
            if reading.ignored:
                played.ignored.append(reading.ignored)
                continue
            stored.setdefault(reading.call_ref, {}).setdefault(
                reading.key, Stored(kept, received_at)
            )
    played.events = sum(map(len, stored.values()))
    provider = _Alone(template)
    for call_ref, kept in stored.items():
        items: Sequence[Stored] = list(kept.values())
        try:
            played.calls[call_ref] = read_call(provider, items, account)[0]
        except ProviderError as error:
            played.failed.append(str(error))
    return played


def differences(played: Played, sample: Mapping) -> list[str]:
    """Return what came otherwise than a sample expects, one sentence each; empty if all is right."""
    found = []
    expected = sample.get('expected')
    if failed := sample.get('failed'):
        if not any(failed in reason for reason in played.failed):
            found.append(_("It should fail with “%(reason)s”, and does not.", reason=failed))
    elif played.failed:
        found.append(_("It is not understood: %(reason)s", reason=played.failed[0]))
    if bool(sample.get('ignored')) != bool(played.ignored):
        found.append(
            _("It leaves out: %(reason)s", reason=played.ignored[0])
            if played.ignored
            else _("It should leave out a delivery, and does not.")
        )
    records = played.records
    if expected is None or len(records) != 1:
        if len(records) != (expected is not None):
            found.append(
                _(
                    "It gives %(count)s calls instead of %(wanted)s.",
                    count=len(records),
                    wanted=int(expected is not None),
                )
            )
        return found
    return found + _unlike(records[0], expected, '')


def _unlike(given, expected: Mapping, where: str) -> list[str]:
    found = []
    for name, wanted in expected.items():
        value = getattr(given, name, None)
        if isinstance(wanted, list) and any(isinstance(part, Mapping) for part in wanted):
            if len(value or ()) != len(wanted):
                found.append(_otherwise(where + name, len(value or ()), len(wanted)))
                continue
            for number, (part, parts) in enumerate(zip(value, wanted)):
                found += _unlike(part, parts, f'{where}{name}[{number}].')
        elif _plain(value) != _plain(wanted):
            found.append(_otherwise(where + name, _plain(value), _plain(wanted)))
    return found


def _otherwise(name: str, given, wanted):
    return _(
        "%(field)s is %(given)s instead of %(wanted)s.",
        field=name,
        given=str(given),
        wanted=str(wanted),
    )


def _plain(value):
    """Return a value as it is compared: moments in UTC, tuples as lists."""
    if isinstance(value, str) and value[4:5] == '-' and value[10:11] == 'T':
        try:
            value = moment(value)
        except ValueError:
            return value
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat()
    return list(value) if isinstance(value, (tuple, list)) else value


def problems(template: Template) -> list[str]:
    """Return what the samples of a template give otherwise than they should, each with its name."""
    found = []
    for number, sample in enumerate(template.samples, 1):
        about = str(sample.get('about') or number)[:100]
        try:
            played = play(template, arrivals_of(sample), account_of(sample, template))
            told = differences(played, sample)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, ProviderError):
            told = [_("It has not the form of a sample.")]
        found += [
            _("Sample “%(about)s”: %(difference)s", about=about, difference=difference)
            for difference in told
        ]
    return found


def lacks(template: Template) -> list[str]:
    """Return what the samples do not show, of what every template should."""
    outcomes = {
        (str(sample['expected'].get('direction')), str(sample['expected'].get('outcome')))
        for sample in template.samples
        if isinstance(sample.get('expected'), Mapping)
    }
    found = []
    if ('inbound', 'answered') not in outcomes:
        found.append(_("No sample shows an inbound call that was answered."))
    if not any(way == 'inbound' and how not in ('answered', 'None') for way, how in outcomes):
        found.append(_("No sample shows an inbound call that was not answered."))
    return found
