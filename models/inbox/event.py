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
# Filing may take this part of the time while events come in one by one, and may wait this long
# (seconds) for more.
FILING_SHARE = 0.1
LONGEST_PAUSE = 1.0
# The kind of our own event that closes a call whose end never came.
LOST = 'lost'
# The kind of our own note that a waiting caller was sent to somebody's phone.
ROUTED = 'odoo:route'
OURS = (LOST, ROUTED)
# What no delivery has brought: our own, and what was read back from the PBX's statistics.
NOT_DELIVERED = (*OURS, 'history')
# No PBX has longer ids, and no index row could hold much longer ones.
LONGEST_REF = 250


def pause_after(seconds):
    """How long to wait after filing has taken so long, so that the next batch is worth it."""
    return min(seconds / FILING_SHARE - seconds, LONGEST_PAUSE)


class EventRow(NamedTuple):
    """An event before it is stored, in the order of the INSERT; `error` may be Words, `unread` says
    that it is a delivery as a whole."""

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

    A call is the fold of its events. :meth:`_append` stores, :meth:`_process` computes the calls
    anew from all their events: right after the answer to the PBX went out, and by scheduled action
    for whatever a crash left behind. One process at a time files the calls of an account, so calls
    never conflict with each other.
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
        help="The PBX's own id of a leg that may have begun as a call of its own: the event is of that call too.",
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
    attempts = fields.Integer(
        readonly=True, help="How often our own processing of this event has failed."
    )
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
        """Read the events again, as after a fixed adapter or setting, and file their calls before
        the page reloads. Only then is known what came of it: the page asks, says so, and
        reloads."""
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

    def _reread(self):
        """Identify the stored payload anew. A delivery that was not understood at all becomes the
        events it holds."""
        self.ensure_one()
        if self.kind == ROUTED:  # that moment is over
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

        :raise Refused: the adapter does not want it kept
        """
        rows = self._rows(account, request)
        # since this transaction began another one may have stored the same event, or changed the
        # account that the row points to
        turns.retried(self.env.cr, lambda: self._store(account, rows, fields.Datetime.now()))

    @api.model
    def _rows(self, account, request):
        """The events of a delivery; one failed row of the whole of it where it is not understood.

        :raise Refused: the adapter does not want it kept
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
        """What is not understood waits for a person; what our own fault was is tried again."""
        ours = not isinstance(error, ProviderError)
        if ours:
            _logger.error(
                "telephony account %s: an event cannot be read", account.id, exc_info=error
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
        """Append rows whose key is new."""
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
                    # an error in the log for each repeat, with its payload
                    for row in rows
                ),
            ),
            log_exceptions=False,
        )

    @api.model
    def _last_delivered(self, accounts):
        """dict account id → when its PBX last sent something (naive UTC). By the index, newest
        first: what else it holds of an account is not looked at."""
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
        """File what a crash or a lost race left behind, and try again what failed by our own
        fault."""
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
                    "the inbox of telephony account %s cannot be processed", account.id
                )
                self.env.cr.rollback()

    @api.model
    def _process(self, accounts):
        """File the pending events of these accounts. Commits.

        If another process is filing an account's calls, it will also find what is pending now: it
        looks once more after it has let go of the lock.
        """
        for account in accounts:
            # whoever asks has seen something pending: a caller waits for the card
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
        """Make calls of what is pending in the inbox of an account. Whatever goes wrong here, the
        events are safe and the scheduled action finds them."""
        with Registry(database).cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            env['telephony.event']._process(env['telephony.account'].browse(account_id))

    @api.model
    def _accounts_pending(self):
        """Accounts with something to do in their inbox, archived ones included: what was accepted
        is processed."""
        groups = self.sudo()._read_group(Domain('state', '=', 'pending'), ['account_id'])
        return self.env['telephony.account'].browse([account.id for (account,) in groups])

    def _next_pending(self, account):
        return self._search(
            [('account_id', '=', account.id), ('state', '=', 'pending')], limit=BATCH, order='id'
        )

    def _events_of(self, account, refs):
        """All events of these calls.

        :param refs: their references, or a query for them
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
        """The calls that have a leg in common with these.

        :return: list of (reference, reference of the other call, the leg)
        """

        def told(which):
            return self.env.execute_query(
                SQL(
                    "SELECT DISTINCT call_ref, leg_ref FROM telephony_event WHERE account_id = %s AND %s",
                    account.id,
                    which,
                )
            )

        # joined here: of a PBX that PostgreSQL has no statistics of yet it would compare each event
        # with each
        by_leg = {ref: {ref} for ref in refs}
        for ref, leg in told(SQL("call_ref IN %s AND leg_ref IS NOT NULL", tuple(refs))):
            by_leg.setdefault(leg, set()).add(ref)
        legs = tuple(by_leg)
        others = {
            *told(SQL("leg_ref IN %s", legs)),
            *((ref, ref) for ref, _leg in told(SQL("call_ref IN %s", legs))),
        }
        return [(ref, other, leg) for other, leg in others for ref in by_leg[leg] if ref != other]

    def _with_sharers(self, account, events):
        """Add the events of calls of which the pending ones tell too, as they have a leg in common.

        :return: the events of all calls to be filed, and dict reference → events of other calls
            that its adapter needs
        """
        if not account._adapter().shares_legs or not events:
            return events, {}
        refs = set(events.mapped('call_ref'))
        sharing = self._sharing(account, refs)
        if not sharing:
            return events, {}
        told = account._adapter().legs_told(
            self._stored(events.filtered(lambda event: event.state == 'pending')),
            self._stored(events),
        )
        if further := {other for _ref, other, leg in sharing if leg in told} - refs:
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

        :return: whether there was one; False too when somebody else's writes were in the way: the
            next run tries again
        """
        with turns.gives_way(self.env):
            refs, folded = turns.retried(self.env.cr, lambda: self._file_batch(account))
            self._after_committed(account, folded)
            return bool(refs)
        return False

    def _file_batch(self, account):
        """:return: the references of the calls, and what `_file` gives"""
        events = self._events_of(account, self._next_pending(account).subselect('call_ref'))
        refs, folded = list(dict.fromkeys(events.mapped('call_ref'))), {}
        with turns.isolated(self.env.cr, whole=True) as trial:
            folded = self._file(account, *self._with_sharers(account, events))
            self.env.flush_all()
        if trial.error:  # one bad call must not hold up the others: find it
            for ref in refs:
                folded |= self._file_alone(account, ref)
        self.env.cr.commit()  # pylint: disable=invalid-commit
        return refs, folded

    def _file_alone(self, account, ref):
        with turns.isolated(
            self.env.cr,
            _logger,
            "telephony account %s: call %s cannot be filed",
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
        """Compute calls anew from all their events.

        :param shared: dict call reference → events of other calls with which it has a leg in common
        :return: dict call reference → (its CallRecord or None, its events as the adapter takes
            them)
        """
        account._recall()
        settings, provider = account._settings(), account._adapter()
        records, reasons, folded = {}, {}, {}
        for ref, own in events.grouped('call_ref').items():
            stored = self._stored(own)
            lost = [CallEvent(kind=LOST, external_id=ref) for event in own if event.kind == LOST]
            records[ref], reasons[ref] = read_call(
                provider, stored + self._stored(shared.get(ref, ())), settings, lost
            )
            folded[ref] = records[ref], stored
        calls = self._on_folded(account, records)
        for ref, own in events.grouped(
            lambda event: event.leg_ref if event.leg_ref in calls else event.call_ref
        ).items():
            # what tells of a leg that is a call of its own stays with that call, also while only
            # the other one is filed
            theirs = own.filtered(
                lambda event, ref=ref: event.leg_ref not in (False, ref)
                and event.call_id.external_id == event.leg_ref
            )
            own -= theirs
            # of that call nothing else may be left to file it by: then this would be looked at for
            # ever
            theirs.filtered(lambda event: event.state == 'pending').write(
                {'state': 'done', 'error': False, 'next_try_at': False}
            )
            values = {
                'state': 'ignored' if reasons[ref] else 'done',
                'error': reasons[ref] or False,
                'call_id': calls[ref].id if ref in calls else False,
                'next_try_at': False,
            }
            # not only the new ones: what looked like no call may have become one, and the reverse
            own.filtered(
                lambda event, values=values: event.kind != ROUTED and changes(event, values)
            ).write(values)
        if account._is_waiting_for_events() and any(
            event.kind not in NOT_DELIVERED for event in events
        ):
            account.write({'state': 'connected', 'error_in': False})
        return folded

    @api.model
    def _stored(self, events):
        """The PBX's own events of a call as its adapter takes them."""
        return [
            Stored(json.loads(event.payload), event.received_at.replace(tzinfo=timezone.utc))
            for event in events
            if event.kind not in OURS
        ]

    def _fail(self, error, retry=False):
        """Keep the reason on the events, and when our own processing is to be tried again.

        :param error: an exception, or its words
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
        """Delete events past the retention period. Their calls stay as they are: they are sealed,
        for a late event alone must not be taken for the whole call."""
        oldest = fields.Datetime.now() - timedelta(days=setting(self.env, 'event_retention_days'))
        past = Domain('received_at', '<', oldest) & Domain('state', '!=', 'pending')
        old = self.search(past, limit=10000, order='id')
        old.call_id.filtered(lambda call: not call.is_sealed).is_sealed = True
        old.unlink()
        return len(old), self.search_count(past, limit=1)

    # === HOOKS OF LATER STAGES === #

    @api.model
    def _on_folded(self, account, records):
        """Put these calls into the log, in the transaction that marks their events as done.

        :param dict records: call reference → CallRecord, or None where its events tell of no call
        :return: dict call reference → telephony.call
        """
        return {}

    @api.model
    def _after_committed(self, account, folded):
        """These calls are in the log. What fails here undoes nothing.

        :param dict folded: call reference → (CallRecord or None, its events as the adapter takes
            them)
        """
