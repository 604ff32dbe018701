"""What the watch can find: a code for each, whether calls are lost by it, and what to do. Where it is
looked for stands in `alarm_*.py` beside this file, docs/watch.md tells it to administrators."""

from typing import NamedTuple

from ...tools.words import _lt


class Kind(NamedTuple):
    """One thing that can be wrong.

    :ivar label: a plain text, for a selection field
    :ivar loses: calls, or what follows from them, are lost while it lasts
    :ivar advice: a fact
    """

    label: str
    loses: bool
    advice: str


KINDS = {
    'pbx_silent': Kind(
        "PBX silent",
        True,
        _lt(
            "Call one of your numbers. If the call does not appear in the log, look in the PBX whether it runs and whether it "
            "still has the webhook address of its form here."
        ),
    ),
    'line_silent': Kind(
        "Number silent",
        True,
        _lt(
            "Call this number from outside. If it does not ring, ask your telephone company; if it rings, look in the PBX "
            "whether it still sends events of this number. If the number is out of use, press Known."
        ),
    ),
    'refused': Kind(
        "Deliveries refused",
        True,
        _lt(
            "Enter the same secret in the PBX and on its form here. If it is the same, look whether the PBX uses the webhook "
            "address that the form shows, to the letter: some PBXs sign the address too."
        ),
    ),
    'refused_some': Kind(
        "Some deliveries refused",
        False,
        _lt(
            "Somebody sends to the webhook address with a wrong secret: a second PBX or an old set-up. Stop it, or press New "
            "Webhook Address on the PBX's form and enter the new one in the PBX."
        ),
    ),
    'no_events': Kind(
        "Nothing arrived yet",
        False,
        _lt(
            "Enter the webhook address of the PBX's form in the PBX, as the steps there tell, then call one of your "
            "numbers."
        ),
    ),
    'failed_events': Kind(
        "Events not understood",
        True,
        _lt(
            "Open the failed events. When the cause is mended, replay them: nothing is lost. If you cannot tell the cause, "
            "send one of them to whoever looks after this addon."
        ),
    ),
    'pending_events': Kind(
        "Events not filed",
        True,
        _lt(
            "Look whether Odoo runs its scheduled actions, above all “Telephony: process pending events”. The events are kept "
            "and become calls as soon as it runs."
        ),
    ),
    'bridge_silent': Kind(
        "Bridge silent",
        True,
        _lt(
            "On the machine of the bridge: systemctl status crm-telephony-bridge tells whether it runs, journalctl -u "
            "crm-telephony-bridge why it cannot deliver. What it has heard waits in its spool."
        ),
    ),
    'bridge_deaf': Kind(
        "Bridge hears nothing",
        True,
        _lt(
            "The bridge runs, but has no connection to the PBX. Look whether the PBX runs, and whether user, secret and permit "
            "of the bridge in the PBX are right; its log says what the PBX answered."
        ),
    ),
    'bridge_spools': Kind(
        "Bridge keeps events back",
        True,
        _lt(
            "The bridge's events are not taken. Its log says what Odoo answers; if it is a proxy in front of Odoo, let "
            "/telephony/webhook/ pass with bodies of 1 MB."
        ),
    ),
    'bridge_restarts': Kind(
        "Bridge restarts again and again",
        False,
        _lt(
            "journalctl -u crm-telephony-bridge on the bridge's machine says why it ends. Calls that run meanwhile may lose "
            "their details."
        ),
    ),
    'api_refused': Kind(
        "PBX refuses what Odoo asks",
        False,
        _lt(
            "Enter the present API key and secret on the PBX's form and press Check Connection. Until then Odoo can neither "
            "place calls nor read lost ones back."
        ),
    ),
    'api_down': Kind(
        "PBX does not answer",
        False,
        _lt(
            "Look whether the API address on the PBX's form is right and can be reached from the server of Odoo, and whether "
            "the PBX's provider reports a disturbance."
        ),
    ),
    'balance_low': Kind(
        "Balance low",
        True,
        _lt("Pay in at the PBX's provider: without money it connects no calls."),
    ),
    'clock': Kind(
        "PBX's clock is wrong",
        False,
        _lt(
            "Set the clock of the PBX by a time server (NTP). Times of calls, waits and working hours are wrong until then."
        ),
    ),
    'zone': Kind(
        "PBX's time zone is wrong",
        False,
        _lt(
            "Compare the time zone on the PBX's form with that of the PBX. If they are the same, the PBX has outdated time "
            "zone data: Kazakhstan has had one zone, UTC+5, since March 2024. Update its system (package tzdata)."
        ),
    ),
    'unmapped_extension': Kind(
        "Phone not entered",
        False,
        _lt(
            "Press Map It and choose who uses this phone. Until then its calls have no employee, and nobody sees a card when "
            "it rings."
        ),
    ),
    'unmapped_number': Kind(
        "Number not entered",
        False,
        _lt(
            "Press Map It to enter the number. Until then its calls have neither source nor team, and its silence is not "
            "noticed."
        ),
    ),
    'recordings_lost': Kind(
        "Recordings not copied",
        False,
        _lt(
            "Open the recordings of the PBX: each says why it could not be copied. Copy tries again; most often the host is "
            "not among the Recording Hosts of the PBX's form, or the link had run out."
        ),
    ),
    'recordings_missing': Kind(
        "Recordings promised and not there",
        False,
        _lt(
            "Look whether the PBX still records and keeps its files, and whether the bridge may read their folder. The "
            "recordings in the list say what the PBX answered."
        ),
    ),
    'ends_missing': Kind(
        "Ends of calls missing",
        False,
        _lt(
            "The PBX does not tell that calls end, so nobody is called back in time. Switch on the event for the end of a "
            "call in the PBX, as the steps on its form tell."
        ),
    ),
    'history_late': Kind(
        "Not compared with the PBX",
        False,
        _lt(
            "Press Compare Now on the PBX's form. If it fails, its message says why; most often the API key may not read the "
            "call log."
        ),
    ),
    'follow_up': Kind(
        "Calls without follow-up",
        True,
        _lt(
            "Open the calls with a failed follow-up: each says why. Nobody is asked to call these customers back until it is "
            "mended and Try Again is pressed."
        ),
    ),
    'cron_vital': Kind(
        "Scheduled action stands still",
        True,
        _lt(
            "Open Settings, Technical, Scheduled Actions: switch it on, or look in the server's log why it fails. Without it "
            "calls are not filed or nobody is asked to call back."
        ),
    ),
    'cron': Kind(
        "Scheduled action late",
        False,
        _lt(
            "Open Settings, Technical, Scheduled Actions: switch it on, or look in the server's log why it fails. If you have "
            "switched it off on purpose, press Known."
        ),
    ),
    'address': Kind(
        "Webhook address out of reach",
        True,
        _lt(
            "The warning on the PBX's form says why. Set the system parameter web.base.url to the address under which the PBX "
            "reaches Odoo, and enter the new webhook address in the PBX."
        ),
    ),
    'base_url': Kind(
        "Odoo's address has changed",
        False,
        _lt(
            "Odoo takes the address at which an administrator logs in. Set web.base.url back and create the system parameter "
            "web.base.url.freeze with the value True; or, if the new address is right, enter the new webhook address in the "
            "PBX and press Known."
        ),
    ),
    'disk': Kind(
        "Disk nearly full",
        True,
        _lt(
            "Make room on the server's disk: when it is full, Odoo can store neither calls nor recordings."
        ),
    ),
    'unwatched': Kind(
        "Nobody watched",
        False,
        _lt(
            "Odoo or its scheduled actions stood still. What is silent is judged from the end of that time on."
        ),
    ),
}
CODES = [(code, kind.label) for code, kind in KINDS.items()]
