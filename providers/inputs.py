"""Checks what is sent to a PBX before it is sent, and cuts long periods into parts that a PBX
accepts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from .base import Account, ProviderError, _

_PHONE = re.compile(r'\+?[0-9]{3,15}')


def phone(number: str) -> str:
    """Return a number that can be dialled: digits, with or without a plus.

    :raise ProviderError: the number is another text
    """
    if not _PHONE.fullmatch(number):
        raise ProviderError(
            _("This is no phone number: only digits and a plus before them can be dialled.")
        )
    return number


def digits(number: str) -> str:
    """Return a number that can be dialled without its plus, as most PBXs want it."""
    return phone(number).lstrip('+')


def own_extension(account: Account, extension: str) -> str:
    """Return the extension if it is a phone of this account, because no other phone may be made to
    ring.

    :raise ProviderError: the account has no such phone
    """
    if extension not in account.extensions:
        raise ProviderError(
            _(
                "“%(extension)s” is no extension of this PBX in Odoo. Enter it among its extensions first.",
                extension=extension[:20],
            )
        )
    return extension


def windows(start: datetime, end: datetime, span: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """Cut a period into parts no longer than `span`, in order of time. Each begins where the one
    before it ends, so that no call falls between two.

    :raise ProviderError: the times are not aware, or in the wrong order
    """
    if not start.tzinfo or not end.tzinfo or end < start:
        raise ProviderError(_("The period ends before it begins, or its times have no time zone."))
    while True:
        until = min(start + span, end)
        yield start, until
        if until >= end:
            return
        start = until
