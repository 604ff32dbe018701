"""What every PBX adapter is made of.

An adapter translates: a raw webhook request becomes payloads, payloads become :class:`CallEvent`,
and :func:`fold.fold` makes one :class:`CallRecord` of all the events of a call. Everything here is
plain data and pure functions; nothing in this package knows Odoo, opens a database or decides whom
a call belongs to.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

# Marks a text of an adapter. The text stays English here; whoever shows it translates it.
from ..tools.words import _lt as _
from ..tools.words import storable
from .advice import ADVICE
from .numbers import plain

DIRECTIONS = ('inbound', 'outbound', 'internal')
OUTCOMES = ('answered', 'no_answer', 'busy', 'failed', 'voicemail', 'missed', 'abandoned')

# What a CallEvent can say, in the order in which things happen when two events bear the same time.
KINDS = (
    'ringing',  # a call came in or a phone started to ring (`extension`: that phone)
    'answered',  # a person took the call (`extension`: that phone)
    'transferred',  # the call was passed on (`extension`: the phone it went to)
    'leg_ended',  # one phone stopped ringing or talking (`extension`, `outcome` of that phone)
    'ended',  # the call is over
    'recording',  # a recording exists or will exist (`recording_url` and/or `recording_ref`)
    'lost',  # nothing was heard of the call for too long: over, but nobody knows how
    'void',  # no call with a customer took place, `note` says why
)


class ProviderError(Exception):
    """Raised when a request or an answer of a PBX cannot be used.

    :param message: a sentence for people, marked with :func:`_`, which says what is wrong and, if
        somebody can mend it, what to do; it is stored as a fact and shown in the reader's language.
        Never empty, never the name of an exception
    :param retryable: whether the same request may succeed later (a time-out, a rate limit)
    """

    def __init__(self, message: str, retryable: bool = False):
        super().__init__(message)
        self.retryable = retryable


class Refused(ProviderError):
    """Raised to turn a request away with this HTTP status; nothing of it is kept."""

    def __init__(self, message: str, status: int = 403):
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class WebhookRequest:
    """One HTTP request as the PBX sent it.

    `headers` have lower-case names; `query` and `form` map a name to all its values; `body` is the
    raw body, of form posts too; `suffix` is the path after the token.
    """

    method: str = 'POST'
    suffix: str = ''
    url: str = ''
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    form: Mapping[str, Sequence[str]] = field(default_factory=dict)
    body: bytes = b''
    remote_addr: str = ''

    @property
    def fields(self) -> dict[str, str]:
        """The form fields, each with its first value."""
        return {name: values[0] for name, values in self.form.items() if values}

    def param(self, name: str) -> str:
        """The first value of a query parameter or form field, or ''."""
        return next(iter(self.query.get(name) or self.form.get(name) or ('',)))

    def json(self):
        """Parse the body as JSON.

        :raise ProviderError: the body is no JSON
        """
        return parse_json(self.body, _("the body"))

    def content(self) -> dict:
        """The fields that were sent, for PBXs that send them in several ways: those of the body if
        it is a JSON object, whatever its content type says, else of the form, else of the query. Of
        a field that came twice the first value counts.

        :raise ProviderError: the body is none of these
        """
        sent = self.body.strip(b'\xef\xbb\xbf \t\r\n')
        looks_like_json = sent[:1] in (b'{', b'[')
        fields = self.form or self.query
        if sent and not self.form and not looks_like_json:
            # a form whose content type says something else
            text = sent.decode('utf-8', 'replace') if b'=' in sent else ''
            fields = parse_qs(text, keep_blank_values=True)
        if looks_like_json or sent and not fields:
            body = self.json()
            if not isinstance(body, dict):
                raise ProviderError(_("The body should be a JSON object."))
            return body
        return {name: values[0] for name, values in fields.items() if values}

    def to_payload(self) -> dict:
        """The request as a payload that can be stored and replayed byte by byte, for one that was
        not understood.

        Headers are left out, because a signature is checked once, on arrival, and is a secret.
        """
        kept = {**asdict(self), 'body': self.body.decode('utf-8', 'surrogateescape')}
        for name in ('headers', 'remote_addr', 'url'):
            del kept[name]
        return {'unread': kept}

    @classmethod
    def from_payload(cls, payload: dict) -> WebhookRequest | None:
        """Rebuild the request of which :meth:`to_payload` made this payload; None if the payload is
        an ordinary one."""
        unread = payload.get('unread') if set(payload) == {'unread'} else None
        if not isinstance(unread, dict):
            return None
        return cls(**{**unread, 'body': unread['body'].encode('utf-8', 'surrogateescape')})


@dataclass(frozen=True)
class Account:
    """What an adapter may know about the connected PBX. `extensions` are the phones that the admin
    has entered, `webhook_url` is the public address at which the PBX reaches Odoo."""

    api_key: str = field(default='', repr=False)
    api_secret: str = field(default='', repr=False)
    api_url: str = ''
    webhook_url: str = field(default='', repr=False)
    timezone: str = 'UTC'
    country: str = ''
    outside_codes: tuple[str, ...] = ()  # dialled for an outside line
    extensions: frozenset[str] = frozenset()
    trunks: frozenset[str] = frozenset()
    own_numbers: frozenset[str] = frozenset()
    # the JSON text by which deliveries are read, of a PBX that `takes_template`
    template: str = field(default='', repr=False)
    senders: tuple[str, ...] = ()  # the only addresses that may deliver; empty: any

    def to_utc(self, local: datetime) -> datetime:
        """Convert a naive time of the PBX's own clock to aware UTC, with the offset of that day."""
        return local.replace(tzinfo=self._zone).astimezone(timezone.utc)

    def to_local(self, moment: datetime) -> datetime:
        """Convert an aware time to a naive time of the PBX's own clock."""
        return moment.astimezone(self._zone).replace(tzinfo=None)

    @property
    def _zone(self) -> ZoneInfo:
        """:raise ProviderError: the entered time zone is unknown"""
        try:
            return ZoneInfo(self.timezone or 'UTC')
        except (ZoneInfoNotFoundError, ValueError):
            raise ProviderError(
                _(
                    "The time zone %(zone)s is not known. Choose another one on the PBX's form.",
                    zone=self.timezone,
                )
            ) from None


@dataclass(frozen=True)
class Stranger:
    """An endpoint that nobody has entered. `extension` is what it would be called as a phone,
    `is_trunk` what it is taken for by what it does."""

    name: str
    extension: str
    is_trunk: bool


@dataclass(frozen=True)
class Identity:
    """The event that a payload holds, and the call to which it belongs.

    `key` is equal for repeats of one event and different otherwise, `call_ref` is the PBX's id of
    the whole call. An event that belongs to no call (an SMS, a keep-alive) has no `call_ref`, and
    `ignored` says what it is.

    `leg_ref` is the id of a leg that may have begun as a call of its own. Then the event belongs to
    that call too.
    """

    kind: str
    call_ref: str
    key: str
    ignored: str = ''
    leg_ref: str = ''


@dataclass(frozen=True)
class Stored:
    """A payload of the inbox. `received_at` (aware UTC) stands in for the time of the event if the
    PBX sends none."""

    payload: Mapping
    received_at: datetime


# The arrival of an event that is read alone, only to see whether it can be understood.
UNKNOWN_ARRIVAL = datetime.max.replace(tzinfo=timezone.utc)


@dataclass(frozen=True)
class Reply:
    """The HTTP answer that a PBX expects."""

    body: str = ''
    status: int = 200
    content_type: str = 'text/plain; charset=utf-8'


@dataclass(frozen=True)
class Deletion:
    """What became of a recording that was to be deleted at the PBX: it is gone, or it is not and
    `kept` says why, marked with _() or in the words of the PBX's system."""

    recording_ref: str
    is_gone: bool
    kept: str = ''


@dataclass(frozen=True)
class SetupFile:
    """A file that the admin loads or copies into the PBX. It may hold the account's secrets."""

    name: str
    content: str
    content_type: str = 'text/plain; charset=utf-8'


@dataclass(frozen=True)
class SetupBody:
    """A notification that the admin enters in the PBX by hand: the title that the PBX's settings
    give the event, the suffix of the webhook address, and the body to paste."""

    title: str
    suffix: str
    body: str


@dataclass(frozen=True)
class TemplateFacts:
    """What a template's file says of itself. `labels` are its names by language, `summary` what it
    does in sentences; `problems` say what its own samples give otherwise than they should, `lacks`
    what they do not show. All sentences are marked with _()."""

    key: str
    version: str
    labels: Mapping[str, str]
    is_by_address_only: bool = False
    summary: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """What a PBX asks while it handles a call. `kind` is `lookup` (who calls?), `create` (enter the
    caller as a contact; what the PBX knows is in `contact`) or `route` (who should get the call?).
    Numbers as delivered."""

    kind: str
    number: str
    called: str = ''
    contact: Contact | None = None


@dataclass(frozen=True)
class Contact:
    """A person or firm, with the fields that PBXs show. `url` opens the record in Odoo."""

    id: int = 0
    first_name: str = ''
    last_name: str = ''
    company: str = ''
    email: str = ''
    phone_business: str = ''
    phone_mobile: str = ''
    url: str = ''


@dataclass(frozen=True)
class Answer:
    """What Odoo knows of a caller. `manager` is the extension of the customer's salesperson if they
    are at work now, `team` are the extensions of the called number's team. All fields are empty
    when nothing is known in time."""

    contacts: tuple[Contact, ...] = ()
    caller_name: str = ''
    manager: str = ''
    team: tuple[str, ...] = ()


@dataclass(frozen=True)
class CallEvent:
    """One thing that happened in a call, in our words. Times are aware UTC, durations seconds,
    numbers as delivered.

    `started_at` comes from PBXs that repeat the start of the call in each event. `order` is the
    place among events of the same or of no time, where the PBX numbers its events or only their
    arrival tells. An empty field says nothing: it never overrules another event. Hashable, so that
    repeats fall out of a set.
    """

    kind: str
    external_id: str
    at: datetime | None = None
    direction: str = ''
    caller: str = ''
    called: str = ''
    extension: str = ''
    queue: str = ''
    outcome: str = ''
    talk_seconds: float | None = None
    wait_seconds: float | None = None
    started_at: datetime | None = None
    recording_url: str = ''
    recording_ref: str = ''
    recording_seconds: int | None = None
    note: str = ''
    order: int = 0


@dataclass(frozen=True)
class LegRecord:
    """One phone that rang in a call. `outcome` is one of the seven words, seen from that phone;
    empty while it rings."""

    extension: str
    start_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    talk_seconds: int = 0
    outcome: str = ''


@dataclass(frozen=True)
class RecordingRecord:
    """The place of a call's sound: its address, or the name by which the PBX knows it."""

    url: str = ''
    ref: str = ''
    seconds: int = 0


@dataclass(frozen=True)
class CallRecord:
    """One call, as :func:`fold.fold` makes it of its events. `talk_known` is False if the PBX did
    not tell the talk. `menu_seconds` is the part of the wait in which an inbound caller heard a
    menu, before a phone rang or a queue took them. `doubts` are words of :data:`DOUBTS`: what was
    missing or not believed, so that something near the truth stands here."""

    external_id: str
    direction: str
    caller: str = ''
    called: str = ''
    extension: str = ''
    queue: str = ''
    start_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    wait_seconds: int = 0
    menu_seconds: int = 0
    talk_seconds: int = 0
    talk_known: bool = True
    state: str = 'ringing'
    outcome: str = ''
    end_unknown: bool = False
    legs: tuple[LegRecord, ...] = ()
    recordings: tuple[RecordingRecord, ...] = ()
    doubts: tuple[str, ...] = ()


# The refusal of every delivery while no secret is entered to check it with.
NO_SECRET = _(
    "There is no secret on this PBX's form, so its deliveries are refused. Enter the same secret here and in the PBX."
)


class Provider:
    """The adapter of one kind of PBX. A subclass with a `code` registers itself; instances hold no
    state.

    An adapter says how a request is authenticated (`authenticate`), which events it carries
    (`split`, `identify`), what they mean (`translate`) and what to answer (`handshake`, `reply`);
    some PBXs also ask (`question`).
    """

    code = ''
    label = ''
    # labels of telephony.account's credential fields for this PBX; '' hides the field
    api_key_label = ''
    api_secret_label = _("API secret")
    default_api_url = ''
    # what the admin does with the webhook address, one step a line; plain text. Labels and steps
    # are marked with _()
    setup_steps: tuple[str, ...] = ()
    # notifications that the admin enters one by one, where the PBX cannot be told them at once
    setup_bodies: tuple[SetupBody, ...] = ()
    # whether the PBX usually stands in the company's own network, so that it may reach an address
    # that the internet does not
    stands_inside = False
    # whether the answer of an outgoing call is told when it happens, not only at the call's end
    tells_outgoing_answer = True
    # whether deliveries are authenticated by more than the address; the links of a PBX that signs
    # nothing are followed to known hosts only
    signs = True
    # whether its events name trunks like phones, so that somebody has to say which is which
    names_trunks = False
    # whether a leg of one call may have begun as a call of its own: see `leg_ref` of Identity
    shares_legs = False
    # whether a template, which the administrator chooses, says how its deliveries are read
    takes_template = False
    # what makes a template of captured requests, of a PBX that takes one
    bench = None
    # whether a program of ours beside the PBX uploads the recordings, which no address leads to, and
    # deletes them there: see `deletion` and `agent_channel`
    uploads_recordings = False
    # what a recording says that has no address yet
    recording_waits = _("The PBX has not told where this recording is. Try again in a few minutes.")
    # the refusal of deliveries that cannot be checked because no secret is entered
    no_secret = NO_SECRET
    # hosts that serve this PBX's recordings without credentials; a leading dot takes every
    # sub-domain
    recording_hosts: tuple[str, ...] = ()
    # how a browser is a phone of this PBX: 'sip', over a websocket; '' if it cannot be
    line = ''
    # what the PBX calls itself when it asks a phone for its password, unless somebody has changed it
    sip_realm = ''
    # why a browser cannot be, of a PBX about which people ask; '' if there is nothing to add
    line_why = ''
    # whether nobody has talked in a browser through this kind of PBX yet, as far as is known
    line_is_trial = False
    # whether the browsers that are its phones may tell of its calls, because it may tell of none
    hears_browsers = False
    # the number at which the PBX lets a caller hear themselves, unless somebody has changed it
    echo_number = ''
    # whether a recording stays where it is, and only those who may listen get it by its address;
    # else Odoo keeps a copy unless somebody says otherwise
    recordings_stay = True
    # what the admin does in this PBX when a test call has not shown a fact: cause → sentence; the
    # others have that of advice.ADVICE, which also tells the values that may stand in it
    advice: Mapping[str, str] = MappingProxyType({})
    # what the admin does in this PBX when the line test of a browser phone fails: cause → sentence;
    # the others have that of advice.LINE_ADVICE
    line_advice: Mapping[str, str] = MappingProxyType({})
    # the facts of a call that this PBX never tells; a test call does not fail for want of them
    untold: frozenset[str] = frozenset()

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if cls.code:
            _registry[cls.code] = cls()

    def of(self, account: Account) -> Provider:
        """The adapter of this account: itself, unless a setting of the account says how deliveries
        are read."""
        return self

    def templates(self) -> Iterator[str]:
        """The files of the templates that come with this adapter, as text."""
        return iter(())

    def template_facts(self, text: str) -> TemplateFacts:
        """What a template's file says of itself, its samples played.

        :raise ProviderError: it cannot be used; the message names the place
        """
        raise NotImplementedError

    def template_to_share(self, text: str) -> str:
        """The file of a template with nothing in its samples that belongs to somebody.

        :raise ProviderError: its samples would not give their calls any more
        """
        raise NotImplementedError

    def unusable(self) -> str:
        """Why nothing can be read with the account's settings, see :meth:`of`; '' if it can."""
        return ''

    def steps_in(self, language: str) -> Sequence[str]:
        """What the admin does with the webhook address, for a reader of this language (`ru_RU`)."""
        return self.setup_steps

    def handshake(self, request: WebhookRequest) -> Reply | None:
        """The answer to an unsigned check of the address; None if the request is none."""
        return None

    def verify(self, request: WebhookRequest, account: Account) -> None:
        """Check that the request is from this PBX.

        :raise Refused: it is not, or no secret is entered to check it with
        """
        if self.signs and not account.api_secret:
            raise Refused(self.no_secret)
        self.authenticate(request, account)

    def authenticate(self, request: WebhookRequest, account: Account) -> None:
        """Check that the request is from this PBX. If the PBX `signs`, its secret is entered.

        :raise Refused: it is not
        """
        raise NotImplementedError

    def split(self, request: WebhookRequest) -> list[dict]:
        """Split a delivery into its events, one payload each.

        :raise ProviderError: the delivery as a whole is not understood; it is kept as one failed
            event
        :raise Refused: the delivery is not to be kept at all
        """
        raise NotImplementedError

    def identify(self, payload: Mapping, account: Account) -> Identity:
        """Say which event this payload is. Whatever could make :meth:`translate` fail on it is
        found here, so that a bad event is failed alone.

        :raise ProviderError: the event is not understood; it is kept as failed with this text
        """
        raise NotImplementedError

    def translate(self, stored: Sequence[Stored], account: Account) -> list[CallEvent]:
        """Translate all payloads of one call, in order of arrival, to our words. The call is that
        of the first payload; behind its own payloads may come those of calls with which it shares a
        leg, see :class:`Identity`."""
        raise NotImplementedError

    def translate_alone(self, payload: Mapping, account: Account) -> list[CallEvent]:
        """Translate one payload without the others of its call.

        :raise ProviderError: the payload is not understood
        """
        return self.translate([Stored(payload, UNKNOWN_ARRIVAL)], account)

    def legs_told(self, new: Sequence[Stored], known: Sequence[Stored]) -> set[str]:
        """The ids of the legs of which new events tell. `known` are all events of their calls."""
        return set()

    def strangers(self, calls: Iterable[Sequence[Stored]], account: Account) -> list[Stranger]:
        """The endpoints in these calls that nobody has entered as extension or trunk."""
        return []

    def command_ref(self, stored: Sequence[Stored], account: Account) -> str:
        """The name of this running call in the client's commands; '' if that is the PBX's id of the
        call."""
        return ''

    def route_ref(self, stored: Sequence[Stored], account: Account) -> str:
        """The name by which the client's `route` sends this caller on: an outside caller who waits
        in a menu or queue now, before any phone has rung. '' if there is none, or if the PBX cannot
        be told."""
        return ''

    def question(self, request: WebhookRequest, account: Account) -> Question | None:
        """The question that this (authenticated) request asks, beside the events that it may carry;
        None if it asks nothing.

        :raise ProviderError: the question cannot be understood
        """
        return None

    def reply(self, request: WebhookRequest, answer: Answer | None = None) -> Reply:
        """The HTTP answer to this request. `answer` is what Odoo knows about its question."""
        return Reply()

    def deletion(self, payload: Mapping) -> Deletion | None:
        """What this event tells of a recording that was to be deleted at the PBX; None if it tells
        of something else."""
        return None

    def agent_channel(self, stored: Sequence[Stored], account: Account, leg_ref: str) -> str:
        """Which channel of a call's sound is the employee's, `first` or `second`, if the sound of
        this leg is the first; '' if that is not known."""
        return ''

    def dialled(self, number: str, account: Account) -> str:
        """The spelling in which a phone of this PBX calls an E.164 number."""
        return number

    def setup_file(self, account: Account) -> SetupFile | None:
        """The file with which the admin sets up the PBX; None if it needs none."""
        return None

    def advise(self, cause: str) -> str:
        """What to do about a fact that a test call has not shown, a pattern marked with _()."""
        return self.advice.get(cause) or ADVICE[cause]


class HistoryProvider(Provider):
    """The adapter of a PBX whose own call log is read too, because it tells what the events do not,
    or what was lost on the way. The client's `history` gives each call as a payload
    {'history': …}, which lies in the inbox beside the events of its call."""

    def identify(self, payload: Mapping, account: Account) -> Identity:
        if not is_history(payload):
            return self.identify_event(payload, account)
        self.translate_alone(payload, account)
        return Identity('history', self.history_ref(payload, account), digest(payload))

    def translate(self, stored: Sequence[Stored], account: Account) -> list[CallEvent]:
        return self.tell(*heard_and_history(stored), account) if stored else []

    def identify_event(self, payload: Mapping, account: Account) -> Identity:
        """Do what :meth:`identify` does, for a payload that the PBX has sent by itself."""
        raise NotImplementedError

    def history_ref(self, payload: Mapping, account: Account) -> str:
        """The PBX's id of the call in a payload of its log, which :meth:`tell` has understood."""
        raise NotImplementedError

    def tell(
        self, heard: Sequence[Stored], history: Sequence[Stored], account: Account
    ) -> list[CallEvent]:
        """Do what :meth:`translate` does.

        :param heard: the payloads that the PBX has sent by itself
        :param history: the payloads that were read from its log
        """
        raise NotImplementedError


def is_history(payload: Mapping) -> bool:
    return isinstance(payload.get('history'), dict)


def heard_and_history(stored: Iterable[Stored]) -> tuple[list[Stored], list[Stored]]:
    """Part payloads into those that the PBX has sent by itself and those that were read from its
    log, each in the order given."""
    heard, history = [], []
    for item in stored:
        (history if is_history(item.payload) else heard).append(item)
    return heard, history


_registry: dict[str, Provider] = {}
registry: Mapping[str, Provider] = MappingProxyType(_registry)


# --- what can be believed ----------------------------------------------------------------------------------------

# What a PBX may leave out or get wrong without its call being lost. Something near the truth stands
# in, and the call is marked with the word.
DOUBTS = ('time', 'duration', 'direction')
# The years of a time that can be true. .NET's year 1, Unix' 1970 and 9999 all mean that nobody knew
# the time, or that a clock was never set.
YEARS = range(2000, 2100)
# No call lasts longer (seconds). A counter that was never started tells more.
LONGEST_CALL = 48 * 3600

_doubted: ContextVar[set[str] | None] = ContextVar('doubted', default=None)


@contextmanager
def doubting() -> Iterator[set[str]]:
    """Context manager that collects what the helpers below did not believe while the block ran, as
    words of DOUBTS."""
    token = _doubted.set(found := set())
    try:
        yield found
    finally:
        _doubted.reset(token)


def doubt(what: str) -> None:
    """Mark the call that is being read, see :data:`DOUBTS`."""
    if (found := _doubted.get()) is not None:
        found.add(what)


def believed(moment: datetime | None) -> datetime | None:
    """Return the moment, or None if nobody can have called in its year."""
    if moment and moment.year not in YEARS:
        doubt('time')
        return None
    return moment


def moment_or(told: datetime | None, received_at: datetime) -> datetime:
    """Return when something happened: the time that the PBX told, else that of the arrival."""
    if not told:
        doubt('time')
    return told or received_at


# --- helpers that adapters share ---------------------------------------------------------------------------------


def in_calls(identities: Iterable[tuple[Identity, Stored]]) -> dict[str, list[Stored]]:
    """Sort events by their calls, as :meth:`Provider.translate` takes them: a call's own events,
    then those of calls with which it has a leg in common."""
    own, legs = {}, {}
    for identity, stored in identities:
        own.setdefault(identity.call_ref, []).append(stored)
        legs.setdefault(identity.call_ref, {identity.call_ref}).update({identity.leg_ref} - {''})
    return {
        ref: stored
        + [
            item
            for other, items in own.items()
            if other != ref and legs[ref] & legs[other]
            for item in items
        ]
        for ref, stored in own.items()
    }


def missing(name: str) -> ProviderError:
    return ProviderError(_("The field %(field)s is missing.", field=name))


def unfit(name: str, what: str, text: str) -> ProviderError:
    """:param what: what the field should hold, marked with _(): a noun with its article"""
    return ProviderError(
        _(
            "The field %(field)s should hold %(what)s, but holds: %(text)s",
            field=name,
            what=what,
            text=text,
        )
    )


def unknown(name: str, text: str) -> ProviderError:
    return ProviderError(
        _("The word in the field %(field)s is unknown: %(text)s", field=name, text=text)
    )


def unknown_event(text: str) -> ProviderError:
    return ProviderError(
        _("This is an unknown event: %(event)s. Is the right kind of PBX chosen?", event=text)
    )


# Deeper nesting is no event, and would overflow the stack of whoever reads it after us.
MAX_DEPTH = 50

# No address that a PBX sends is longer, and no index could hold a longer id (characters).
LONGEST_TEXT = 2000
_SURROGATE = re.compile('[\ud800-\udfff]')


def parse_json(text: str | bytes, what: str):
    """Parse a JSON text; `what` names it in the complaint, marked with _().

    :raise ProviderError: the text is no JSON, or nested too deeply
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProviderError(
            _("What came is not JSON (%(what)s): %(error)s", what=what, error=str(error)[:200])
        ) from None
    level = [value]
    for _depth in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            if isinstance(parent, (dict, list))
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
        if not level:
            return value
    raise ProviderError(_("What came is nested too deeply to be an event (%(what)s).", what=what))


def dump(payload: Mapping) -> str:
    """Dump a payload as JSON text that PostgreSQL can hold: NUL and lone surrogates stand as
    escapes, and :func:`json.loads` gives back exactly what came."""
    return _SURROGATE.sub(
        lambda match: f'\\u{ord(match[0]):04x}', json.dumps(payload, ensure_ascii=False)
    )


def digest(payload: Mapping, leave_out: Iterable[str] = ()) -> str:
    """Return a key that is equal for equal payloads, whatever the order of their fields."""
    kept = {name: value for name, value in payload.items() if name not in leave_out}
    text = json.dumps(kept, sort_keys=True, separators=(',', ':'))
    return hashlib.sha256(text.encode()).hexdigest()


def text_of(payload: Mapping, name: str, required: bool = False) -> str:
    """Return a field as stripped, plain and storable text, '' if it is absent. A number becomes
    text.

    :raise ProviderError: the field is a list or an object, longer than LONGEST_TEXT, or required
        and empty
    """
    value = payload.get(name)
    if value is None or value is False:
        value = ''
    if not isinstance(value, str):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise unfit(name, _("a text"), str(value)[:100])
        value = f'{value:.0f}' if isinstance(value, float) and value.is_integer() else str(value)
    value = plain(storable(value)).strip()
    if len(value) > LONGEST_TEXT:
        raise ProviderError(
            _(
                "The field %(field)s is longer than %(most)s characters: %(text)s…",
                field=name,
                most=LONGEST_TEXT,
                text=value[:50],
            )
        )
    if required and not value:
        raise missing(name)
    return value


def seconds_of(payload: Mapping, name: str) -> float | None:
    """Return a field that holds a duration in seconds, as a number or as text; None if it is
    absent, empty, negative or longer than any call.

    :raise ProviderError: the field is no number
    """
    text = text_of(payload, name)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise unfit(name, _("a number of seconds"), text[:100]) from None
    if not 0 <= value <= LONGEST_CALL:
        doubt('duration')
        return None
    return value


def unix_time_of(payload: Mapping, name: str) -> datetime | None:
    """Return a field that holds Unix seconds, as a number or as text, as aware UTC; None if it is
    absent, empty, 0 or of a year in which nobody called.

    :raise ProviderError: the field is no number
    """
    text = text_of(payload, name)
    try:
        seconds = float(text or 0)
    except ValueError:
        raise unfit(name, _("a time in Unix seconds"), text[:100]) from None
    try:
        return believed(datetime.fromtimestamp(seconds, timezone.utc)) if seconds else None
    except (ValueError, OverflowError, OSError):
        doubt('time')
        return None


def later(moment: datetime, seconds: float) -> datetime:
    """Return the moment so many seconds later, or earlier if they are negative; the moment itself
    if the calendar ends before that."""
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return moment


def word_of(payload: Mapping, name: str, words: Iterable[str], required: bool = False) -> str:
    """Return a field that must be one of the given words, '' if it is absent.

    :raise ProviderError: the field is another word, or required and empty
    """
    text = text_of(payload, name, required)
    if text and text not in words:
        raise unknown(name, text[:100])
    return text


def local_time_of(
    payload: Mapping,
    name: str,
    account: Account,
    pattern: str = '%Y-%m-%d %H:%M:%S',
) -> datetime | None:
    """Return a field that holds a time of the PBX's own clock, as aware UTC; None if it is absent,
    empty, all zeros or of a year in which nobody called.

    :raise ProviderError: the field is no time
    """
    text = text_of(payload, name)
    if not re.search('[^0 :.T-]', text):
        return None
    try:
        return believed(account.to_utc(datetime.strptime(text, pattern)))
    except (ValueError, OverflowError):
        raise unfit(name, _("a time"), text[:100]) from None
