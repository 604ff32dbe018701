"""What the events of a delivery mean, by a template.

    evaluate(template, request, account)    one result an item of the request: a Reading, or the
                                            ProviderError that says why the item cannot be read
    read(template, payload, account)        the Reading of a payload as the inbox keeps it

A :class:`Reading` with `ignored` belongs to no call; else `call_ref` says to which, and `events`
are what :func:`fold.fold` takes. Nothing here depends on earlier deliveries: joining them is the
work of fold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ..base import (
    UNKNOWN_ARRIVAL,
    Account,
    CallEvent,
    ProviderError,
    Stored,
    WebhookRequest,
    _,
    doubt,
    missing,
    unknown,
)
from ..sides import directed
from .documents import dumped, scope_of, split, without
from .errors import TooMuch, shown
from .language import OUR_WORDS, EventPlan, Rule, Template
from .operations import Reader
from .paths import parse

MOST_EVENTS = 200


@dataclass(frozen=True)
class Reading:
    """What one item says. `rule` is the name of the rule that fits, `key` is equal for repeats;
    `unknown_words` are pairs of path and word that the template let pass."""

    rule: str = ''
    call_ref: str = ''
    key: str = ''
    ignored: str = ''
    events: tuple[CallEvent, ...] = ()
    unknown_words: tuple[tuple[str, str], ...] = ()


def evaluate(
    template: Template,
    request: WebhookRequest,
    account: Account,
    received_at: datetime = UNKNOWN_ARRIVAL,
) -> list[Reading | ProviderError]:
    """Return what a request says, item by item.

    :raise Refused: it holds too many items
    """
    try:
        payloads = split(template, request)
    except ProviderError as error:
        if getattr(error, 'status', 0):
            raise
        return [error]
    results: list[Reading | ProviderError] = []
    for payload in payloads:
        try:
            results.append(read(template, payload, account, received_at))
        except ProviderError as error:
            results.append(error)
    return results


def read(
    template: Template,
    payload: Mapping,
    account: Account,
    received_at: datetime = UNKNOWN_ARRIVAL,
) -> Reading:
    """Return what a payload says.

    :raise ProviderError: no rule fits it, or a value in it cannot be read
    """
    reader = Reader(scope_of(template, payload), account)
    for rule in template.ignored:
        if _fits(rule, reader):
            return Reading(
                rule=rule.name,
                key=_key(template, payload, '', reader),
                ignored=_(
                    "The template leaves this out: %(name)s", name=rule.name or rule_words(rule)
                ),
            )
    rule = rule_of(template, reader)
    events: list[CallEvent] = []
    for plan in rule.events:
        events += _events(plan, rule, reader, received_at)
        if len(events) > MOST_EVENTS:
            raise TooMuch
    if not events:
        return Reading(
            rule=rule.name,
            key=_key(template, payload, '', reader),
            ignored=_("The template's rule “%(rule)s” tells of no call.", rule=rule.name),
            unknown_words=tuple(reader.unknown_words),
        )
    call_ref = template.call.value(reader)
    if not call_ref:
        raise missing(template.call.name)
    return Reading(
        rule=rule.name,
        call_ref=call_ref,
        key=_key(template, payload, call_ref, reader),
        events=tuple(replace(event, external_id=call_ref) for event in events),
        unknown_words=tuple(reader.unknown_words),
    )


def translate(template: Template, stored: Sequence[Stored], account: Account) -> list[CallEvent]:
    """Return all events of one call, as :meth:`Provider.translate` does.

    Each payload could be read when it came. One that a newer template cannot read any more is left
    out, so that it does not hide the call.

    :raise ProviderError: none can be read
    """
    events: list[CallEvent] = []
    problem = None
    for item in stored:
        try:
            events += read(template, item.payload, account, item.received_at).events
        except ProviderError as error:
            problem = error
    if problem and not events:
        raise problem
    return _waited(directed(events, account), template) if events else []


def _waited(events: list[CallEvent], template: Template) -> list[CallEvent]:
    """Return the events of a call that ended while its caller waited as missed, because most PBXs do
    not tell who ended it: the caller, or a queue that gave up. A template may know better."""
    if template.waiting_ended_by_caller or any(
        event.kind == 'answered' or event.kind == 'ended' and event.outcome for event in events
    ):
        return events
    if 'inbound' not in {event.direction for event in events}:
        return events
    return [
        replace(event, outcome='missed') if event.kind == 'ended' else event for event in events
    ]


def rule_of(template: Template, reader: Reader) -> Rule:
    """Return the first rule that fits.

    :raise ProviderError: none does; the message says what the rules look at
    """
    for rule in template.rules:
        if _fits(rule, reader):
            return rule
    looked_at = dict.fromkeys(
        condition.path for rule in template.rules for condition in rule.when if condition.path
    )
    told = []
    for path in [*looked_at][:3]:
        value = _glance(path, reader)
        told.append(f'{path}={value}')
    raise ProviderError(_("No rule fits: %(values)s", values=', '.join(told) or '–'))


def rule_words(rule: Rule) -> str:
    return ', '.join(dict.fromkeys(condition.path for condition in rule.when))


def _glance(path: str, reader: Reader) -> str:
    """Return the value at a path of a condition, as a complaint shows it."""
    try:
        value = parse(path, '').first(reader.scope)
    except ProviderError:
        return '…'
    return '–' if value is None else shown(value)


def _fits(rule: Rule, reader: Reader) -> bool:
    return all(condition.holds(reader) for condition in rule.when)


def _events(plan: EventPlan, rule: Rule, reader: Reader, received_at: datetime):
    """Yield the events that a plan makes, without their call."""
    elements = plan.each.nodes(reader.scope) if plan.each else [None]
    if len(elements) > MOST_EVENTS:
        raise TooMuch
    for element in elements:
        reader.scope.roots['%'] = element
        if all(condition.holds(reader) for condition in plan.when):
            yield _event(plan, rule, reader, received_at)
    reader.scope.roots['%'] = None


def _event(plan: EventPlan, rule: Rule, reader: Reader, received_at: datetime) -> CallEvent:
    values = {}
    for name, expression in plan.fields:
        value = expression.value(reader)
        if value is None:
            if name == 'at' and plan.is_received_now:
                doubt('time')
            continue
        if name in OUR_WORDS:
            value = value.lower()
            if value not in OUR_WORDS[name]:
                raise unknown(expression.name, shown(value))
        elif name == 'recording_seconds':
            value = int(value + 0.5)
        values[name] = value
    if 'at' not in values and plan.is_received_now:
        values['at'] = received_at
    note = ''
    if plan.kind == 'void':
        note = plan.note or _(
            "By the template's rule “%(rule)s” this is no call with a customer.", rule=rule.name
        )
    return CallEvent(kind=plan.kind, external_id='', note=note, **values)


def _key(template: Template, payload: Mapping, call_ref: str, reader: Reader) -> str:
    """Return the key of an event: repeats have the same, whatever counter the sender adds."""
    scope, paths = reader.scope, template.leave_out
    request = without(payload.get('request') or {}, '~', paths)
    told = [
        without(scope.roots['$'], '$', paths),
        without(payload.get('rest'), '^', paths),
        request.get('query'),
        request.get('suffix'),
        call_ref,
    ]
    return hashlib.sha256(dumped(told).encode()).hexdigest()
