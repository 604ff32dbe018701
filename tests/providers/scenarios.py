"""Named scenarios: what happens in a call and what is true of it afterwards, whatever PBX it runs
through.

A scenario is a function of who takes part (:class:`Cast`) and how long things take (:class:`Pace`).
It gives the calls it consists of, nearly always one; a call is its steps in order and the
:class:`Facts` that every PBX should make us know.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Cast:
    """Who takes part. Outside numbers are E.164, a hidden caller is ''. The first phone takes or
    places the call."""

    customer: str = '+77015550199'
    line: str = '+77273550101'  # the company's number: called by the customer, or shown to them
    phones: tuple[str, ...] = ('101', '102', '103')
    queue: str = 'Отдел продаж'


@dataclass(frozen=True)
class Pace:
    """Seconds until somebody answers or gives up, and of talk."""

    wait: int = 9
    talk: int = 64


@dataclass(frozen=True)
class Step:
    """What happens `at` seconds after the call began. What `phone` and `why` mean stands beside the
    names below."""

    at: float
    what: str
    phone: str = ''
    why: str = ''


START = 'start'  # the call reaches the PBX; phone: who places it
QUEUE = 'queue'  # the caller is put into the queue
RING = 'ring'  # phone rings; outbound: the customer's
ANSWER = 'answer'  # phone takes the call; outbound: the customer
STOP = 'stop'  # phone stops ringing; why: timeout, elsewhere, cancel, busy
TRANSFER = 'transfer'  # the talker passes the call on to phone
CONSULT = 'consult'  # the talker lets the other party wait and rings phone, a colleague
CONSENT = 'consent'  # phone takes the consultation
JOIN = 'join'  # the talker leaves, phone has the call
MESSAGE = 'message'  # the caller has left a voice message
RECORDING = 'recording'  # the recording is announced
END = 'end'  # why: caller, phone (who hung up), cancel, timeout, busy, failed


@dataclass(frozen=True)
class Facts:
    """What is true of a call after its end. `legs`: phone -> outcome seen from that phone."""

    direction: str
    outcome: str
    caller: str
    called: str
    extension: str = ''
    queue: str = ''
    wait: float | None = 0
    talk: float = 0
    legs: dict[str, str] = field(default_factory=dict)
    recordings: int = 0


@dataclass(frozen=True)
class Call:
    """One call. `begins` seconds after its scenario did."""

    cast: Cast
    steps: tuple[Step, ...]
    facts: Facts
    begins: float = 0

    @property
    def direction(self) -> str:
        return self.facts.direction

    @property
    def seconds(self) -> float:
        """From the start to the end."""
        return next(step.at for step in reversed(self.steps) if step.what == END)

    @property
    def is_recorded(self) -> bool:
        return any(step.what == RECORDING for step in self.steps)

    @property
    def rung(self) -> list[str]:
        """The phones that rang before anybody took the call, in order."""
        return [step.phone for step in self.steps if step.what == RING and step.phone]

    @property
    def answered_after(self) -> float | None:
        return next((step.at for step in self.steps if step.what == ANSWER), None)

    @property
    def message_seconds(self) -> float:
        """How long the voice message is."""
        left = next((step.at for step in self.steps if step.what == MESSAGE), 0)
        return left and left - max(step.at for step in self.steps if step.what == STOP)


Scenario = Callable[[Cast, Pace], list[Call]]
SCENARIOS: dict[str, Scenario] = {}


def scenario(function: Scenario) -> Scenario:
    SCENARIOS[function.__name__] = function
    return function


# --- somebody calls us -------------------------------------------------------------------------------------------


@scenario
def answered(cast: Cast, pace: Pace) -> list[Call]:
    """A customer calls, one phone rings and takes it."""
    phone = cast.phones[0]
    return [
        _inbound(
            cast,
            [
                Step(0, RING, phone),
                Step(pace.wait, ANSWER, phone),
                Step(pace.wait + pace.talk, END, why='caller'),
            ],
            'answered',
            pace,
            phone,
            {phone: 'answered'},
        )
    ]


@scenario
def short_talk(cast: Cast, pace: Pace) -> list[Call]:
    """Answered, and over after a few seconds: no real contact."""
    return answered(cast, replace(pace, talk=min(pace.talk, 8)))


@scenario
def hidden_caller(cast: Cast, pace: Pace) -> list[Call]:
    """Answered, but nobody knows who it was."""
    return answered(replace(cast, customer=''), pace)


@scenario
def missed(cast: Cast, pace: Pace) -> list[Call]:
    """One phone rings until the caller gives up."""
    phone = cast.phones[0]
    return [
        _inbound(
            cast,
            [
                Step(0, RING, phone),
                Step(pace.wait, STOP, phone, 'cancel'),
                Step(pace.wait, END, why='cancel'),
            ],
            'missed',
            pace,
            legs={phone: 'no_answer'},
        )
    ]


@scenario
def ring_group_answered(cast: Cast, pace: Pace) -> list[Call]:
    """All phones ring at once, one takes the call: the others have missed nothing."""
    taker, *others = cast.phones
    return [
        _inbound(
            cast,
            [
                *(Step(0, RING, phone) for phone in cast.phones),
                Step(pace.wait, ANSWER, taker),
                *(Step(pace.wait, STOP, phone, 'elsewhere') for phone in others),
                Step(pace.wait + pace.talk, END, why='caller'),
            ],
            'answered',
            pace,
            taker,
            {taker: 'answered', **dict.fromkeys(others, 'no_answer')},
        )
    ]


@scenario
def ring_group_missed(cast: Cast, pace: Pace) -> list[Call]:
    """All phones ring in vain: one missed call, not one a phone."""
    return [
        _inbound(
            cast,
            [
                *(Step(0, RING, phone) for phone in cast.phones),
                *(Step(pace.wait, STOP, phone, 'timeout') for phone in cast.phones),
                Step(pace.wait, END, why='timeout'),
            ],
            'missed',
            pace,
            legs=dict.fromkeys(cast.phones, 'no_answer'),
        )
    ]


@scenario
def queue_answered(cast: Cast, pace: Pace) -> list[Call]:
    """The caller waits in a queue until somebody takes the call."""
    taker, *others = cast.phones
    return [
        _inbound(
            cast,
            [
                Step(0, QUEUE),
                *(Step(0, RING, phone) for phone in cast.phones),
                Step(pace.wait, ANSWER, taker),
                *(Step(pace.wait, STOP, phone, 'elsewhere') for phone in others),
                Step(pace.wait + pace.talk, END, why='caller'),
            ],
            'answered',
            pace,
            taker,
            {taker: 'answered', **dict.fromkeys(others, 'no_answer')},
            queue=cast.queue,
        )
    ]


@scenario
def abandoned(cast: Cast, pace: Pace) -> list[Call]:
    """The caller hangs up in the queue; everybody was talking, no phone has rung."""
    return [
        _inbound(
            cast,
            [Step(0, QUEUE), Step(pace.wait, END, why='cancel')],
            'abandoned',
            pace,
            queue=cast.queue,
        )
    ]


@scenario
def abandoned_while_ringing(cast: Cast, pace: Pace) -> list[Call]:
    """The caller hangs up in the queue while phones ring."""
    return [
        _inbound(
            cast,
            [
                Step(0, QUEUE),
                *(Step(0, RING, phone) for phone in cast.phones),
                *(Step(pace.wait, STOP, phone, 'cancel') for phone in cast.phones),
                Step(pace.wait, END, why='cancel'),
            ],
            'abandoned',
            pace,
            legs=dict.fromkeys(cast.phones, 'no_answer'),
            queue=cast.queue,
        )
    ]


@scenario
def voicemail(cast: Cast, pace: Pace) -> list[Call]:
    """Nobody takes the call, the caller leaves a message of some seconds."""
    phone, message = cast.phones[0], min(pace.talk, 14)
    return [
        _inbound(
            cast,
            [
                Step(0, RING, phone),
                Step(pace.wait, STOP, phone, 'timeout'),
                Step(pace.wait + message, MESSAGE),
                Step(pace.wait + message, END, why='caller'),
            ],
            'voicemail',
            replace(pace, wait=pace.wait + message),
            legs={phone: 'no_answer'},
        )
    ]


@scenario
def busy(cast: Cast, pace: Pace) -> list[Call]:
    """The only phone is busy."""
    phone = cast.phones[0]
    return [
        _inbound(
            cast,
            [Step(0, RING, phone), Step(1, STOP, phone, 'busy'), Step(1, END, why='busy')],
            'busy',
            Pace(1, 0),
            legs={phone: 'busy'},
        )
    ]


@scenario
def transfer(cast: Cast, pace: Pace) -> list[Call]:
    """Taken by one, passed on after half of the talk to another, who takes it soon. One call, two
    talkers."""
    first, second = cast.phones[:2]
    passed = pace.wait + max(pace.talk // 2, 1)
    return [
        _inbound(
            cast,
            [
                Step(0, RING, first),
                Step(pace.wait, ANSWER, first),
                Step(passed, TRANSFER, second),
                Step(passed + 2, ANSWER, second),
                Step(pace.wait + pace.talk, END, why='caller'),
            ],
            'answered',
            pace,
            first,
            {first: 'answered', second: 'answered'},
        )
    ]


@scenario
def attended_transfer(cast: Cast, pace: Pace) -> list[Call]:
    """An employee takes the call, asks a colleague while the customer waits, and then leaves the
    customer to the colleague. The consultation is no call of a customer."""
    first, second = cast.phones[:2]
    asks = pace.wait + max(pace.talk // 2, 1)
    return [
        _inbound(
            cast,
            [
                Step(0, RING, first),
                Step(pace.wait, ANSWER, first),
                Step(asks, CONSULT, second),
                Step(asks + 2, CONSENT, second),
                Step(asks + 5, JOIN, second),
                Step(pace.wait + pace.talk, END, why='caller'),
            ],
            'answered',
            pace,
            first,
            {first: 'answered', second: 'answered'},
        )
    ]


@scenario
def recorded(cast: Cast, pace: Pace) -> list[Call]:
    """Answered; the recording is announced after the end."""
    return with_recording(answered(cast, pace), after_end=2)


@scenario
def recorded_early(cast: Cast, pace: Pace) -> list[Call]:
    """Answered; the recording is announced before the end, or arrives before it."""
    return with_recording(answered(cast, pace), after_end=-1)


@scenario
def recorded_queue(cast: Cast, pace: Pace) -> list[Call]:
    """Answered from a queue and recorded."""
    return with_recording(queue_answered(cast, pace), after_end=2)


@scenario
def two_at_once(cast: Cast, pace: Pace) -> list[Call]:
    """The same number calls the same line twice within three seconds (a company with two employees
    on the phone)."""
    return [
        *answered(cast, pace),
        *(
            replace(call, begins=3)
            for call in answered(replace(cast, phones=cast.phones[1:]), pace)
        ),
    ]


# --- we call somebody --------------------------------------------------------------------------------------------


@scenario
def outbound_answered(cast: Cast, pace: Pace) -> list[Call]:
    """We call a customer and reach them."""
    return [
        _outbound(
            cast,
            [Step(0, RING), Step(pace.wait, ANSWER), Step(pace.wait + pace.talk, END, why='phone')],
            'answered',
            pace,
        )
    ]


@scenario
def outbound_recorded(cast: Cast, pace: Pace) -> list[Call]:
    """The same, recorded."""
    return with_recording(outbound_answered(cast, pace), after_end=2)


@scenario
def outbound_no_answer(cast: Cast, pace: Pace) -> list[Call]:
    """It rings until the PBX gives up."""
    return [
        _outbound(cast, [Step(0, RING), Step(pace.wait, END, why='timeout')], 'no_answer', pace)
    ]


@scenario
def outbound_cancelled(cast: Cast, pace: Pace) -> list[Call]:
    """The employee gives up."""
    return [_outbound(cast, [Step(0, RING), Step(pace.wait, END, why='cancel')], 'no_answer', pace)]


@scenario
def outbound_busy(cast: Cast, pace: Pace) -> list[Call]:
    """The customer is busy."""
    return [_outbound(cast, [Step(0, RING), Step(1, END, why='busy')], 'busy', Pace(1, 0))]


@scenario
def outbound_failed(cast: Cast, pace: Pace) -> list[Call]:
    """A number that does not exist."""
    return [_outbound(cast, [Step(1, END, why='failed')], 'failed', Pace(1, 0))]


@scenario
def internal(cast: Cast, pace: Pace) -> list[Call]:
    """A colleague calls a colleague."""
    caller, called = cast.phones[:2]
    return [
        Call(
            cast,
            (
                Step(0, START, caller),
                Step(0, RING, called),
                Step(pace.wait, ANSWER, called),
                Step(pace.wait + pace.talk, END, why='caller'),
            ),
            Facts('internal', 'answered', caller, called, called, wait=pace.wait, talk=pace.talk),
        )
    ]


# --- parts -------------------------------------------------------------------------------------------------------


def _inbound(cast, steps, outcome, pace, extension='', legs=None, queue='') -> Call:
    facts = Facts(
        'inbound',
        outcome,
        cast.customer,
        cast.line,
        extension,
        queue,
        wait=pace.wait,
        talk=pace.talk if outcome == 'answered' else 0,
        legs=legs or {},
    )
    return Call(cast, (Step(0, START), *steps), facts)


def _outbound(cast, steps, outcome, pace) -> Call:
    phone = cast.phones[0]
    facts = Facts(
        'outbound',
        outcome,
        cast.line,
        cast.customer,
        phone,
        wait=pace.wait,
        talk=pace.talk if outcome == 'answered' else 0,
    )
    return Call(cast, (Step(0, START, phone), *steps), facts)


def with_recording(calls: list[Call], after_end: float) -> list[Call]:
    """The same calls, recorded; the recording is announced so many seconds after the end, or before
    it."""
    return [
        replace(
            call,
            steps=tuple(
                sorted(
                    (*call.steps, Step(call.seconds + after_end, RECORDING)),
                    key=lambda step: step.at,
                )
            ),
            facts=replace(call.facts, recordings=1),
        )
        for call in calls
    ]
