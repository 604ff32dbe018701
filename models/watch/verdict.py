"""What a test call has shown so far: plain values in, a finding for each fact out. Nothing here
knows Odoo."""

from datetime import datetime, timedelta
from typing import NamedTuple

# The facts that a test call ticks off, in the order of the screen: that the PBX's events arrive, the
# seven that the log cannot do without, and what Odoo makes of them.
SEVEN = ('caller', 'called', 'direction', 'times', 'talk', 'outcome', 'who')
ANSWERED = ('arrival', *SEVEN, 'card', 'match', 'recording')
MISSED = ('arrival', *SEVEN, 'card', 'match', 'callback', 'activity')
# Why a call is not there, by the evidence of what came instead.
TROUBLES = (
    'nothing',
    'unreachable',
    'refused',
    'failed',
    'ignored',
    'other_line',
    'other_caller',
    'old_call',
)
# Seconds after which a fact that has not come is called missing. People need some to dial; a PBX
# corrects itself shortly after the end; it writes a recording later.
ARRIVAL, DETAIL, CARD, RECORDING, FOLLOW_UP = 45, 10, 15, 180, 120
# A test that has not ended by then (seconds) ends as it stands.
LONGEST = 900
LOST = ('missed', 'abandoned')
# A call is told of so long after its begin at most (seconds), by a PBX that tells of it at the end
# only; and a clock may be so far ahead. What differs more is a wrong zone, in quarters of an hour,
# or an old call.
LATEST, AHEAD, QUARTER, NEAR = 1200, 120, 900, 300


class Evidence(NamedTuple):
    """What is known of a test call. Without `heard_at`, when its first event arrived, there is no
    call yet, and `trouble` (one of TROUBLES) says what came instead."""

    begun_at: datetime
    heard_at: datetime | None = None
    trouble: str = ''
    direction: str = ''
    caller: str = ''  # as logged, '' if hidden
    customer: str = ''  # its E.164, '' if it could not be read
    called: str = ''
    is_known_line: bool = False  # the called number is one of ours
    is_chosen_line: bool = False  # and the one that is tested
    start_at: datetime | None = None  # as the PBX tells it
    ended_at: datetime | None = None
    is_over: bool = False
    has_time: bool = True  # the PBX has told a believable one
    is_end_known: bool = True
    talk_seconds: int = 0
    outcome: str = ''
    extension: str = ''
    has_user: bool = False
    is_answered: bool = False
    is_excluded: bool = False  # the number counts as a colleague's, or was ignored
    card: str = ''  # shown, told (to a browser that has not asked for it), off, '' for nobody
    is_matched: bool = False
    recording: str = ''  # ready, waits, failed, foreign (a host that is not allowed), off
    has_callback: bool = False
    has_activity: bool = False


class Finding(NamedTuple):
    """The state of a fact: seen, waiting, missing, note (not there, but nothing is broken) or
    skipped (what it hangs on is missing). `cause` is why, a key of providers/advice.py; `due` is
    when a waiting fact is called missing, None if another fact has to come first."""

    state: str
    cause: str = ''
    due: datetime | None = None


SEEN, SKIPPED, OPEN = Finding('seen'), Finding('skipped'), Finding('waiting')


def judge(
    evidence: Evidence, is_missed: bool, now: datetime, untold: frozenset[str] = frozenset()
) -> dict[str, Finding]:
    """Return the finding of each fact.

    :param is_missed: the call is to be missed, and called back
    :param untold: facts that this PBX never tells: nothing is broken without them
    """
    facts = MISSED if is_missed else ANSWERED
    if not evidence.heard_at:
        arrival = _until(evidence.begun_at, ARRIVAL, evidence.trouble or 'nothing', now)
        return {'arrival': arrival, **dict.fromkeys(facts[1:], OPEN)}
    findings = {fact: _JUDGES[fact](evidence, is_missed, now) for fact in facts}
    for fact in untold & findings.keys():
        if findings[fact].state == 'missing':
            findings[fact] = findings[fact]._replace(state='note')
    if findings.get('callback', SEEN).state == 'missing':
        findings['activity'] = SKIPPED
    return findings


def is_over(evidence: Evidence, findings: dict[str, Finding], now: datetime) -> bool:
    """Return whether nothing more is waited for."""
    if (now - evidence.begun_at).total_seconds() >= LONGEST:
        return True
    return evidence.is_over and all(finding.state != 'waiting' for finding in findings.values())


def has_passed(findings: dict[str, Finding]) -> bool:
    return all(finding.state not in ('missing', 'waiting') for finding in findings.values())


def minutes_off(start_at: datetime, heard_at: datetime) -> int:
    """Return by how many minutes the PBX's clock is ahead of ours, in quarters of an hour, because
    zones differ by these; 0 if it is right."""
    lag = (heard_at - start_at).total_seconds()
    if -AHEAD <= lag <= LATEST:
        return 0
    return -15 * round(lag / QUARTER)


def is_from_before(start_at: datetime, heard_at: datetime, begun_at: datetime) -> bool:
    """Return whether the call began before the test. The arrival of its events decides; its own
    time only if no wrong zone explains it."""
    lag = (heard_at - start_at).total_seconds()
    off = abs(lag + 60 * minutes_off(start_at, heard_at))
    if heard_at < begun_at:
        return True
    if -AHEAD <= lag <= LATEST:
        return (begun_at - start_at).total_seconds() > AHEAD
    return off > NEAR


# === ONE FACT EACH === #


def _until(begin, seconds, cause, now, state='missing'):
    due = begin + timedelta(seconds=seconds)
    return Finding('waiting', due=due) if now < due else Finding(state, cause)


def _arrival(evidence, is_missed, now):
    return SEEN


def _caller(evidence, is_missed, now):
    if not evidence.caller:
        return Finding('missing', 'hidden')
    if evidence.direction == 'inbound' and not evidence.customer:
        return Finding('missing', 'unread')
    return SEEN


def _called(evidence, is_missed, now):
    if evidence.is_chosen_line:
        return SEEN
    if not evidence.called:
        return Finding('missing', 'called_none')
    return Finding('missing', 'called_other' if evidence.is_known_line else 'called_unknown')


def _direction(evidence, is_missed, now):
    return SEEN if evidence.direction == 'inbound' else Finding('missing', 'direction')


def _times(evidence, is_missed, now):
    if evidence.start_at and minutes_off(evidence.start_at, evidence.heard_at):
        return Finding('missing', 'clock')
    if not evidence.has_time or not evidence.start_at:
        return Finding('missing', 'no_time')
    if not evidence.is_over:
        return _until(evidence.begun_at, LONGEST, 'no_end', now)
    return SEEN if evidence.is_end_known and evidence.ended_at else Finding('missing', 'no_end')


def _talk(evidence, is_missed, now):
    if not evidence.is_over:
        return OPEN
    if is_missed:
        return Finding('missing', 'was_answered') if evidence.talk_seconds else SEEN
    if evidence.talk_seconds:
        return SEEN
    if evidence.outcome != 'answered':
        return SKIPPED
    return _until(evidence.ended_at or evidence.heard_at, DETAIL, 'no_talk', now)


def _outcome(evidence, is_missed, now):
    if not evidence.is_over:
        return OPEN
    if not evidence.outcome:
        return _until(evidence.ended_at or evidence.heard_at, DETAIL, 'no_outcome', now)
    if evidence.outcome in (LOST if is_missed else ('answered',)):
        return SEEN
    if evidence.outcome == 'voicemail':
        return Finding('missing', 'voicemail')
    return Finding('missing', 'was_answered' if is_missed else 'not_answered')


def _who(evidence, is_missed, now):
    if evidence.is_answered:
        if evidence.has_user:
            return SEEN
        if evidence.extension:
            return Finding('missing', 'no_user')
        if not evidence.is_over:
            return OPEN
        return _until(evidence.ended_at or evidence.heard_at, DETAIL, 'no_phone', now)
    if not evidence.is_over:
        return OPEN
    # that nobody answered is told too
    return SEEN if is_missed else SKIPPED


def _card(evidence, is_missed, now):
    if evidence.is_excluded:
        return Finding('missing', 'excluded')
    if evidence.card == 'shown':
        return SEEN
    if evidence.card == 'off':
        return Finding('missing', 'card_off')
    if evidence.card == 'told':
        return _until(evidence.heard_at, CARD, 'no_card', now)
    if not evidence.is_over:
        return OPEN
    return _until(evidence.ended_at or evidence.heard_at, DETAIL, 'no_card_user', now)


def _match(evidence, is_missed, now):
    if evidence.is_matched:
        return SEEN
    return Finding('note', 'no_contact') if evidence.customer else SKIPPED


def _recording(evidence, is_missed, now):
    if evidence.recording == 'ready':
        return SEEN
    if evidence.recording == 'off':
        return Finding('note', 'recording_off')
    if evidence.recording == 'foreign':
        return Finding('missing', 'recording_host')
    if evidence.recording == 'failed':
        return Finding('missing', 'recording_failed')
    if not evidence.is_over:
        return OPEN
    if evidence.outcome != 'answered':
        return SKIPPED
    begin = evidence.ended_at or evidence.heard_at
    if evidence.recording == 'waits':
        return _until(begin, RECORDING, 'recording_late', now)
    # many firms record nothing
    return _until(begin, RECORDING, 'no_recording', now, state='note')


def _callback(evidence, is_missed, now):
    return _what_follows(evidence, evidence.has_callback, 'no_callback', now)


def _activity(evidence, is_missed, now):
    return _what_follows(evidence, evidence.has_activity, 'no_activity', now)


def _what_follows(evidence, is_there, cause, now):
    if is_there:
        return SEEN
    if evidence.is_excluded:
        return Finding('missing', 'excluded')
    if not evidence.is_over:
        return OPEN
    if evidence.outcome == 'answered':
        return SKIPPED
    return _until(evidence.ended_at or evidence.heard_at, FOLLOW_UP, cause, now)


_JUDGES = {
    'arrival': _arrival,
    'caller': _caller,
    'called': _called,
    'direction': _direction,
    'times': _times,
    'talk': _talk,
    'outcome': _outcome,
    'who': _who,
    'card': _card,
    'match': _match,
    'recording': _recording,
    'callback': _callback,
    'activity': _activity,
}
