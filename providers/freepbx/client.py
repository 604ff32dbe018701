"""Commands to FreePBX: those of Asterisk in the contexts that FreePBX writes. AMI over HTTP and the
HTTP server are off until the admin switches them on.

Its history lies in a database table and behind GraphQL, whose address and login are only assumed:
neither is used.
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
        """Not Local/…@from-internal, which reaches every device but also the employee's mailbox:
        the customer would be called for nobody."""
        return (extension, *(twin + extension for twin in TWINS))

    def extensions(self) -> list[Extension]:
        """Without softphone and mobile twins, which are no extensions of their own [assumed]."""
        found = super().extensions()
        twins = {twin + one.number for one in found for twin in TWINS}
        return [one for one in found if one.number not in twins]

    def _variables(self, extension: str, reference: str) -> dict[str, str]:
        """Outbound routes, permissions and recording rules are the employee's [assumed]."""
        return {
            **super()._variables(extension, reference),
            'AMPUSER': extension,
            '__REALCALLERIDNUM': extension,
        }
