from collections import Counter
from datetime import timedelta, timezone
from typing import NamedTuple

from odoo import api, fields, models
from odoo.fields import Domain

from ...providers.base import ProviderError, Stored
from ...providers.capabilities import ReadsHistory
from ...providers.reading import read_call
from ...tools import turns
from ...tools.periods import Period
from ...tools.words import _lt
from ..core.words_field import WordsField, in_words
from .differences import FACTS, SAME_SECONDS, as_json, differences, snapshot, told_differences

# A day is read so much further than its end, because a call that began in it may end after it, and
# PBXs log long calls late.
LATE = timedelta(hours=6)
# The events of calls of the last minutes may still come.
HISTORY_DELAY = timedelta(minutes=10)
# At this local time the last two days are compared once more: by then the PBX has logged all of them.
NIGHT = timedelta(hours=3)
LAST_DAYS = 2
# After a longer silence a person says from which day on.
MOST_DAYS = 31
# The facts that a log alone can tell.
COMPARED = ('direction', 'customer_number', 'start_at', 'outcome', 'talk_seconds', 'extension')
# So many calls whose times differ by the same quarters of an hour are no accident.
SHIFTED = 3
QUARTER = 900


class Logged(NamedTuple):
    """A call of the PBX's log: its rows, and the facts that they alone tell, None if they tell of
    none."""

    rows: list
    facts: dict | None
    phones: frozenset = frozenset()
    recordings: frozenset = frozenset()


class TelephonyCompleteness(models.Model):
    """How complete a day of a PBX is: its own log beside ours, call by call."""

    _name = 'telephony.completeness'
    _description = "Completeness of a day"
    _order = 'day desc, account_id, id'

    account_id = fields.Many2one(
        'telephony.account', string="PBX", required=True, readonly=True, ondelete='cascade'
    )
    company_id = fields.Many2one(related='account_id.company_id', store=True, index=True)
    day = fields.Date(required=True, readonly=True)
    there_count = fields.Integer(
        string="At the PBX", readonly=True, help="Calls of this day in the PBX's own log."
    )
    arrived_count = fields.Integer(
        string="Odoo",
        readonly=True,
        help="Those of them that had reached Odoo by themselves, by the PBX's events.",
    )
    fetched_count = fields.Integer(
        string="Fetched",
        readonly=True,
        help="Those that were missing in Odoo, and were brought in from the log.",
    )
    differing_count = fields.Integer(
        string="Differing",
        readonly=True,
        help="Calls that Odoo had otherwise than the log, and that the log has corrected.",
    )
    only_here_count = fields.Integer(
        string="Only in Odoo",
        readonly=True,
        help="Calls of this day, internal ones left out, that the log does not have. PBXs log late, and some leave calls out.",
    )
    summary = fields.Char(string="In Short", compute='_compute_summary')
    compared_at = fields.Datetime(readonly=True)
    is_whole = fields.Boolean(
        string="Read to the End", readonly=True, help="The PBX's log was read to the end."
    )
    error = WordsField(string="Why Not", readonly=True)
    line_ids = fields.One2many('telephony.completeness.line', 'day_id', readonly=True)

    _day_uniq = models.UniqueIndex('(account_id, day)', "This day is there already.")

    @api.depends('account_id', 'day')
    def _compute_display_name(self):
        for record in self:
            record.display_name = f'{record.account_id.name}, {record.day}'

    @api.depends('there_count', 'arrived_count', 'fetched_count', 'differing_count')
    @api.depends_context('lang')
    def _compute_summary(self):
        for record in self:
            record.summary = self.env._(
                "PBX %(there)s, Odoo %(here)s, fetched %(new)s, differing %(differing)s",
                there=record.there_count,
                here=record.arrived_count,
                new=record.fetched_count,
                differing=record.differing_count,
            )

    # === BUTTONS === #

    def action_view_calls(self):
        """Open the calls of this day."""
        self.ensure_one()
        begin, end = self._bounds()
        return self._calls_action(
            [
                ('account_id', '=', self.account_id.id),
                ('start_at', '>=', begin),
                ('start_at', '<', end),
            ]
        )

    def action_view_fetched(self):
        return self._lines_action('fetched')

    def action_view_differing(self):
        return self._lines_action('differing')

    def action_view_only_here(self):
        return self._lines_action('only_here')

    def action_compare(self):
        """Compare these days again, in the background. Who may not ask for a comparison is
        refused."""
        for account, days in self.grouped('account_id').items():
            self.env['telephony.comparison'].create(
                {
                    'account_id': account.id,
                    'first': min(days.mapped('day')),
                    'last': max(days.mapped('day')),
                }
            ).action_start()
        return self.env['telephony.comparison']._started()

    def _calls_action(self, domain):
        action = self.env['ir.actions.act_window']._for_xml_id(
            'crm_telephony.telephony_call_action'
        )
        return {**action, 'domain': domain, 'context': {}, 'name': self.display_name}

    def _lines_action(self, kind):
        self.ensure_one()
        return {
            **self.env['ir.actions.act_window']._for_xml_id(
                'crm_telephony.telephony_completeness_line_action'
            ),
            'domain': [('day_id', '=', self.id), ('kind', '=', kind)],
            'name': self.display_name,
        }

    def _bounds(self):
        """Return begin and end of the day in the company's zone (naive UTC)."""
        return Period(self.day, self.day).bounds(self.company_id._telephony_zone())

    # === WRITING === #

    @api.model
    def _of(self, account, day):
        """Return the row of a PBX and day; it is made if there is none."""
        found = self.search([('account_id', '=', account.id), ('day', '=', day)])
        return found or self.create({'account_id': account.id, 'day': day})

    def _note(self, there, only_here, error):
        """Note what one comparison of this day has found, beside the lines of :meth:`_add`.

        :param int there: calls in the log
        :param only_here: calls, or None if the log was not read to the end
        """
        self.ensure_one()
        if only_here is not None:
            lines = self.line_ids.filtered(lambda line: line.kind == 'only_here')
            lines.filtered(lambda line: line.call_id not in only_here).unlink()
            self._add('only_here', dict.fromkeys(only_here))
        self.write(
            {
                'there_count': max(there, self.there_count) if error else there,
                'compared_at': fields.Datetime.now(),
                'is_whole': not error,
                'error': in_words(error) if error else False,
            }
        )
        self._count()

    def _add(self, kind, calls):
        """Add lines of calls. What was fetched or corrected once stays so, though the next comparison
        finds it there.

        :param dict calls: call → its differences, or None
        """
        known = {line.call_id: line for line in self.line_ids if line.kind == kind}
        for call, change in calls.items():
            if change and call in known:
                known[call].changes = {**(known[call].changes or {}), **change}
        self.line_ids.create(
            [
                {'day_id': self.id, 'call_id': call.id, 'kind': kind, 'changes': change}
                for call, change in calls.items()
                if call not in known
            ]
        )

    def _count(self):
        for record in self:
            counts = Counter(record.line_ids.mapped('kind'))
            there = max(record.there_count, counts['fetched'])
            record.write(
                {
                    'there_count': there,
                    'arrived_count': there - counts['fetched'],
                    'fetched_count': counts['fetched'],
                    'differing_count': counts['differing'],
                    'only_here_count': counts['only_here'],
                }
            )


class TelephonyCompletenessLine(models.Model):
    """A call behind one of the numbers."""

    _name = 'telephony.completeness.line'
    _description = "Call of a comparison"
    _order = 'id'

    day_id = fields.Many2one(
        'telephony.completeness', required=True, readonly=True, ondelete='cascade', index=True
    )
    company_id = fields.Many2one(related='day_id.company_id', store=True)
    call_id = fields.Many2one(
        'telephony.call',
        string="Phone Call",
        required=True,
        readonly=True,
        ondelete='cascade',
        index=True,
    )
    kind = fields.Selection(
        [('fetched', "Fetched"), ('differing', "Differing"), ('only_here', "Only in Odoo")],
        required=True,
        readonly=True,
    )
    changes = fields.Json(readonly=True, help="Field → its value before and after.")
    change_text = fields.Char(string="Before and Now", compute='_compute_change_text')
    start_at = fields.Datetime(related='call_id.start_at')
    direction = fields.Selection(related='call_id.direction')
    who = fields.Char(related='call_id.who')
    outcome = fields.Selection(related='call_id.outcome')

    _call_uniq = models.UniqueIndex('(day_id, call_id, kind)', "This call is there already.")

    @api.depends('changes')
    @api.depends_context('lang', 'tz')
    def _compute_change_text(self):
        for line in self:
            line.change_text = told_differences(self.env, line.changes)

    def action_open_call(self):
        self.ensure_one()
        return self.call_id._get_records_action()


class TelephonyAccount(models.Model):
    """Compares the PBX's own log with ours, a day at a time, and files what is missing or
    differs."""

    _inherit = 'telephony.account'

    completeness_ids = fields.One2many('telephony.completeness', 'account_id', readonly=True)

    def action_view_completeness(self):
        self.ensure_one()
        return {
            **self.env['ir.actions.act_window']._for_xml_id(
                'crm_telephony.telephony_completeness_action'
            ),
            'domain': [('account_id', '=', self.id)],
        }

    def action_fetch_history(self):
        """Compare the last days now, which otherwise happens every hour."""
        self.check_access('write')
        # the last two days too, though their night is over
        self.sudo().completeness_ids.filtered(
            lambda row: row.day >= self._local_today() - timedelta(days=LAST_DAYS)
        ).compared_at = False
        return self.env['telephony.comparison']._started()

    # === WHICH DAYS === #

    @api.model
    def _cron_fetch_history(self):
        """Compare the log of each PBX with ours: today every hour, the last two days every night, and
        the periods that somebody has asked for. Their rows enter as events like any other."""
        accounts = self.search([]).filtered(lambda account: account._is_ready(ReadsHistory))
        self.env['ir.cron']._commit_progress(remaining=len(accounts))
        for account in accounts:
            account._compare_due()
            if not self.env['ir.cron']._commit_progress(1):
                return
        self.env['telephony.comparison']._work_off()

    def _compare_due(self):
        """Compare the days whose turn it is. Commits."""
        counts, error, until = Counter(), None, None
        for day in self._days_due():
            found, read_until, error = self._compare_day(day)
            counts += found
            until = max(filter(None, (until, read_until)), default=None)
            if error:
                break
        if until:
            message = _lt(
                "PBX %(there)s, Odoo %(here)s, fetched %(new)s, differing %(differing)s",
                there=counts['there'],
                here=counts['there'] - counts['fetched'],
                new=counts['fetched'],
                differing=counts['differing'],
            )
            self.write(self._history_values(until, message, error))
            self.env['ir.cron']._commit_progress()

    def _local_today(self):
        return self._local_day(fields.Datetime.now() - HISTORY_DELAY)

    def _local_day(self, moment):
        """Return the day of the company in which a moment (naive UTC) lies."""
        zone = self.company_id._telephony_zone()
        return moment.replace(tzinfo=timezone.utc).astimezone(zone).date()

    def _days_due(self):
        """Return the days to compare now: today first, whatever hinders the others; once a night the
        two before it; and all that were missed since the last comparison, because Odoo or the PBX
        was away."""
        self.ensure_one()
        now, today = fields.Datetime.now(), self._local_today()
        night = Period(today, today).bounds(self.company_id._telephony_zone())[0] + NIGHT
        compared = self._local_day(self.history_until) if self.history_until else today
        first = min(compared, today - timedelta(days=LAST_DAYS))
        days = Period(max(first, today - timedelta(days=MOST_DAYS)), today).dates()
        rows = {
            row.day: row.compared_at
            for row in self.env['telephony.completeness'].search(
                [('account_id', '=', self.id), ('day', 'in', days), ('is_whole', '=', True)]
            )
        }
        return [
            day
            for day in reversed(days)
            if day == today or not rows.get(day) or rows[day] < night <= now
        ]

    # === ONE DAY === #

    def _compare_day(self, day):
        """Compare a local day with the PBX's log, file what is missing or differs, and note it.
        Commits.

        :return: Counter of `there`, `fetched`, `differing` and `only_here`; up to when it was read
            (naive UTC), None if the day has not begun; and the error that stopped it, or None
        """
        self.ensure_one()
        begin, end = Period(day, day).bounds(self.company_id._telephony_zone())
        until = min(end + LATE, fields.Datetime.now() - HISTORY_DELAY)
        if until <= begin:
            return Counter(), None, None
        rows, error = self._read_history(begin, until)
        # the conversation took minutes: what follows needs a fresh view of the database
        self.env['ir.cron']._commit_progress()
        self.env.invalidate_all()
        logged, unread = self._logged(rows)
        known = self._known(logged)
        if not error and (hours := self._shifted_by(logged, known)):
            error = ProviderError(
                _lt(
                    "The calls of the PBX's log begin %(hours)s hours away from what its events told, so its clock is read "
                    "in the wrong time zone and nothing was taken over. Correct the Timezone on the PBX's form, then press "
                    "Compare Now.",
                    hours=f'{hours:+g}',
                )
            )
            logged, unread = {}, []
        news = {
            ref: call
            for ref, call in logged.items()
            if ref not in known or _has_news(call, known[ref])
        }
        before = snapshot(self._calls_by_ref(set(news) & set(known)))
        self._file_logged([row for call in news.values() for row in call.rows] + unread)
        calls = self._calls_by_ref(news)
        after = snapshot(calls)
        found = {'fetched': {}, 'differing': {}}
        for call in calls:
            if call.external_id not in known:
                found['fetched'][call] = None
            elif call.id in before and (change := differences(before[call.id], after[call.id])):
                found['differing'][call] = change
        there = [
            ref
            for ref, call in logged.items()
            if call.facts
            and begin
            <= (known[ref]['start_at'] if ref in known else call.facts['start_at'] or begin)
            < end
        ]
        here = None if error else self._only_here(begin, min(end, until), set(logged))
        self._add_found(day, found)
        self.env['telephony.completeness']._of(self, day)._note(len(there), here, error)
        self.env['ir.cron']._commit_progress()
        counts = {kind: len(calls) for kind, calls in found.items()}
        return Counter(there=len(there), only_here=len(here or ()), **counts), until, error

    def _add_found(self, day, found):
        """Note what was fetched and corrected, each call on the day of its start: a day is read some
        hours beyond its end.

        :param dict found: kind → call → its differences
        """
        rows = self.env['telephony.completeness']
        for kind, calls in found.items():
            by_day = {}
            for call, change in calls.items():
                own = self._local_day(call.start_at) if call.start_at else day
                by_day.setdefault(own, {})[call] = change
            for own, parts in by_day.items():
                row = rows._of(self, own)
                row._add(kind, parts)
                if kind == 'fetched' and own != day:
                    row.there_count += len(parts)
                row._count()

    def _logged(self, rows):
        """Return the calls of the log: dict reference → :class:`Logged`, and the rows that are of no
        call, as the adapter does not understand them. What was erased here is left out."""
        unread, by_ref = [], {}
        for row in rows:
            if row.event.call_ref:
                by_ref.setdefault(row.event.call_ref, []).append(row)
            else:
                unread.append(row)
        # the PBX's log still has what was erased here
        unwanted = self.env['telephony.event']._on_unwanted(self, dict.fromkeys(by_ref))
        settings, provider = self._settings(), self._adapter()
        numbers, users = self._directory()[:2]
        now = fields.Datetime.now().replace(tzinfo=timezone.utc)
        calls, recordings = self.env['telephony.call'], self.env['telephony.recording']
        logged = {}
        for ref, own in by_ref.items():
            if ref in unwanted:
                continue
            try:
                record, _reason = read_call(
                    provider, [Stored(row.payload, now) for row in own], settings
                )
            except Exception:  # noqa: BLE001 - filing meets it again, and keeps it as failed
                record = None
            logged[ref] = Logged(own, None)
            if record:
                hashes = (
                    recordings._hashes({'ref': sound.ref or False, 'url': sound.url or False})
                    for sound in record.recordings
                )
                logged[ref] = Logged(
                    own,
                    calls._facts(self, record, numbers, users),
                    frozenset(leg.extension for leg in record.legs),
                    # a link differs from time to time; the name, if there is one, does not
                    frozenset(
                        hashed.get('ref_hash') or hashed.get('url_hash') for hashed in hashes
                    ),
                )
        return logged, unread

    def _known(self, refs):
        """Return what is known of these calls: dict reference → dict of facts, `phones` and
        `recordings`. All are read at once, because a day has thousands."""
        self.env.flush_all()
        calls = self._calls_by_ref(refs)
        phones, recordings = {}, {}
        for call, extensions in self.env['telephony.call.leg']._read_group(
            [('call_id', 'in', calls.ids)], ['call_id'], ['extension:array_agg']
        ):
            phones[call.id] = set(extensions)
        for call, names, links in self.env['telephony.recording']._read_group(
            [('call_id', 'in', calls.ids)],
            ['call_id'],
            ['ref_hash:array_agg', 'url_hash:array_agg'],
        ):
            recordings[call.id] = {*names, *links}
        return {
            call.external_id: {
                **{name: call[name] for name in COMPARED},
                'state': call.state,
                'queue': call.queue,
                'end_unknown': call.end_unknown,
                'is_sealed': call.is_sealed,
                'phones': phones.get(call.id, set()),
                'recordings': recordings.get(call.id, set()),
            }
            for call in calls
        }

    def _calls_by_ref(self, refs):
        return self.env['telephony.call'].search_fetch(
            [('account_id', '=', self.id), ('external_id', 'in', list(refs))],
            ['external_id', 'is_sealed', *FACTS],
        )

    def _file_logged(self, rows):
        """Store rows of the log as events, and file their calls. Commits."""
        if rows:
            self.env['telephony.event']._store(
                self, [row.event for row in rows], fields.Datetime.now()
            )
            self._file_pending()

    def _file_pending(self):
        """File the pending events, whoever files others of this PBX now. Commits."""
        events, progress = self.env['telephony.event'], True
        # once more after the lock: what came in meanwhile was left to us
        while progress and events._next_pending(self):
            with turns.held(self.env, turns.Lock.FILING, self.id, wait=True):
                progress = events._process_batch(self)
        self.env.invalidate_all()

    def _only_here(self, begin, end, refs):
        """Return the ended calls of a period that the log does not have."""
        calls = self.env['telephony.call'].search(
            Domain('account_id', '=', self.id)
            & Domain('start_at', '>=', begin)
            & Domain('start_at', '<', end)
            & Domain('state', '=', 'ended')
            # many logs leave them out
            & Domain('direction', '!=', 'internal')
            & (Domain('ended_at', '=', False) | Domain('ended_at', '<', end))
        )
        return calls.filtered(lambda call: call.external_id not in refs)

    def _shifted_by(self, logged, known):
        """Return by how many hours the times of the log differ from those of the events, if most of
        them differ by the same: then the PBX's clock is read in the wrong zone, and nothing of its
        log may be believed. 0 if they do not."""
        shifts = Counter()
        for ref, call in logged.items():
            if call.facts and ref in known and known[ref]['start_at'] and call.facts['start_at']:
                seconds = (call.facts['start_at'] - known[ref]['start_at']).total_seconds()
                quarters = round(seconds / QUARTER)
                is_shifted = quarters and abs(seconds - quarters * QUARTER) <= 2 * SAME_SECONDS
                shifts[quarters if is_shifted else 0] += 1
        [(quarters, count)] = shifts.most_common(1) or [(0, 0)]
        return quarters / 4 if count >= SHIFTED and count * 2 > shifts.total() else 0


def _has_news(call, known):
    """Return whether the log tells something of a call that Odoo does not have, as far as the log
    alone shows. Filing decides what follows from it.

    :param Logged call: what the log tells
    :param dict known: what Odoo knows
    """
    if known['is_sealed']:
        return False
    if not call.facts or known['state'] != 'ended' or known['end_unknown']:
        return True
    told = {name: as_json(call.facts[name]) for name in COMPARED}
    have = {name: as_json(known[name]) for name in COMPARED}
    # a log that does not say who took the call says nothing new
    if not told['extension']:
        told['extension'] = have['extension']
    return bool(
        differences(have, told)
        or call.facts['queue']
        and not known['queue']
        or call.phones - known['phones']
        or call.recordings - known['recordings']
    )
