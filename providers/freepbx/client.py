"""Sends commands to FreePBX: those of Asterisk, in the contexts that FreePBX writes. AMI over HTTP
and the HTTP server are off until the admin switches them on.

Its history is not read: it lies in a database table, and behind GraphQL, whose address and login
are only assumed.
"""

from __future__ import annotations

from ..asterisk.client import AsteriskClient
from ..capabilities import Extension
from .adapter import TWINS


class FreePbxClient(AsteriskClient):
    code = 'freepbx'
    label = "FreePBX"
    transfer_context = 'from-internal-xfer'

    def _devices(self, extension: str) -> tuple[str, ...]:
        """Return the main phone and its twins. Local/…@from-internal would reach them all, but the
        employee's mailbox too, and then the customer would be called for nobody."""
        return (extension, *(twin + extension for twin in TWINS))

    def extensions(self) -> list[Extension]:
        """Return the phones without softphone and mobile twins, which are no extensions of their own
        [assumed]."""
        found = super().extensions()
        twins = {twin + extension.number for extension in found for twin in TWINS}
        return [extension for extension in found if extension.number not in twins]

    def _variables(self, extension: str, reference: str) -> dict[str, str]:
        """Return variables that make outbound routes, permissions and recording rules those of the
        employee [assumed]."""
        return {
            **super()._variables(extension, reference),
            'AMPUSER': extension,
            '__REALCALLERIDNUM': extension,
        }
