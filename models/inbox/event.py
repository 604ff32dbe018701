import json
import logging
import time
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import NamedTuple

from odoo import SUPERUSER_ID, api, fields, models
from odoo.fields import Domain
from odoo.modules.registry import Registry
from odoo.tools import SQL

from ...providers.base import (
    CallEvent,
    ProviderError,
    Refused,
    Stored,
    WebhookRequest,
    digest,
    dump,
    storable,
)
from ...providers.reading import read_call
from ...tools import turns, words
from ...tools.clocks import next_try
from ...tools.records import changes
from ...tools.settings import setting
from ...tools.words import _lt
from ..core.words_field import WordsField, in_words

_logger = logging.getLogger(__name__)

# Events filed in one transaction.
BATCH = 200
# While events come in one by one, filing takes this share of the time, and waits at most so long
# (seconds) for more.
FILING_SHARE = 0.1
LONGEST_PAUSE = 1.0
# The kind of our own event that closes a call whose end never came.
LOST = 'lost'
# The kind of our own event that notes to whose phone a waiting caller was sent.
ROUTED = 'odoo:route'
OURS = (LOST, ROUTED)
# Kinds that no delivery has brought: our own, and those that were read back from the PBX's log.
NOT_DELIVERED = (*OURS, 'history')
# No PBX has longer ids, and no index row could hold much longer ones.
LONGEST_REF = 250


def pause_after(seconds):
    """Return how long to wait (seconds) after filing has taken `seconds`, so that the next batch is
    worth it."""
    return min(seconds / FILING_SHARE - seconds, LONGEST_PAUSE)


class EventRow(NamedTuple):
    """An event before it is stored, in the order of the INSERT.

    :ivar error: text or Words
    :ivar unread: the row holds a whole delivery that no adapter could split
    """

    kind: str
    call_ref: str | None
    leg_ref: str | None
    key: str
    state: str
    error: str | None
    next_try_at: datetime | None = None
    payload: str = ''
    unread: bool = False

    def to_columns(self):
        return self._replace(error=self.error and words.dump(self.error))[:-1]


class TelephonyEvent(models.Model):
    """The durable inbox: one row for each event of a delivery, stored before anything else happens.

    A call is the fold of its events. :meth:`_append` stores events, :meth:`_process` computes their
    calls anew: right after the answer to the PBX went out, and by scheduled action after a crash.
    One process at a time files the calls of an account, so calls never conflict with each other.
    """

    _name = 'telephony.event'
    _description = "PBX event"
    _order = 'id desc'
    _rec_name = 'kind'

    account_id = fields.Many2one(
        'telephony.account', required=True, ondelete='cascade', readonly=True
    )
    company_id = fields.Many2one(related='account_id.company_id')
    received_at = fields.Datetime(required=True, readonly=True, default=fields.Datetime.now)
    kind = fields.Char(readonly=True)
    call_ref = fields.Char(
        string="Call Reference", readonly=True, help="The PBX's own id of the call."
    )
    leg_ref = fields.Char(
        string="Leg Reference",
        readonly=True,
        help="The PBX's own id of a leg that may also be a call of its own: then the event is of that call too.",
    )
    dedupe_key = fields.Char(required=True, readonly=True)
    payload = fields.Text(required=True, readonly=True)
    payload_pretty = fields.Text(string="Contents", compute='_compute_payload_pretty')
    state = fields.Selection(
        [('pending', "Pending"), ('done', "Done"), ('ignored', "Ignored"), ('failed', "Failed")],
        required=True,
        default='pending',
        readonly=True,
    )
    error = WordsField(string="Reason", readonly=True)
    attempts = fields.Integer(readonly=True, help="How often processing this event has failed.")
    next_try_at = fields.Datetime(readonly=True)
    call_id = fields.Many2one(
        'telephony.call',
        string="Phone Call",
        ondelete='set null',
        readonly=True,
        index='btree_not_null',
    )

    _dedupe_uniq = models.UniqueIndex('(account_id, dedupe_key)', "This event is already stored.")
    _call_ref_idx = models.Index("(account_id, call_ref) WHERE call_ref IS NOT NULL")
    _leg_ref_idx = models.Index("(account_id, leg_ref) WHERE leg_ref IS NOT NULL")
    _pending_idx = models.Index("(account_id, id) WHERE state = 'pending'")
    _retry_idx = models.Index("(next_try_at) WHERE next_try_at IS NOT NULL")
    _received_idx = models.Index("(account_id, state, received_at)")

    @api.depends('kind', 'call_ref')
    def _compute_display_name(self):
        for event in self:
            event.display_name = ' '.join(filter(None, (event.kind, event.call_ref))) or self.env._(
                "Not understood"
            )

    @api.depends('payload')
    def _compute_payload_pretty(self):
        for event in self:
            event.payload_pretty = json.dumps(
                json.loads(event.payload), ensure_ascii=False, indent=2
            )

    # === ACTIONS === #

    def action_replay(self):
        """Read the events again, as after a fixed adapter or setting, and file their calls after the
        commit. The page then asks what came of it, shows that and reloads."""
        self.check_access('write')
        for event in self.sudo():
            event._reread()
        for account in self.sudo().account_id:
            self.env.cr.postcommit.add(
                partial(self._process_in_new_transaction, self.env.cr.dbname, account.id)
            )
        return {
            'type': 'ir.actions.client',
            'tag': 'crm_telephony.replayed',
            'params': {'event_ids': self.ids},
        }

    def _is_unread(self):
        """Return whether this row holds a whole delivery that nobody could split."""
        return WebhookRequest.from_payload(json.loads(self.payload)) is not None

    def _reread(self):
        """Identify the stored payload anew. A delivery that no adapter could split becomes the
        events it holds."""
        self.ensure_one()
        if self.kind == ROUTED:  # the caller is not sent a second time
            return
        if self.kind == LOST:
            self.write({'state': 'pending', 'error': False, 'attempts': 0, 'next_try_at': False})
            return
        account, payload = self.account_id, json.loads(self.payload)
        if request := WebhookRequest.from_payload(payload):
            rows = self._rows(account, request)
            if rows and rows[0].unread:
                self._fail(rows[0].error, retry=bool(rows[0].next_try_at))
            else:
                self._store(account, rows, self.received_at)
                self.write({'state': 'done', 'error': False, 'next_try_at': False})
            return
        row = self._row(account, payload)
        if row.state == 'failed':
            self._fail(row.error, retry=bool(row.next_try_at))
        else:
            self.write(
                {
                    'kind': row.kind,
                    'call_ref': row.call_ref,
                    'leg_ref': row.leg_ref,
                    'state': row.state,
                    'error': row.error,
                    'attempts': 0,
                    'next_try_at': False,
                }
            )

    # === STORING === #

    @api.model
    def _append(self, account, request):
        """Store the events of an authenticated delivery; repeats add nothing.

        :raise Refused: the adapter wants nothing of it kept
        """
        rows = self._rows(account, request)
        # since this transaction began another one may have stored the same event, or changed the
        # account that the row points to
        turns.retried(self.env.cr, lambda: self._store(account, rows, fields.Datetime.now()))
        if reason := account._adapter().unusable():
            account._note_unusable(reason)
        self._after_appended(account, rows)

    @api.model
    def _after_appended(self, account, rows):
        """Runs when the events of a delivery are stored, in the same transaction: an error undoes the
        delivery, which the PBX then sends again.

        :param rows: the :class:`EventRow` of each event, repeats among them
        """

    @api.model
    def _rows(self, account, request):
        """Return the :class:`EventRow` of each event of a delivery. A delivery that cannot be split
        becomes one failed row.

        :raise Refused: the adapter wants nothing of it kept
        """
        try:
            payloads = account._adapter().split(request)
        except Refused:
            raise
        except Exception as error:  # noqa: BLE001 - logged and kept by _failed_row
            return [self._failed_row(account, request.to_payload(), error, unread=True)]
        return [self._row(account, payload) for payload in payloads]

    @api.model
    def _row(self, account, payload):
        try:
            identity = account._adapter().identify(payload, account._settings())
            if len(identity.call_ref) > LONGEST_REF:
                raise ProviderError(
                    _lt(
                        "The id of the call is longer than %(most)s characters, so it cannot be stored.",
                        most=LONGEST_REF,
                    )
                )
        except Exception as error:  # noqa: BLE001 - logged and kept by _failed_row
            return self._failed_row(account, payload, error)
        return EventRow(
            kind=storable(identity.kind),
            call_ref=storable(identity.call_ref) or None,
            leg_ref=storable(identity.leg_ref)[:LONGEST_REF] or None,
            key=identity.key if len(identity.key) <= LONGEST_REF else digest({'key': identity.key}),
            state='pending' if identity.call_ref else 'ignored',
            error=identity.ignored or None,
            payload=dump(payload),
        )

    @api.model
    def _failed_row(self, account, payload, error, unread=False):
        """Return the row of an event that could not be read. One that the adapter does not
        understand waits for a person, an error of ours is tried again."""
        ours = not isinstance(error, ProviderError)
        if ours:
            _logger.error(
                "telephony account %s (%s): an event could not be read. It is kept as failed in the inbox and read again in "
                "a minute: if it stays failed, mend the cause and replay it there.",
                account.id,
                account.name,
                exc_info=error,
            )
        return EventRow(
            kind='',
            call_ref=None,
            leg_ref=None,
            key=digest(payload),
            state='failed',
            error=in_words(error),
            next_try_at=next_try(1) if ours else None,
            payload=dump(payload),
            unread=unread,
        )

    @api.model
    def _store(self, account, rows, received_at):
        """Insert the rows whose key is new.

        :param datetime received_at: naive UTC
        """
        if not rows:
            return
        self.env.cr.execute(
            SQL(
                """ INSERT INTO telephony_event
                       (account_id, received_at, attempts, create_uid, create_date, write_uid, write_date,
                        kind, call_ref, leg_ref, dedupe_key, state, error, next_try_at, payload)
                VALUES %s
                ON CONFLICT (account_id, dedupe_key) DO NOTHING """,
                SQL(", ").join(
                    SQL(
                        "(%s, %s, 0, %s, %s, %s, %s, %s)",
                        account.id,
                        received_at,
                        SUPERUSER_ID,
                        received_at,
                        SUPERUSER_ID,
                        received_at,
                        SQL(", ").join(SQL("%s", value) for value in row.to_columns()),
                    )
                    for row in rows
                ),
            ),
            # a delivery that is stored twice at once would put its payload into the log
            log_exceptions=False,
        )

    @api.model
    def _last_delivered(self, accounts):
        """Return dict account id → when its PBX last sent an event (naive UTC). Reads one row of the
        index for each account and state, however many events there are."""
        self.flush_model(['account_id', 'state', 'kind', 'received_at'])
        states = [state for state, _label in self._fields['state'].selection]
        return dict(
            self.env.execute_query(
                SQL(
                    """ SELECT account.id, max(last.received_at)
                  FROM unnest(%s::int[]) AS account(id), unnest(%s) AS state(name), LATERAL (
                       SELECT received_at FROM telephony_event
                        WHERE account_id = account.id AND state = state.name AND COALESCE(kind, '') NOT IN %s
                     ORDER BY received_at DESC LIMIT 1) AS last
              GROUP BY account.id """,
                    accounts.ids,
                    states,
                    NOT_DELIVERED,
                )
            )
        )

    # === PROCESSING === #

    @api.model
    def _cron_process(self):
        """File what a crash or a lost race left behind, and read events again that an error of ours
        has failed."""
        retry = self.search(
            [('state', '=', 'failed'), ('next_try_at', '<=', fields.Datetime.now())], limit=1000
        )
        retry.next_try_at = False
        known = retry.filtered('call_ref')
        known.state = 'pending'
        for event in retry - known:
            event._reread()
        self.env['ir.cron']._commit_progress(len(retry))
        for account in self._accounts_pending():
            try:
                self._process(account)
            except Exception:  # one account's trouble must not hold up the others
                _logger.exception(
                    "telephony account %s: processing the inbox failed; the next run of the scheduled action tries again in a "
                    "minute.",
                    account.id,
                )
                self.env.cr.rollback()

    @api.model
    def _process(self, accounts):
        """File the pending events of these accounts. Commits.

        An account whose calls another process is filing is left to it: that process looks once more
        after it has let go of the lock, and finds what is pending now.
        """
        for account in accounts:
            # at once, without asking first whether there is something: a caller waits for the card
            while True:
                begin = time.monotonic()
                with turns.held(self.env, turns.Lock.FILING, account.id) as is_ours:
                    progress = is_ours and self._process_batch(account)
                if not progress or not (pending := self._next_pending(account)):
                    break
                if len(pending) < BATCH:
                    self.env.cr.rollback()  # nothing is held while waiting for more
                    time.sleep(pause_after(time.monotonic() - begin))

    @staticmethod
    def _process_in_new_transaction(database, account_id):
        """Run :meth:`_process` for an account in a transaction of its own. If it fails, the events
        are safe and the scheduled action finds them."""
        with Registry(database).cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            env['telephony.event']._process(env['telephony.account'].browse(account_id))

    @api.model
    def _accounts_pending(self):
        """Return the accounts with pending events. Archived ones too: what was accepted is
        processed."""
        groups = self.sudo()._read_group(Domain('state', '=', 'pending'), ['account_id'])
        return self.env['telephony.account'].browse([account.id for (account,) in groups])

    def _next_pending(self, account):
        return self._search(
            [('account_id', '=', account.id), ('state', '=', 'pending')], limit=BATCH, order='id'
        )

    def _events_of(self, account, refs):
        """Return all events of these calls.

        :param refs: the references of the calls, or a query for them
        """
        return self.search_fetch(
            [('account_id', '=', account.id), ('call_ref', 'in', refs)],
            [
                'call_ref',
                'leg_ref',
                'payload',
                'received_at',
                'kind',
                'state',
                'error',
                'call_id',
                'next_try_at',
            ],
            order='id',
        )

    def _sharing(self, account, refs):
        """Return the calls that have a leg in common with these, as when customers are bridged one
        after another into the channel of a logged-in agent.

        :return: list of (reference, reference of the other call, reference of the leg)
        """

        def read(which):
            return self.env.execute_query(
                SQL(
                    "SELECT DISTINCT call_ref, leg_ref FROM telephony_event WHERE account_id = %s AND %s",
                    account.id,
                    which,
                )
            )

        # joined in Python, because for a new PBX, of which it has no statistics yet, PostgreSQL
        # would compare each event with each
        by_leg = {ref: {ref} for ref in refs}
        for ref, leg in read(SQL("call_ref IN %s AND leg_ref IS NOT NULL", tuple(refs))):
            by_leg.setdefault(leg, set()).add(ref)
        legs = tuple(by_leg)
        others = {
            *read(SQL("leg_ref IN %s", legs)),
            *((ref, ref) for ref, _leg in read(SQL("call_ref IN %s", legs))),
        }
        return [(ref, other, leg) for other, leg in others for ref in by_leg[leg] if ref != other]

    def _with_sharers(self, account, events):
        """Add the calls that pending events change too, because they have a leg in common.

        :return: the events of all calls to be filed, and dict reference → the events of other calls
            that the adapter needs to read this one
        """
        if not account._adapter().shares_legs or not events:
            return events, {}
        refs = set(events.mapped('call_ref'))
        sharing = self._sharing(account, refs)
        if not sharing:
            return events, {}
        changed_legs = account._adapter().legs_told(
            self._stored(events.filtered(lambda event: event.state == 'pending')),
            self._stored(events),
        )
        if further := {other for _ref, other, leg in sharing if leg in changed_legs} - refs:
            sharing += self._sharing(account, further)
            events += self._events_of(account, list(further))
            refs |= further
        by_ref = (
            events | self._events_of(account, list({other for _ref, other, _leg in sharing} - refs))
        ).grouped('call_ref')
        shared = {}
        for ref, other, _leg in sharing:
            shared[ref] = shared.get(ref, self) | by_ref[other]
        return events, shared

    def _process_batch(self, account):
        """File one batch and commit.

        :return: whether there was something to file. False too if somebody else wrote the same
            rows; the next run tries again
        """
        with turns.gives_way(self.env):
            refs, folded = turns.retried(self.env.cr, lambda: self._file_batch(account))
            self._after_committed(account, folded)
            return bool(refs)
        return False

    def _file_batch(self, account):
        """File one batch of calls in one transaction; if one of them fails, each alone.

        :return: the references of the calls, and what :meth:`_file` returns
        """
        events = self._events_of(account, self._next_pending(account).subselect('call_ref'))
        refs, folded = list(dict.fromkeys(events.mapped('call_ref'))), {}
        with turns.isolated(self.env.cr, whole=True) as trial:
            folded = self._file(account, *self._with_sharers(account, events))
            self.env.flush_all()
        if trial.error:  # one bad call must not hold up the others
            for ref in refs:
                folded |= self._file_alone(account, ref)
        self.env.cr.commit()  # pylint: disable=invalid-commit
        return refs, folded

    def _file_alone(self, account, ref):
        """File one call. If it fails, its events are kept as failed and tried again."""
        with turns.isolated(
            self.env.cr,
            _logger,
            "telephony account %s: call %s could not be filed; its events are kept as failed in the inbox and tried again in a "
            "minute, then less and less often.",
            account.id,
            ref,
        ) as trial:
            return self._file(
                account, *self._with_sharers(account, self._events_of(account, [ref]))
            )
        self.search(
            [
                ('account_id', '=', account.id),
                ('call_ref', '=', ref),
                ('state', '=', 'pending'),
            ]
        )._fail(trial.error, retry=True)
        return {}

    def _file(self, account, events, shared):
        """Compute calls anew from all their events, and mark the events as done.

        :param shared: dict call reference → events of other calls with which it has a leg in common
        :return: dict call reference → (its CallRecord or None, its events as the adapter takes
            them)
        """
        account._recall()
        folded, reasons = self._fold(account, events, shared)
        if unwanted := self._on_unwanted(
            account, {ref: record for ref, (record, _events) in folded.items()}
        ):
            gone = events.filtered(lambda event: event.call_ref in unwanted)
            events -= gone
            gone.unlink()
            folded = {ref: told for ref, told in folded.items() if ref not in unwanted}
        calls = self._on_folded(account, {ref: record for ref, (record, _events) in folded.items()})
        self._mark_filed(events, calls, reasons)
        if account._is_waiting_for_events() and any(
            event.kind not in NOT_DELIVERED for event in events
        ):
            account.write(account._heard())
        return folded

    def _fold(self, account, events, shared):
        """Compute the records of calls, nothing written yet.

        :param shared: as in :meth:`_file`
        :return: what :meth:`_file` returns, and dict call reference → why its events are no call,
            empty where they are one
        """
        settings, provider = account._settings(), account._adapter()
        folded, reasons = {}, {}
        for ref, own in events.grouped('call_ref').items():
            stored = self._stored(own)
            lost = [CallEvent(kind=LOST, external_id=ref) for event in own if event.kind == LOST]
            record, reasons[ref] = read_call(
                provider, stored + self._stored(shared.get(ref, ())), settings, lost
            )
            folded[ref] = record, stored
        return folded, reasons

    @api.model
    def _mark_filed(self, events, calls, reasons):
        """Mark events as done or ignored, and point them to their calls.

        An event of two calls, the customer's and that of the agent's channel into which the customer
        was bridged, points to the latter, also when only the customer's call is filed now.

        :param dict calls: call reference → telephony.call, of those that were filed
        :param dict reasons: call reference → why its events are no call
        """
        for ref, own in events.grouped(
            lambda event: event.leg_ref if event.leg_ref in calls else event.call_ref
        ).items():
            others = own.filtered(
                lambda event, ref=ref: event.leg_ref not in (False, ref)
                and event.call_id.external_id == event.leg_ref
            )
            own -= others
            # the other call may have no pending event of its own: these would stay pending for ever
            others.filtered(lambda event: event.state == 'pending').write(
                {'state': 'done', 'error': False, 'next_try_at': False}
            )
            values = {
                'state': 'ignored' if reasons[ref] else 'done',
                'error': reasons[ref] or False,
                'call_id': calls[ref].id if ref in calls else False,
                'next_try_at': False,
            }
            # old events too: a new one may have made a call of them, or no call any more
            own.filtered(
                lambda event, values=values: event.kind != ROUTED and changes(event, values)
            ).write(values)

    @api.model
    def _stored(self, events):
        """Return the PBX's own events among these as its adapter takes them."""
        return [
            Stored(json.loads(event.payload), event.received_at.replace(tzinfo=timezone.utc))
            for event in events
            if event.kind not in OURS
        ]

    def _fail(self, error, retry=False):
        """Mark the events as failed.

        :param error: an exception, or its words
        :param bool retry: try again by scheduled action, with growing pauses
        """
        for event in self:
            attempts = event.attempts + 1
            event.write(
                {
                    'state': 'failed',
                    'error': error if isinstance(error, str) else in_words(error),
                    'attempts': attempts,
                    'next_try_at': retry and next_try(attempts),
                }
            )

    # === RETENTION === #

    @api.autovacuum
    def _gc_events(self):
        """Delete events past the retention period. Their calls are sealed, which means final,
        because a late event alone must not be taken for the whole call."""
        oldest = fields.Datetime.now() - timedelta(days=setting(self.env, 'event_retention_days'))
        past = Domain('received_at', '<', oldest) & Domain('state', '!=', 'pending')
        old = self.search(past, limit=10000, order='id')
        old.call_id.filtered(lambda call: not call.is_sealed).is_sealed = True
        old.unlink()
        return len(old), self.search_count(past, limit=1)

    # === HOOKS OF LATER STAGES === #

    @api.model
    def _on_unwanted(self, account, records):
        """Return the references of those calls that must not be filed; said by the stage that erases
        people. Their events are deleted in the same transaction.

        :param dict records: call reference → CallRecord, None where nothing more is known
        :return: set of references
        """
        return set()

    @api.model
    def _on_folded(self, account, records):
        """Write these calls to the log, in the transaction that marks their events as done. An error
        undoes the batch; then each call is filed alone.

        :param dict records: call reference → CallRecord, None where its events are no call
        :return: dict call reference → telephony.call
        """
        return {}

    @api.model
    def _after_committed(self, account, folded):
        """Runs after the commit that has put these calls into the log. An error undoes nothing.

        :param dict folded: call reference → (CallRecord or None, its events as the adapter takes
            them)
        """
