from .rule_action import CALLBACK_KINDS


class Judge:
    """What the rules promise after calls, as the ledger asks it: of calls that are looked at they
    are asked, of others it stands written down. Where the attempt is another one than it was then,
    they are asked again.

    :param planner: :class:`.rule.Planner`
    :param calls: the calls that are looked at, and not too old for rules
    :param careful: what fails is left as it is written, instead of raising
    """

    def __init__(self, planner, calls, careful=False):
        self.planner, self.careful = planner, careful
        self.calls = {call.id: call for call in calls}
        self.plans = {}  # call id → list of Planned
        self.attempts = {}  # call id → attempt in its callback
        self.again = set()  # ids of calls of which the attempt is another one now

    def __call__(self, written, fact, attempt):
        self.attempts[fact.id] = attempt
        call = self.calls.get(fact.id)
        if not call:
            call = self.planner.calls.browse(fact.id)
            if not written or not written.is_another(attempt) or call._is_past():
                return written and written.promise
            self.again.add(fact.id)
            # the planner has counted the attempts of its own calls alone
            attempt = attempt or (1 if call.direction == 'outbound' else None)
        plan = self.plans[fact.id] = self.planner.plan(call, attempt)
        planned = promise_of(plan)
        if planned and planned.error:
            if not self.careful:
                raise planned.error
            return written and written.promise
        if planned:
            return planned.as_promise()
        # a rule that was switched off since takes nothing back
        if written and not call.is_excluded:
            rule = self.planner.rules.browse(written.promise.rule or ())
            if not rule or rule._fits_outcome(call):
                return written.promise
        return None


def promise_of(plan):
    """The :class:`Planned` of a plan that is about the customer's callback, if there is one."""
    return next((planned for planned in plan if planned.action.kind in CALLBACK_KINDS), None)
