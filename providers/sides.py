"""Whose number is it: which side of a call is ours, and what direction follows."""

from __future__ import annotations

from dataclasses import replace

from . import numbers
from .base import Account, CallEvent, doubt


def side(caller: str, called: str, account: Account) -> str:
    """Return the direction of a call between these two, as far as the account's phones and numbers
    tell it; '' if neither is known to be ours.

    A short number that nobody has entered is one of our phones if the other side is certain: a new
    phone must not hide its calls.
    """
    from_us, to_us = _is_ours(caller, account), _is_ours(called, account)
    if from_us is None and to_us is None:
        return ''
    # what is not certain is a phone of ours, whatever the other side is
    from_us, to_us = from_us is not False, to_us is not False
    if from_us:
        return 'internal' if to_us else 'outbound'
    return 'inbound' if to_us else ''


def _is_ours(number: str, account: Account) -> bool | None:
    """Return whether this is one of our phones or numbers; None for a short number or a name that
    nobody has entered."""
    name = numbers.clean(number)
    if name in account.extensions:
        return True
    outside = numbers.to_e164(number, account.country, account.outside_codes)
    if outside:
        return outside in account.own_numbers
    digits = sum(char.isdigit() for char in name)
    return None if name and digits <= numbers.SHORT else False


def directed(events: list[CallEvent], account: Account) -> list[CallEvent]:
    """Give events their direction if none of them tells it: what a number or phone of ours calls is
    outbound, or internal if it calls a phone."""
    if any(event.direction for event in events):
        return events
    doubt('direction')

    def first(name: str) -> str:
        return next((value for event in events if (value := getattr(event, name))), '')

    def is_phone(number: str) -> bool:
        return bool(number) and not numbers.to_e164(number, account.country)

    caller, called = first('caller'), first('called')
    ours = numbers.to_e164(caller, account.country) in account.own_numbers
    direction = 'inbound'
    if ours or is_phone(caller):
        direction = 'internal' if is_phone(called) else 'outbound'
    return [replace(event, direction=direction) for event in events]
