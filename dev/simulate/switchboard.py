"""An Asterisk whose calls go on now and obey: what a phone system does while `make run` is up,
without HTTP.

The events are those of tests/providers/asterisk/dialect.py; here the steps of a call happen in real time and can
be changed on the way.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone

from .providers.asterisk.dialect import Exchange
from .providers.scenarios import ANSWER, END, RING, START, Call, Cast, Facts, Step

# Seconds until the employee picks up the phone that a click rings, until then the customer answers,
# and until a colleague takes a call that is passed on; how long a talk lasts if nobody hangs up.
PICK_UP, CUSTOMER_ANSWERS, COLLEAGUE_ANSWERS, TALK = 3, 4, 3, 120
PICKED_UP, REDIRECT, ATXFER, CONSENTED, JOINED = (
    'picked_up',
    'redirect',
    'atxfer',
    'consented',
    'joined',
)


def clicked(phone: str, number: str, line: str) -> Call:
    """A call that the PBX is asked to place: the phone rings first, then the number, which is
    spelled as it is dialled."""
    begun = PICK_UP + CUSTOMER_ANSWERS
    steps = (
        Step(0, START, phone),
        Step(PICK_UP, PICKED_UP),
        Step(PICK_UP, RING),
        Step(begun, ANSWER),
        Step(begun + TALK, END, why='phone'),
    )
    facts = Facts('outbound', 'answered', line, number, phone, wait=begun, talk=TALK)
    return Call(Cast(number, line, (phone,)), steps, facts)


class LiveCall(Exchange):
    """A call whose steps still to come can be replaced. `first` is who called or, once the call is
    passed on, the outside party; `talking` are the others."""

    def __init__(self, call: Call, ref: str, linked: str = ''):
        super().__init__(call, ref, datetime.now(timezone.utc))
        self.is_clicked = bool(linked)
        self.linked = linked or self.linked
        self.todo = list(call.steps)
        self.began_at = time.monotonic()
        self.alive = {}  # Uniqueid → channel
        self.bridges = {}  # Uniqueid → bridge
        self.consulted = []  # the two halves of the Local channel, then the colleague's
        self.told = 0  # events that were delivered

    # -- what happens

    def next_step(self) -> float | None:
        """Seconds until the next step, None when the call is over."""
        return self.todo[0].at - self.elapsed if self.todo else None

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.began_at

    def happen(self) -> None:
        """Whatever is due by now."""
        while self.todo and self.todo[0].at <= self.elapsed:
            step = self.todo.pop(0)
            self.do(step)

    def do(self, step: Step) -> None:
        self.at = datetime.now(timezone.utc)
        if handler := getattr(self, f'_{step.what}', None):
            handler(step)

    def plan(self, *steps: tuple[float, str, str, str]) -> None:
        """Instead of what was to come: (seconds from now, what, phone, why)."""
        self.todo = [
            Step(self.elapsed + seconds, what, phone, why) for seconds, what, phone, why in steps
        ]

    def hang_up(self, uid: str) -> None:
        """Somebody hangs up. Who has asked a colleague passes the call on by that; everybody else
        ends it."""
        if self.consulted and self.talking and self.alive[uid] is self.talking[0]:
            if self.consulted[2].state != 'Up':
                self.do(Step(self.elapsed, CONSENTED))
            self.do(Step(self.elapsed, JOINED))
            self.plan((TALK, END, '', 'caller'))
        else:
            self.todo = []
            self.do(Step(self.elapsed, END, why='phone' if self.talking else 'cancel'))

    def outside(self) -> str:
        """The channel of the customer; '' while nobody talks to them."""
        if not self.talking:
            return ''
        return (self.first if self._faces_outside() else self.talking[0]).name

    def inside(self) -> str:
        """The channel of the employee who talks."""
        if not self.talking:
            return ''
        return (self.talking[0] if self._faces_outside() else self.first).name

    def pass_on(self, what: str, phone: str) -> None:
        """A colleague's phone rings, and is taken."""
        self.do(Step(self.elapsed, what, phone))
        self.plan(
            (COLLEAGUE_ANSWERS, ANSWER if what == REDIRECT else CONSENTED, phone, ''),
            (COLLEAGUE_ANSWERS + TALK, END, '', 'caller'),
        )

    # -- how Asterisk tells it: a click (tests/providers/asterisk/payloads/c2d-*.json), AMI's Redirect and Atxfer

    def _start(self, step):
        if not self.is_clicked:
            super()._start(step)
            return
        self.first = self._channel(
            step.phone, step.phone, self.phone_context, 's', is_new_call=True
        )
        self._say('DialBegin', None, self.first, DialString=step.phone)
        self._state(self.first, 'Ringing')

    def _picked_up(self, step):
        self._state(self.first, 'Up')
        self._say('DialEnd', None, self.first, DialStatus='ANSWER')
        self._originated('Success', '4')
        self.first.context, self.first.exten = self.out_context, 's'
        self.first.number = self.call.cast.line.lstrip('+')
        self._say('NewCallerid', self.first)

    def _originated(self, response, reason):
        self._say(
            'OriginateResponse',
            None,
            Response=response,
            Channel=self.first.name,
            Context=self.phone_context,
            Exten=self._dialled(),
            Reason=reason,
            Uniqueid=self.first.uid,
            CallerIDNum=self.first.number,
        )

    def _redirect(self, step):
        self._face_outside()
        [leaver] = self.talking
        for one in (leaver, self.first):
            self._say('BridgeLeave', one, **self._bridge())
        self._hang_up(leaver, '16')
        self.talking = []
        self.first.context, self.first.exten = self.phone_context, step.phone
        self._dial(step.phone)

    def _atxfer(self, step):
        self._face_outside()
        [asker], name = self.talking, f'Local/{step.phone}@{self.phone_context}-{self.count:08x}'
        self._say('Hold', asker)
        near = self._channel(f'{name};1', '', self.phone_context, step.phone)
        far = self._channel(f'{name};2', '', self.phone_context, step.phone, 'Ring')
        for one in (near, asker):
            self._say('BridgeEnter', one, **self._bridge(second=True))
        colleague = self._channel(step.phone, step.phone, self.phone_context, 's')
        self._say('DialBegin', far, colleague, DialString=step.phone)
        self._state(colleague, 'Ringing')
        self.consulted = [near, far, colleague]

    def _consented(self, step):
        near, far, colleague = self.consulted
        self._state(colleague, 'Up')
        self._say('DialEnd', far, colleague, DialStatus='ANSWER')
        self._say('DialEnd', None, near, DialStatus='ANSWER')
        for one in (colleague, far):
            self._say(
                'BridgeEnter', one, **{**self._bridge(), 'BridgeUniqueid': f'{self.bridge[:-1]}d'}
            )

    def _joined(self, step):
        [asker], (near, _far, colleague) = self.talking, self.consulted
        self._say('HangupRequest', asker, Cause='16')
        self._say('BridgeEnter', near, **self._bridge())
        parties = {
            'OrigTransferer': asker,
            'SecondTransferer': asker,
            'Transferee': self.first,
            'TransferTarget': near,
        }
        sides = {
            f'{side}{name}': value
            for side, one in parties.items()
            for name, value in self._headers(one).items()
        }
        self._say('AttendedTransfer', None, Result='Success', DestType='Bridge', **sides)
        self._hang_up(asker, '16')
        self.talking, self.consulted = [colleague], []

    def _end(self, step):
        # nobody has picked it up
        if self.is_clicked and self.first.state != 'Up' and not self.phones:
            self._originated('Failure', '3')
        else:
            super()._end(step)
        for channel in list(self.alive.values()):
            self._hang_up(channel, '16')
        self.todo = []

    def _faces_outside(self):
        return self.call.direction == 'inbound' or self.first is self.phones.get('')

    def _face_outside(self):
        """Of a call out the outside party becomes the first: it is what stays when the call is
        passed on."""
        if not self._faces_outside():
            self.first, self.talking = self.talking[0], [self.first]

    # -- what AMI lists

    def channels(self) -> list[dict[str, str]]:
        return [
            {
                **self._headers(channel),
                'Application': 'Dial',
                'Duration': '00:00:01',
                **({'BridgeId': self.bridges[uid]} if uid in self.bridges else {}),
            }
            for uid, channel in self.alive.items()
        ]

    def _channel(self, *args, **kwargs):
        channel = super()._channel(*args, **kwargs)
        self.alive[channel.uid] = channel
        return channel

    def _hang_up(self, channel, cause):
        super()._hang_up(channel, cause)
        self.alive.pop(channel.uid, None)
        self.bridges.pop(channel.uid, None)

    def _say(self, event, channel, dest=None, **headers):
        if channel and event == 'BridgeEnter':
            self.bridges[channel.uid] = headers['BridgeUniqueid']
        super()._say(event, channel, dest, **headers)


class Switchboard:
    """All calls of one PBX. `deliver` gets the events of a call in order, a list at a time; it may
    take long."""

    def __init__(self, deliver: Callable[[list[dict]], None]):
        self._deliver = deliver
        self._calls: dict[str, LiveCall] = {}
        self._changed = threading.Condition()
        self._events: list[dict] = []
        self._is_open = True
        self._threads = [
            threading.Thread(target=run, daemon=True) for run in (self._run, self._tell)
        ]
        for thread in self._threads:
            thread.start()

    def play(self, call: Call, ref: str, linked: str = '') -> str:
        """A call begins; gives its id. With `linked` it is one that the PBX was asked to place, and
        this is its id."""
        live = LiveCall(replace(call, begins=0), ref, linked)
        with self._changed:
            self._calls[live.linked] = live
            self._go_on(live)
        return live.linked

    def channels(self) -> list[dict[str, str]]:
        with self._changed:
            return [row for live in self._calls.values() for row in live.channels()]

    def hang_up(self, uid: str) -> bool:
        return self._command(lambda live: uid in live.alive, lambda live: live.hang_up(uid))

    def redirect(self, channel: str, phone: str) -> bool:
        return self._command(
            lambda live: channel in (live.outside(), live.inside()),
            lambda live: live.pass_on(REDIRECT, phone),
        )

    def consult(self, channel: str, phone: str) -> bool:
        return self._command(
            lambda live: channel == live.inside(), lambda live: live.pass_on(ATXFER, phone)
        )

    def close(self, patience: float = 10) -> None:
        """Every call ends and is told: one without an end would stay on the screens for hours."""
        with self._changed:
            for live in self._calls.values():
                live.todo = []
                live.do(Step(live.elapsed, END, why='phone' if live.talking else 'cancel'))
                self._note(live)
            self._calls.clear()
            self._is_open = False
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(patience)

    def _command(self, is_meant, obey) -> bool:
        with self._changed:
            live = next(filter(is_meant, self._calls.values()), None)
            if live:
                obey(live)
                self._go_on(live)
            return bool(live)

    def _go_on(self, live):
        live.happen()
        self._note(live)
        if live.next_step() is None:
            self._calls.pop(live.linked, None)
        self._changed.notify_all()

    def _note(self, live):
        self._events += [one.payload for one in live.said[live.told :]]
        live.told = len(live.said)

    def _run(self):
        with self._changed:
            while self._is_open:
                for live in list(self._calls.values()):
                    if (live.next_step() or 0) <= 0:
                        self._go_on(live)
                self._changed.wait(
                    min([1, *(max(live.next_step() or 0, 0) for live in self._calls.values())])
                )

    def _tell(self):
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._events or not self._is_open)
                events, self._events = self._events, []
                if not events:
                    return
            self._deliver(events)
