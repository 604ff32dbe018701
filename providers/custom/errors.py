"""What a template and a delivery are refused with: a sentence that names the place."""

from __future__ import annotations

from ..base import ProviderError, _

# Values are shown so far: enough to recognise them, too little to fill a page.
SHOWN = 100


class BadTemplate(ProviderError):
    """Raised for a template that cannot be used. The message names the place in it, such as
    `rules[2].events[0].at`."""

    def __init__(self, reason: str, place: str):
        super().__init__(
            _("In the template, at %(place)s: %(reason)s", place=place[:SHOWN], reason=reason)
        )
        self.place = place


class TooMuch(ProviderError):
    """Raised when reading a delivery takes more work than any call is worth."""

    def __init__(self):
        super().__init__(
            _("This is too much work for one delivery: it holds too many values or events.")
        )


def shown(value) -> str:
    """Return a value as a complaint may quote it."""
    return str(value)[:SHOWN]
