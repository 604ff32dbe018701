"""What to do when a test call has not shown a fact: by cause, for any PBX. An adapter's own `advice`
goes before it, because each PBX has its own place for a setting.

The values that a sentence may name are those of :data:`VALUES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..tools.words import _lt as _

VALUES = (
    'pbx',  # the name of the PBX in Odoo
    'number',  # the company number that is tested
    'caller',
    'called',
    'direction',
    'outcome',
    'extension',
    'user',
    'hours',  # by which the clock is off, with its sign
    'zone',
    'host',
    'reason',  # a whole sentence
)

ADVICE: Mapping[str, str] = MappingProxyType(
    {
        # nothing of the call is there
        'nothing': _(
            "No event has come. Most likely the webhook address is not entered in the PBX, or an old one is. Copy it "
            "from the PBX's form, follow the steps there, and call again."
        ),
        'unreachable': _("No event has come. %(reason)s"),
        'refused': _(
            "The PBX's deliveries are refused: %(reason)s Compare the credentials here with those in the PBX, and "
            "call again."
        ),
        'failed': _(
            "An event has come that could not be read: %(reason)s Check that the right kind of PBX is chosen."
        ),
        'ignored': _(
            "Events come, but none of them is a call: %(reason)s Switch the events of calls on in the PBX."
        ),
        'other_line': _(
            "A call came in on %(called)s, not on %(number)s. Call the number that you chose, or choose the other "
            "one."
        ),
        'other_caller': _(
            "A call came from %(caller)s, not from the mobile that you entered. If it was yours, start again without "
            "a mobile."
        ),
        'old_call': _(
            "A call came in on %(number)s that had begun before the test, by the PBX's clock. If it was yours, that "
            "clock is slow: set it, or enter your mobile and test again."
        ),
        # the seven facts
        'hidden': _(
            "The caller's number is hidden. Stop hiding it on your mobile, and call again. If other callers are "
            "hidden too, ask the PBX's provider to pass numbers on."
        ),
        'unread': _(
            "%(caller)s cannot be read as a phone number, so it matches no contact. On the PBX's form choose the "
            "country whose numbers come without a code."
        ),
        'called_none': _(
            "The PBX did not tell which of your numbers was called, so no advertisement gets the call. Switch the "
            "called number on in what it sends."
        ),
        'called_unknown': _(
            "The PBX told %(called)s as the called number, which is none of its numbers here. Enter it under Company "
            "Numbers on the PBX's form just so."
        ),
        'called_other': _(
            "The PBX told %(called)s as the called number, not %(number)s. If you called %(number)s, the PBX passes "
            "calls on under the other number: test that one."
        ),
        'direction': _(
            "The call is logged as: %(direction)s. Enter all company numbers and extensions of the PBX: they tell who"
            " is outside."
        ),
        'no_time': _(
            "The PBX sent no believable time, so that of the arrival stands in. Switch the time on in what it sends, "
            "and set its clock."
        ),
        'clock': _(
            "The PBX's times are off by %(hours)s h. Set the time zone on its form, now %(zone)s, to that of its "
            "clock, or mend the clock. A system with zone tables from before 2024 is an hour off in Kazakhstan."
        ),
        'no_end': _(
            "The end of the call has not come. Most likely the event of the end is not switched on in the PBX. Switch"
            " it on, and call again."
        ),
        'no_talk': _(
            "The PBX told no talk time. Most likely the event of the answer is not switched on. Switch it on, and "
            "call again."
        ),
        'no_outcome': _(
            "The PBX did not tell how the call ended. Switch the event of the end on, with its result."
        ),
        'not_answered': _(
            "By the PBX nobody answered: %(outcome)s. If somebody did, the event of the answer is not switched on. If"
            " not, call again and have it answered."
        ),
        'was_answered': _(
            "By the PBX somebody answered: %(outcome)s. An announcement, a menu or a voicemail box may have taken the"
            " call. Let it ring, hang up before anything answers, and call again."
        ),
        'voicemail': _(
            "A voicemail box took the call. Hang up earlier, or have it answered earlier, and call again."
        ),
        'no_phone': _(
            "The PBX did not tell which phone answered, so the call counts for nobody. Switch the event of the answer"
            " on in the PBX."
        ),
        'no_user': _(
            "Extension %(extension)s answered, but it has no user here. Enter it with its user under Extensions on "
            "the PBX's form."
        ),
        # what Odoo makes of them
        'excluded': _(
            "%(caller)s counts as no customer, because it is a colleague's or was ignored. Such a call has no card "
            "and no callback. Call from another phone."
        ),
        'no_card': _(
            "No browser of %(user)s has shown the card. They log in to Odoo and leave a page open; then call again."
        ),
        'card_off': _(
            "%(user)s sees no cards: Show Calls is switched off in their preferences, or Do Not Disturb is on, or "
            "they have no right on telephony."
        ),
        'no_card_user': _(
            "The PBX told of no phone whose user is known, so nobody saw a card. Enter the extensions with their "
            "users on the PBX's form."
        ),
        'no_contact': _(
            "No contact has %(caller)s. That is right for a stranger. To see the match, enter it on a contact and "
            "call again."
        ),
        'recording_off': _("The PBX's form says that such recordings are not kept."),
        'no_recording': _(
            "The PBX told of no recording. If you record, switch recording on for this number, and the event of the "
            "recording."
        ),
        'recording_late': _(
            "The recording was announced, but the PBX has not given it yet. Odoo goes on asking; look at the call in "
            "some minutes."
        ),
        'recording_host': _(
            "The recording lies on %(host)s, from where none may be fetched. If it is right, enter it in Recording "
            "Hosts on the PBX's form, then replay the event."
        ),
        'recording_failed': _("The recording cannot be played: %(reason)s"),
        'no_callback': _(
            "No callback was opened. Most likely no rule is meant for this call. See under Rules which one fits a "
            "missed call at this hour and on this number."
        ),
        'no_activity': _(
            "The callback has no activity. Most likely it has no owner: enter a responsible user or a team for the "
            "company number."
        ),
    }
)

# What to do when the line test of a browser phone fails, by cause, for any PBX. The values that a
# sentence may name are those of LINE_VALUES.
LINE_VALUES = ('pbx', 'url', 'host', 'extension', 'reason')
LINE_ADVICE: Mapping[str, str] = MappingProxyType(
    {
        'insecure': _(
            "Open Odoo by its https address: browsers give the microphone to no other page."
        ),
        'microphone_policy': _(
            "A proxy in front of Odoo forbids the microphone. Let its header Permissions-Policy say "
            "microphone=(self)."
        ),
        'microphone_denied': _(
            "The browser may not use the microphone. Click on the sign left of the address and allow it."
        ),
        'microphone_none': _(
            "No microphone was found. Plug in a headset, and choose it in the devices."
        ),
        'microphone_busy': _("Another program uses the microphone. Close it there."),
        'microphone_silent': _(
            "The microphone gives no sound at all. Switch it on, or choose another one in the devices."
        ),
        'host_unknown': _(
            "%(host)s is not known to the name servers. Correct the address for browser phones on the PBX's form."
        ),
        'refused': _(
            "Nothing listens at %(url)s. Start the PBX's web server, and correct the port of the address."
        ),
        'timeout': _("%(url)s does not answer. A firewall between may keep its port closed."),
        'no_websocket': _(
            "%(url)s answers, but not as a websocket for SIP (%(reason)s). Correct the path of the address, "
            "and let the proxy pass on "
            "Upgrade and Connection."
        ),
        'blocked': _(
            "Odoo's server reaches %(url)s, this browser does not. Look for a firewall, a proxy, or a header "
            "Content-Security-Policy without connect-src for this address."
        ),
        'certificate': _(
            "Browsers do not trust the certificate of %(host)s: %(reason)s. Give the PBX one of a known "
            "authority for this name, or "
            "pass the websocket through Odoo's own host."
        ),
        'elsewhere': _("The phone is open in another browser. Use it here first, then test again."),
        'wrong_password': _(
            "The PBX refuses the password of extension %(extension)s. Compare SIP Password, SIP Login and SIP "
            "Realm with the PBX."
        ),
        'unknown_phone': _(
            "The PBX does not know extension %(extension)s as a phone for browsers. Correct its SIP Login, or "
            "enter it there."
        ),
        'no_register': _(
            "The websocket works, but the PBX does not answer the registration. Look whether SIP over "
            "websocket is switched on in it."
        ),
        'no_stun': _(
            "The STUN server does not answer. Correct its address; UDP to it has to pass the firewall."
        ),
        'no_turn': _("The TURN server does not answer. Correct its address, and open its port."),
        'turn_login': _(
            "The TURN server refuses the login. Enter its static-auth-secret as TURN Secret, and compare the "
            "clocks of both servers."
        ),
        'echo_unknown': _(
            "The PBX does not know the echo number. Make one in the PBX that plays back what it hears, or "
            "correct it on the PBX's form."
        ),
        'echo_silent': _("The echo number does not answer. Call it with another phone of the PBX."),
        'codec': _(
            "The PBX and the browser share no codec. Allow alaw and ulaw for this extension."
        ),
        'echo_failed': _("The PBX did not connect the call to the echo number. Its log says why."),
        'no_sound': _(
            "The call stands, but no sound arrives. Let UDP to the PBX's sound ports pass, tell the PBX its "
            "public address, or enter a "
            "TURN server."
        ),
        'not_heard': _(
            "The PBX sends sound, but does not hear this browser. Let UDP from here to the PBX pass, or enter "
            "a TURN server."
        ),
    }
)
