"""The calls, and what each of them has to become in Odoo.

A scenario plays on a line of its own (phones.Line), so all of them run at the same time: calls must
not get mixed up.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from . import dialogs as d
from . import phones
from .ami import Ami
from .phones import Line, Sipp
from .server import QUEUE_RING, RING

TRUNK_BUSY, TRUNK_NO_ANSWER, NOT_FOUND = 486, 480, 404


@dataclass(frozen=True)
class Expected:
    """A row of telephony.call. Phones go by their row, 2 to 4; legs are told for inbound calls. -1:
    not compared."""

    outcome: str
    wait: float
    talk: float = 0
    direction: str = 'inbound'
    extension: int = 0
    legs: dict[int, str] = field(default_factory=dict)
    queue: bool = False
    callback: bool = False
    recordings: int = 0
    hidden: bool = False


@dataclass(frozen=True)
class Scenario:
    name: str
    play: Callable[[Line, Ami], None]
    calls: tuple[Expected, ...]


SCENARIOS: list[Scenario] = []


def becomes(*calls: Expected):
    def register(play):
        SCENARIOS.append(Scenario(play.__name__, play, calls))
        return play

    return register


def until_over(*sipps: Sipp) -> None:
    for sipp in sipps:
        sipp.finish()


# --- somebody calls --------------------------------------------------------------------------------------------------


@becomes(Expected('answered', 2, 3, extension=2, legs={2: 'answered'}, recordings=1))
def inbound_answered(line, _ami):
    phone = line.phone(2, d.answer(2))
    until_over(line.call_in(1, d.call_and_hang_up(line.caller, 3)), phone)


@becomes(Expected('answered', 1, 3, extension=2, legs={2: 'answered'}, recordings=1))
def agent_hangs_up(line, _ami):
    phone = line.phone(2, d.answer_and_hang_up(1, 3))
    until_over(line.call_in(1, d.call_and_stay(f'+{line.caller}')), phone)


@becomes(Expected('answered', 1, 2, extension=2, legs={2: 'answered'}, recordings=1, hidden=True))
def hidden_caller(line, _ami):
    phone = line.phone(2, d.answer(1))
    until_over(line.call_in(1, d.call_and_hang_up('anonymous', 2)), phone)


@becomes(Expected('missed', 2, legs={2: 'no_answer'}, hidden=True))
def hidden_caller_missed(line, _ami):
    """Nobody can call him back."""
    phone = line.phone(2, d.ring())
    until_over(line.call_in(1, d.call_and_give_up('anonymous', 2)), phone)


@becomes(
    Expected('answered', 3, 3, extension=3, legs={2: 'no_answer', 3: 'answered'}, recordings=1)
)
def ring_group(line, _ami):
    two = [line.phone(2, d.ring()), line.phone(3, d.answer(3))]
    until_over(line.call_in(2, d.call_and_hang_up(line.caller, 3)), *two)


@becomes(
    Expected(
        'answered',
        3,
        3,
        extension=2,
        queue=True,
        legs={2: 'answered', 3: 'no_answer'},
        recordings=1,
    )
)
def queue_answered(line, _ami):
    two = [line.phone(2, d.answer(3)), line.phone(3, d.ring())]
    until_over(line.call_in(3, d.call_and_hang_up(line.caller, 6)), *two)


@becomes(
    Expected(
        'answered',
        QUEUE_RING + 1 + 2,
        3,
        extension=3,
        queue=True,
        legs={2: 'no_answer', 3: 'answered'},
        recordings=1,
    )
)
def queue_rings_again(line, _ami):
    """Nobody takes it in the first round."""
    one, other = line.phone(2, d.ring(), calls=2), line.phone(3, d.ring())
    caller = line.call_in(3, d.call_and_stay(line.caller))
    other.finish()
    other = line.phone(3, d.answer_and_hang_up(2 - phones.LISTENING / 2, 3))
    until_over(caller, one, other)


@becomes(Expected('abandoned', 4, queue=True, legs={2: 'no_answer', 3: 'no_answer'}, callback=True))
def queue_abandoned(line, _ami):
    two = [line.phone(2, d.ring()), line.phone(3, d.ring())]
    until_over(line.call_in(3, d.call_and_hang_up(line.caller, 4)), *two)


@becomes(Expected('missed', RING, legs={2: 'no_answer'}, callback=True))
def missed_timeout(line, _ami):
    phone = line.phone(2, d.ring())
    until_over(line.call_in(1, d.call_in_vain(line.caller, TRUNK_NO_ANSWER)), phone)


@becomes(Expected('missed', 3, legs={2: 'no_answer'}, callback=True))
def caller_hangs_up(line, _ami):
    phone = line.phone(2, d.ring())
    until_over(line.call_in(1, d.call_and_give_up(line.caller, 3)), phone)


@becomes(Expected('busy', 1, legs={2: 'busy'}, callback=True))
def busy(line, _ami):
    phone = line.phone(2, d.refuse('486 Busy Here', 1))
    until_over(line.call_in(1, d.call_in_vain(line.caller, TRUNK_BUSY)), phone)


@becomes(Expected('missed', 0, callback=True))
def phone_offline(line, _ami):
    phone = line.phone(2, d.refuse('480 Temporarily Unavailable'))
    until_over(line.call_in(1, d.call_in_vain(line.caller, TRUNK_NO_ANSWER)), phone)


@becomes(Expected('voicemail', -1, legs={2: 'no_answer'}, callback=True))
def voicemail(line, _ami):
    phone = line.phone(2, d.ring())
    until_over(line.call_in(4, d.call_and_hang_up(line.caller, 13, tone=True)), phone)


@becomes(Expected('missed', -1, legs={2: 'no_answer'}, callback=True))
def voicemail_without_message(line, _ami):
    """He hangs up during the greeting."""
    phone = line.phone(2, d.ring())
    until_over(line.call_in(4, d.call_and_hang_up(line.caller, 1)), phone)


# --- we call ---------------------------------------------------------------------------------------------------------


@becomes(Expected('answered', 2, 3, 'outbound', extension=2, recordings=1))
def outbound_answered(line, _ami):
    customer = line.outside(d.answer(2))
    until_over(line.call_from(d.call_and_hang_up(line.extension(2), 3), line.customer), customer)


@becomes(Expected('no_answer', RING, 0, 'outbound', extension=2, callback=True))
def outbound_no_answer(line, _ami):
    customer = line.outside(d.ring())
    until_over(
        line.call_from(d.call_in_vain(line.extension(2), TRUNK_NO_ANSWER), line.customer), customer
    )


@becomes(Expected('no_answer', 3, 0, 'outbound', extension=2, callback=True))
def outbound_given_up(line, _ami):
    customer = line.outside(d.ring())
    until_over(line.call_from(d.call_and_give_up(line.extension(2), 3), line.customer), customer)


@becomes(Expected('busy', 1, 0, 'outbound', extension=3, callback=True))
def outbound_busy(line, _ami):
    customer = line.outside(d.refuse('486 Busy Here', 1))
    until_over(
        line.call_from(d.call_in_vain(line.extension(3), TRUNK_BUSY), line.customer), customer
    )


@becomes(Expected('failed', 0, 0, 'outbound', extension=2))
def outbound_unallocated(line, _ami):
    customer = line.outside(d.refuse('404 Not Found'))
    until_over(
        line.call_from(d.call_in_vain(line.extension(2), NOT_FOUND), line.customer), customer
    )


@becomes(Expected('answered', 2, 3, 'internal', extension=3, recordings=1))
def internal(line, _ami):
    colleague = line.phone(3, d.answer(2))
    until_over(
        line.call_from(d.call_and_hang_up(line.extension(2), 3), line.extension(3)), colleague
    )


@becomes(Expected('answered', 2, 2, 'outbound', extension=2, recordings=1))
def click_to_call(line, ami):
    phone, customer = line.phone(2, d.answer_and_hang_up(1, 4)), line.outside(d.answer(2))
    answer = ami.action(
        'Originate',
        Channel=f'PJSIP/{line.extension(2)}',
        Context='from-internal',
        Exten=line.customer,
        Priority='1',
        Timeout='20000',
        Async='true',
        ChannelId=f'crm-{line.line}',
    )
    assert answer['Response'] == 'Success', answer
    until_over(phone, customer)


@becomes()
def click_to_call_unanswered(line, ami):
    """The employee does not pick up: no customer was called, so there is no call."""
    phone = line.phone(2, d.ring())
    ami.action(
        'Originate',
        Channel=f'PJSIP/{line.extension(2)}',
        Context='from-internal',
        Exten=line.customer,
        Priority='1',
        Timeout='3000',
        Async='true',
        ChannelId=f'crm-{line.line}',
    )
    until_over(phone)


# --- transfers -------------------------------------------------------------------------------------------------------


@becomes(
    Expected(
        'answered', 1, 3 + 2 + 3, extension=2, legs={2: 'answered', 3: 'answered'}, recordings=2
    )
)
def blind_transfer(line, _ami):
    two = [
        line.phone(2, d.answer_and_transfer(1, 3, line.extension(3))),
        line.phone(3, d.answer_and_hang_up(2, 3)),
    ]
    until_over(line.call_in(1, d.call_and_stay(line.caller)), *two)


@becomes(
    Expected('answered', 1, -1, extension=2, legs={2: 'answered', 3: 'answered'}, recordings=1),
    Expected('answered', 1, -1, 'internal', extension=3, recordings=-1),
)
def attended_transfer(line, ami):
    """The phone holds the customer, asks a colleague, and connects them. The question is a call
    between colleagues."""
    first, second = (
        line.phone(2, d.answer_and_hold(1, 2)),
        line.phone(3, d.answer_and_hang_up(1, 6)),
    )
    customer = line.call_in(1, d.call_and_stay(line.caller))
    ami.wait('Hold', Channel=f'PJSIP/{line.extension(2)}-')
    question = line.call_from(d.call_and_stay(line.extension(2)), line.extension(3))
    ami.wait('BridgeEnter', Channel=f'PJSIP/{line.extension(3)}-')
    time.sleep(2)
    phones.transfer_to_consulted(line.ports, first, question, line.extension(3))
    until_over(customer, question, second)


@becomes(
    Expected('answered', 1, -1, extension=2, legs={2: 'answered', 3: 'answered'}, recordings=1)
)
def attended_transfer_by_feature(line, ami):
    """The same through the PBX's own feature: the question runs inside the customer's call. The
    first phone stays until the second has answered, on a busy machine too."""
    first, second = (
        line.phone(2, d.answer_and_hang_up(1, 12)),
        line.phone(3, d.answer_and_hang_up(1, 10)),
    )
    customer = line.call_in(1, d.call_and_stay(line.caller))
    channel = ami.wait('BridgeEnter', Channel=f'PJSIP/{line.extension(2)}-')['Channel']
    time.sleep(1)
    answer = ami.action('Atxfer', Channel=channel, Context='from-internal', Exten=line.extension(3))
    assert answer['Response'] == 'Success', answer
    until_over(customer, first, second)


# --- many calls ------------------------------------------------------------------------------------------------------

TAKEN_LINE, RUNG_LINE = 90, 91
TAKEN = Expected('answered', 1, 5, extension=2, legs={2: 'answered'}, recordings=-1)
RUNG = Expected('missed', 5, legs={2: 'no_answer'}, callback=True)


def many(taken: Line, rung: Line, callers: list[str], rate: float) -> list[Sipp]:
    """As many calls, all with callers of their own: half are answered, half ring until the caller
    has had enough."""
    half = len(callers) // 2
    # The unanswered ring for as long as the others talk: no call is shorter than a restart of the
    # bridge.
    return [
        taken.phone(2, d.answer(TAKEN.wait), calls=half),
        rung.phone(2, d.ring(), calls=len(callers) - half),
        taken.call_in(
            1,
            d.call_and_hang_up('[field0]', TAKEN.talk),
            calls=half,
            rate=rate / 2,
            callers=callers[:half],
        ),
        rung.call_in(
            1,
            d.call_and_give_up('[field0]', RUNG.wait),
            calls=len(callers) - half,
            rate=rate / 2,
            callers=callers[half:],
        ),
    ]
