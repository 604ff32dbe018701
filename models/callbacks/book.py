from typing import Any, NamedTuple

from odoo import api, models
from odoo.tools import SQL

from ...tools.records import changes
from ...tools.words import _lt
from . import ledger
from .callback import REOPENED


class Written(NamedTuple):
    """A promise as the rules have written it down: at which attempt it was made, and the callback
    that it went to."""

    promise: ledger.Promise
    attempt: int | None = None
    callback_id: int | None = None

    def is_another(self, attempt):
        """Whether the call is another attempt by now; who opens a callback is the first."""
        return bool(self.attempt) and self.attempt != (attempt or 1)


class Outcome(NamedTuple):
    """What became of a call: it `opened`, `joined` or `gave_up` the callback, or the customer was
    `served` since."""

    what: str
    callback: Any


class News(NamedTuple):
    """What a debt changes of its callback: the `values` that differ, whether its times are measured
    `is_anew`, and whether it `is_ended` in another way than it was, or `is_reopened`."""

    values: dict
    is_anew: bool
    is_ended: bool
    is_reopened: bool


class AsWritten:
    """What follows from calls stands written down. Calls that are another attempt now than the
    rules were told are to be looked at again."""

    def __init__(self):
        self.again = set()

    def __call__(self, written, call, attempt):
        if written and written.is_another(attempt):
            self.again.add(call.id)
        return written and written.promise


class TelephonyCallback(models.Model):
    """The stored callbacks are the ledger's debts: whatever happens to calls, the facts about their
    numbers are read, and where the debts differ from what is stored, the difference is written."""

    _inherit = 'telephony.callback'

    @api.model
    def _balance(self, company, since, rules=None, calls=None, touched=None, gone=None):
        """Make the callbacks of these customers what follows from the facts. What was settled
        before the facts changed is not read.

        :param dict since: customer number → the earliest moment of which something has changed
        :param rules: what follows from a call: from its :class:`Written`, its facts and its
            attempt; else what is written
        :param calls: the calls that have changed
        :param touched: callbacks that have had to do with them
        :param gone: those of them that a call had opened that turned out to be none
        :return: dict call id → :class:`Outcome`
        """
        if not since:
            return {}
        rules = rules or AsWritten()
        touched, gone = (touched or self.browse()), (gone or self.browse())
        stored = self.search(
            [('company_id', '=', company.id), ('customer_number', 'in', list(since))], order='id'
        )
        near, since = stored._near(since, touched)
        facts, opened = self._facts_since(company, since)
        written = self._on_promises_asked([call.id for told in facts.values() for call in told])
        written.update(near._promised(written))
        acts = self.env['telephony.callback.act']._of(company, list(since))
        book, near_of = _Book(), near.grouped('customer_number')
        for number, told in facts.items():
            rows = near_of.get(number, self.browse())
            told_acts = acts.get(number, ())
            sealed = rows.filtered(
                lambda row, told_acts=told_acts: row not in touched
                and row._is_sealed()
                or row._is_untold(told_acts)
            )
            settled = set().union(*(row.calls for row in sealed._rows(written)))
            told = [call for call in told if call.id not in settled]
            rows -= sealed
            lost = [row for row in rows - gone if not row.origin_call_id]
            owed = ledger.debts(
                told,
                [
                    *(act for row in lost for act in row._carried()),
                    *_acts_about(told, told_acts, since[number]),
                ],
                lambda call, attempt: rules(written.get(call.id), call, attempt),
            )
            book.add(rows, owed, ledger.compare(rows._rows(written), owed))
        return self._write_book(book, written, opened, calls or self.env['telephony.call'])

    # === READING === #

    def _near(self, since, touched):
        """Those of these callbacks that may change, and since when the facts about each number have
        to be read for that: no callback is told from its middle."""
        begins, near, since = self._on_begins_asked(), [], dict(since)
        for number, rows in self.grouped('customer_number').items():
            while True:
                found = [
                    row
                    for row in rows
                    if row in touched
                    or row.state == 'open'
                    or row.done_at
                    and row.done_at >= since[number]
                ]
                firsts = (min(begins.get(row.id) or row.lost_at, row.lost_at) for row in found)
                start = min([since[number], *firsts])
                if start == since[number]:
                    break
                since[number] = start
            near += found
        return self.browse().union(*near), since

    @api.model
    def _facts_since(self, company, since):
        """{number: list of :class:`ledger.Call`}, and {call id: the callback that it has opened}"""
        self.env['telephony.call'].flush_model()
        facts, opened = {number: [] for number in since}, {}
        for number, callback_id, *values in self.env.execute_query(
            SQL(
                """ SELECT call.customer_number, call.callback_id, call.id, call.direction,
                       call.start_at, COALESCE(call.ended_at, call.start_at), COALESCE(call.outcome, ''),
                       call.is_reached IS TRUE, call.answered_at
                  FROM unnest(%s::varchar[], %s::timestamp[]) AS customer (number, since)
                  JOIN telephony_call AS call ON call.customer_number = customer.number
                 WHERE call.company_id = %s AND call.state = 'ended'
                   AND call.direction IN ('inbound', 'outbound')
                   AND COALESCE(call.ended_at, call.start_at) >= customer.since """,
                list(since),
                list(since.values()),
                company.id,
            )
        ):
            call = ledger.Call(*values)
            facts[number].append(call)
            if callback_id:
                opened[call.id] = callback_id
        return facts, opened

    def _is_sealed(self):
        """Closed, and what it followed from is gone: it stays as it is."""
        talked = self.close_kind in ledger.CLOSED_BY_TALK.values()
        return self.state != 'open' and (
            not self.origin_call_id or talked and not self.closing_call_id
        )

    def _is_untold(self, acts):
        """Closed by a person, as an import or an older version wrote it: no act tells so, and it
        stays as it is."""
        kind = {'by_hand': 'done', 'cancelled': 'cancelled'}.get(self.close_kind)
        return bool(kind) and not any(
            act.kind == kind and act.about in (None, self.origin_call_id.id) for act in acts
        )

    def _carried(self):
        """A callback whose call is gone still waits. What was done with earlier ones of its number
        stands before it."""
        at = min(self.lost_at, self.create_date)
        return [
            ledger.Act(-2, 'opened', at, after_at=self.lost_at, value=self.due_at),
            ledger.Act(-1, 'urged', at, after_at=self.lost_at, value=self.priority),
        ]

    def _promised(self, written):
        """What the calls that have opened these had promised, where no rule has written it down:
        the callback itself tells it."""
        return {
            row.origin_call_id.id: Written(
                ledger.Promise('callback', row.due_at, row.priority, rule=row.rule_id.id),
                callback_id=row.id,
            )
            for row in self
            if row.origin_call_id.id not in written and row.close_kind != 'withdrawn'
        }

    def _rows(self, written):
        calls = {row.id: {row.origin_call_id.id} - {False} for row in self}
        for call_id, promise in written.items():
            if promise.callback_id in calls:
                calls[promise.callback_id].add(call_id)
        return [
            ledger.Row(row.id, row.origin_call_id.id or None, frozenset(calls[row.id]))
            for row in self
        ]

    # === WRITING === #

    @api.model
    def _write_book(self, book, written, opened, calls):
        self.browse(book.merged).unlink()
        self.browse(book.void)._withdraw()
        # rows of one recordset are read together, and so are the calls of all of them
        rows = self.browse([row_id for _debt, row_id in book.kept])
        kept = [(debt, row) for (debt, _row_id), row in zip(book.kept, rows, strict=True)]
        owed = [*(debt for debt, _row in kept), *book.new]
        its_calls = {debt.closed_by.id for debt in owed if debt.talked_at}
        its_calls.update(debt.opened_by.id for debt in owed if debt.opened_by)
        self.env['telephony.call'].browse(its_calls).mapped('start_at')
        self._become([pair for pair in kept if pair[0].state != 'open'], calls)
        rows.flush_recordset(['state'])  # a number has one open callback at a time
        self._become([pair for pair in kept if pair[0].state == 'open'], calls)
        told = [*kept, *zip(book.new, self._open(book.new, calls), strict=True)]
        self._assign(told, written, opened)
        outcomes = {}
        for debt, row in told:
            for call_id in debt.calls:
                what = 'opened' if row.origin_call_id.id == call_id else 'joined'
                outcomes[call_id] = Outcome('served' if debt.talked_at else what, row)
            if debt.close_kind == 'gave_up':
                outcomes[debt.closed_by.id] = Outcome('gave_up', row)
        return outcomes

    @api.model
    def _become(self, kept, calls):
        """Write what differs between debts and their callbacks, step by step for all of them,
        because each step costs queries.

        :param kept: list of (debt, callback)
        :param calls: those that have changed: where the callback has no customer, they tell
        """
        told = [(debt, row, row._difference(debt, calls)) for debt, row in kept]
        none = self.browse()
        none.union(*(row for _debt, row, news in told if news.is_anew))._before_recounted()
        for _debt, row, news in told:
            if news.values:
                row._write_told(news.values)
        self._after_attempts({row: debt.tries for debt, row in kept})
        none.union(
            *(
                row
                for debt, row, news in told
                if news.is_anew and not news.is_ended and debt.state != 'open'
            )
        )._after_closed()
        for debt, row, news in told:
            if news.is_ended:
                row._close_as(debt)
            elif news.is_reopened:
                row._plan_activity()
                row._log_reopened(
                    _lt(
                        "The talk that closed it does not count after all: the customer still waits."
                    )
                )
        moved = none.union(*(row for _debt, row, news in told if 'origin_call_id' in news.values))
        moved.previous_id = False
        moved._find_previous()

    def _difference(self, debt, calls):
        """Return the :class:`News` that the debt is for this callback."""
        self.ensure_one()
        is_other = (self.state, self.close_kind or None, self.closing_call_id.id) != _end(debt)
        was_closed = self.state != 'open' and is_other
        values = {**_values(debt), **self._missing(debt, calls)}
        if not debt.opened_by:  # the call that told these is gone
            values.pop('rule_id')
            values.pop('last_try_at')
        if was_closed:
            values.update({'activity_id': False} if debt.state != 'open' else REOPENED)
        elif isinstance(debt.closed_by, ledger.Call):
            values['done_at'] = debt.done_at
        changed = changes(self, values)
        return News(
            changed,
            is_anew=bool(
                was_closed
                or 'origin_call_id' in changed
                or self.first_try_at
                and self.first_try_at != debt.first_try_at
            ),
            is_ended=is_other and debt.state != 'open',
            is_reopened=was_closed and debt.state == 'open',
        )

    def _missing(self, debt, calls):
        """Contact, deal and owner where the callback has none yet."""
        values = {}
        if not self.user_id and debt.owner:
            values['user_id'] = debt.owner
        if self.lead_id and self.partner_id:
            return values
        for call in calls.browse(call_id for call_id in debt.calls if call_id in calls._ids):
            if not self.lead_id and call.lead_id:
                values.setdefault('lead_id', call.lead_id.id)
            if not self.partner_id and call.partner_id:
                values.setdefault('partner_id', call.partner_id.id)
        return values

    @api.model
    def _open(self, new, changed):
        """A callback for each of these debts; one that has been closed since was closed then.

        :param changed: calls of which the rules have just said whose the callback is
        """
        calls = self.env['telephony.call'].browse([debt.opened_by.id for debt in new])
        rows = (
            self.with_context(mail_create_nolog=True)
            .create(
                [
                    {
                        **_values(debt),
                        'company_id': call.company_id.id,
                        'customer_number': call.customer_number,
                        'partner_id': call.partner_id.id,
                        'lead_id': call.lead_id.id,
                        'user_id': debt.owner
                        or call not in changed
                        and call._responsible(debt.due_at).id,
                        'state': debt.state,
                    }
                    for debt, call in zip(new, calls, strict=True)
                ]
            )
            .with_env(self.env)
        )
        rows._after_attempts({row: debt.tries for debt, row in zip(new, rows, strict=True)})
        rows.filtered(lambda row: row.state == 'open')._plan_activity()
        for debt, row in zip(new, rows, strict=True):
            if debt.state != 'open':
                row._close_as(debt)
        return rows

    def _close_as(self, debt):
        if isinstance(debt.closed_by, ledger.Act):
            act = self.env['telephony.callback.act'].sudo().browse(debt.closed_by.number)
            self._close(
                debt.state,
                act.reason,
                user=act.user_id,
                kind=debt.close_kind,
                why=act.reason_id,
                at=act.at,
            )
        elif debt.talked_at:
            self._close_by_call(self.env['telephony.call'].browse(debt.closed_by.id))
        else:
            self._give_up(debt.done_at)

    @api.model
    def _assign(self, rows, written, opened):
        """Each call knows the callback that it has opened, each promise the one that it went to."""
        calls, joined = self.env['telephony.call'], {}
        origins = {row.id: debt.opened_by and debt.opened_by.id for debt, row in rows}
        for call_id, row_id in opened.items():
            if origins.get(row_id, call_id) != call_id:
                calls.browse(call_id).callback_id = False
        for debt, row in rows:
            origin_id = origins[row.id]
            if origin_id and opened.get(origin_id) != row.id:
                calls.browse(origin_id).callback_id = row
            for call_id in debt.calls:
                if call_id in written and written[call_id].callback_id not in (None, row.id):
                    joined[call_id] = row
        if joined:
            self._on_joined(joined)

    def _withdraw(self):
        """It should never have been opened: it goes without a trace, unless somebody has already
        called."""
        for callback in self.filtered(lambda callback: callback.close_kind != 'withdrawn'):
            tries = callback.attempt_count - (callback.direction == 'outbound')
            if tries > 0 or callback.state != 'open':
                callback._close(
                    'cancelled', _lt("The call was answered after all"), kind='withdrawn'
                )
            else:
                callback.unlink()

    # === HOOKS === #

    @api.model
    def _on_promises_asked(self, call_ids):
        """What the rules have promised after these calls.

        :return: dict call id → :class:`Written`
        """
        return {}

    def _on_begins_asked(self):
        """When the first call was over that belongs to each of these callbacks, where that is not
        the one that has opened it.

        :return: dict callback id → moment (naive UTC)
        """
        return {}

    @api.model
    def _on_joined(self, callbacks):
        """What these calls have promised belongs to another callback than before.

        :param dict callbacks: call id → callback
        """


class _Book:
    """What is to be written of all numbers."""

    def __init__(self):
        self.kept, self.new, self.merged, self.void = [], [], [], []

    def add(self, rows, owed, told):
        for debt, row in zip(owed, told.rows, strict=True):
            if row:
                self.kept.append((debt, row.id))
            else:
                self.new.append(debt)
        self.merged += [row.id for row in told.merged]
        self.void += [row.id for row in told.void]


def _acts_about(calls, acts, start):
    """Those of the acts that are about these calls, of which there are none before the start."""
    known = {call.id for call in calls}
    return [act for act in acts if act.after in known or not act.after_at or act.after_at >= start]


def _end(debt):
    return debt.state, debt.close_kind, debt.closed_by.id if debt.talked_at else False


def _values(debt):
    return {
        'origin_call_id': debt.opened_by.id if debt.opened_by else False,
        'due_at': debt.due_at,
        'priority': debt.priority,
        'rule_id': debt.rule or False,
        'last_try_at': debt.last_try_at or False,
        'taken_at': debt.taken_at or False,
        'attempt_count': debt.attempts,
    }
