"""What is counted. One domain makes a number and the list that it opens."""

from typing import NamedTuple

from odoo.fields import Domain
from odoo.tools import LazyTranslate

from ..calls.call import LOST_OUTCOMES

_lt = LazyTranslate(__name__)


class Metric(NamedTuple):
    """A count of calls.

    :ivar label: what it is called, lazily translated
    :ivar help: its definition in one sentence, lazily translated
    """

    label: str
    help: str
    domain: Domain


OFFERED = Domain('service_class', '=', 'offered')
ANSWERED = OFFERED & Domain('outcome', '=', 'answered')
LOST = OFFERED & Domain('outcome', 'in', LOST_OUTCOMES)
# Whoever wanted to talk to us, and those of them who can be counted.
CALLERS_TRYING = Domain('service_class', 'in', ('offered', 'blocked'))
CALLERS = CALLERS_TRYING & Domain('customer_number', '!=', False)
# All that counts of the company's calls with the outside.
OUTSIDE = (
    Domain('direction', '!=', 'internal')
    & Domain('is_excluded', '=', False)
    & Domain('outcome', '!=', False)
    & Domain('end_unknown', '=', False)
)
TALKED = OUTSIDE & Domain('outcome', '=', 'answered')
BY_HAND = Domain('is_manual', '=', True)
OUTBOUND = OUTSIDE & Domain('direction', '=', 'outbound')
# What is counted of calling customers, by the hour of the week. Calls that were logged by hand have the
# hour that somebody typed.
CALLING = {
    'dialled': Metric(
        _lt("Calls Out by Phone"),
        _lt("Outbound calls to customers, without those logged by hand."),
        OUTBOUND & ~BY_HAND,
    ),
    'reached': Metric(
        _lt("Reached"),
        _lt(
            "Calls out in which we really talked to the customer: long enough, or with such a result."
        ),
        OUTBOUND & ~BY_HAND & Domain('is_reached', '=', True),
    ),
}
# Values of `lost_cause`, the most telling first.
CAUSES = {
    'nobody_free': _lt("Nobody was free"),
    'not_picked_up': _lt("Not picked up"),
    'closed': _lt("After hours"),
    'lines': _lt("Lines were full"),
    'at_once': _lt("Hung up at once"),
    'unknown': _lt("Not known"),
}


def metrics(service_seconds):
    """Return the counts by name.

    :param int service_seconds: the wait within which a call is answered in time
    :return: dict name → :class:`Metric`
    """
    return {
        'offered': Metric(
            _lt("Offered"), _lt("Inbound calls for which a phone rang or a queue waited."), OFFERED
        ),
        'answered': Metric(
            _lt("Calls Answered"), _lt("Offered calls that somebody took."), ANSWERED
        ),
        'lost': Metric(
            _lt("Lost Calls"), _lt("Offered calls that were missed or abandoned."), LOST
        ),
        'missed': Metric(
            _lt("Missed"),
            _lt("Offered calls that rang in vain."),
            OFFERED & Domain('outcome', '=', 'missed'),
        ),
        'abandoned': Metric(
            _lt("Abandoned"),
            _lt("Offered calls whose caller hung up while waiting."),
            OFFERED & Domain('outcome', '=', 'abandoned'),
        ),
        'short_abandon': Metric(
            _lt("Short Abandons"),
            _lt("Abandoned so soon that nobody could have answered."),
            Domain('is_short_abandon', '=', True),
        ),
        'voicemail': Metric(
            _lt("Voicemail"),
            _lt("Offered calls whose caller left a message."),
            OFFERED & Domain('outcome', '=', 'voicemail'),
        ),
        'busy': Metric(
            _lt("Busy"),
            _lt("Offered calls that found the phone busy."),
            OFFERED & Domain('outcome', '=', 'busy'),
        ),
        'failed': Metric(
            _lt("Failed"),
            _lt("Offered calls that a fault ended."),
            OFFERED & Domain('outcome', '=', 'failed'),
        ),
        'blocked': Metric(
            _lt("Could Not Get In"),
            _lt("Callers who heard the busy tone before any phone rang."),
            Domain('service_class', '=', 'blocked'),
        ),
        'menu': Metric(
            _lt("Left in the Menu"),
            _lt("Callers who hung up in the menu at once."),
            Domain('service_class', '=', 'menu'),
        ),
        'offered_in_hours': Metric(
            _lt("Offered in Working Hours"),
            _lt("Offered calls that began in working hours."),
            OFFERED & Domain('in_hours', '=', True),
        ),
        'lost_in_hours': Metric(
            _lt("Lost in Working Hours"),
            _lt("Lost calls that began in working hours."),
            LOST & Domain('in_hours', '=', True),
        ),
        'in_time': Metric(
            _lt("Answered in Time"),
            _lt("Answered within the seconds of the service level."),
            ANSWERED & Domain('service_wait', '<=', service_seconds),
        ),
        'offered_not_short': Metric(
            _lt("Offered, Less Short Abandons"),
            _lt("Offered calls without those that were abandoned at once."),
            OFFERED & Domain('is_short_abandon', '=', False),
        ),
        'answered_and_abandoned': Metric(
            _lt("Answered and Abandoned"),
            _lt("Offered calls that were answered or abandoned."),
            OFFERED & Domain('outcome', 'in', ('answered', 'abandoned')),
        ),
        'answered_and_abandoned_not_short': Metric(
            _lt("Answered and Abandoned, Less Short Abandons"),
            _lt("Answered or abandoned calls without those that were abandoned at once."),
            OFFERED
            & Domain('outcome', 'in', ('answered', 'abandoned'))
            & Domain('is_short_abandon', '=', False),
        ),
        'transferred': Metric(
            _lt("Passed On"),
            _lt("Answered calls in which a second employee talked."),
            ANSWERED & Domain('is_passed_on', '=', True),
        ),
        'talked': Metric(
            _lt("Talks"),
            _lt("Answered calls of both directions, without those logged by hand."),
            TALKED & ~BY_HAND,
        ),
        'short': Metric(
            _lt("Short Talks"),
            _lt("Talks shorter than the threshold that held when they were filed."),
            TALKED & ~BY_HAND & Domain('is_short', '=', True),
        ),
        'contacts': Metric(
            _lt("Contacts"),
            _lt("Talks that were long enough, both directions, also by hand."),
            TALKED & Domain('is_short', '=', False),
        ),
        'contacts_by_hand': Metric(
            _lt("Contacts by Hand"),
            _lt("Contacts that were logged by hand."),
            TALKED & Domain('is_short', '=', False) & BY_HAND,
        ),
        'attempts': Metric(
            _lt("Attempts"), _lt("Outbound calls to customers, also by hand."), OUTBOUND
        ),
        'attempts_by_hand': Metric(
            _lt("Attempts by Hand"),
            _lt("Outbound calls that were logged by hand."),
            OUTBOUND & BY_HAND,
        ),
        'attempts_answered': Metric(
            _lt("Attempts Answered"),
            _lt("Outbound calls that the customer answered."),
            OUTBOUND & Domain('outcome', '=', 'answered'),
        ),
        'calls_of_callers': Metric(
            _lt("Callers"),
            _lt("Who called and showed their number, those who could not get in included."),
            CALLERS,
        ),
        'first_calls': Metric(
            _lt("First Calls"),
            _lt("The first call of a number to the company, as far as the log goes back."),
            Domain('is_first_call', '=', True),
        ),
        'hidden': Metric(
            _lt("Hidden Numbers"),
            _lt("Lost calls whose caller cannot be counted, because they hid their number."),
            (LOST | Domain('service_class', '=', 'blocked'))
            & Domain('customer_number', '=', False),
        ),
        'end_unknown': Metric(
            _lt("End Not Known"),
            _lt("Calls whose end the PBX never told: they count in no figure."),
            Domain('direction', '!=', 'internal') & Domain('end_unknown', '=', True),
        ),
        'excluded': Metric(
            _lt("No Customer"),
            _lt("Calls of colleagues and of ignored numbers: they count in no figure."),
            Domain('direction', '!=', 'internal') & Domain('is_excluded', '=', True),
        ),
        'by_hand': Metric(
            _lt("By Hand"),
            _lt("Calls that were logged by hand."),
            Domain('direction', '!=', 'internal') & BY_HAND,
        ),
        **{
            f'cause_{cause}': Metric(
                label,
                _lt("Lost calls and those that could not get in, by their cause."),
                Domain('lost_cause', '=', cause),
            )
            for cause, label in CAUSES.items()
        },
    }


# Name of a share → what is divided by what.
SHARES = {
    'answer_rate': ('answered', 'offered'),
    'lost_call_rate': ('lost', 'offered'),
    'lost_call_rate_in_hours': ('lost_in_hours', 'offered_in_hours'),
    'abandonment_rate': ('abandoned', 'offered'),
    'service_level': ('in_time', 'offered_not_short'),
    'service_level_offered': ('in_time', 'offered'),
    'service_level_answered': ('in_time', 'answered'),
    'service_level_answered_and_abandoned': ('in_time', 'answered_and_abandoned'),
    'service_level_answered_and_abandoned_not_short': (
        'in_time',
        'answered_and_abandoned_not_short',
    ),
    'short_talk_share': ('short', 'talked'),
    'transfer_rate': ('transferred', 'answered'),
    'connect_rate': ('attempts_answered', 'attempts'),
}
