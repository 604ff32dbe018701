import json
import logging
import time
from collections import Counter
from datetime import timedelta, timezone
from typing import NamedTuple

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.fields import Domain

from ...providers.base import CallEvent, Identity, Stored, WebhookRequest, in_calls
from ...providers.reading import read_call
from ...tools.periods import Period
from ...tools.records import changes
from ..inbox.event import LOST, OURS, EventRow
from .differences import as_json, told_differences

_logger = logging.getLogger(__name__)

# Calls that are looked at in one transaction.
BATCH = 200
# How many changes are listed; all are counted.
MOST_LINES = 2000
# Where calls are filed again, that takes this share of the time: deliveries come first.
SHARE = 0.6
# What of a new call is listed. Its number is not, because nobody has filed the call yet.
OF_NEW = ('start_at', 'direction', 'outcome')


class Again(NamedTuple):
    """An event, and what its payload is identified as now. A delivery that could not be split has one
    for each event that it holds."""

    event: object
    row: EventRow

    @property
    def identity(self):
        return Identity(
            self.row.kind, self.row.call_ref, self.row.key, leg_ref=self.row.leg_ref or ''
        )

    @property
    def stored(self):
        return Stored(
            json.loads(self.row.payload), self.event.received_at.replace(tzinfo=timezone.utc)
        )

    @property
    def is_moved(self):
        """Whether the event is another call's now, or was not understood before."""
        if self.row.state == 'failed':
            return False
        if self.event.state == 'failed':
            return True
        return (self.row.call_ref, self.row.leg_ref) != (
            self.event.call_ref or None,
            self.event.leg_ref or None,
        )


class TelephonyReprocess(models.Model):
    """Reads the stored events of a period again, after an adapter, an extension, a number or a setting
    was mended: first it shows what would change, then it changes it. The row stays, so that
    everybody sees who has changed the past.

    What people chose stays: notes, results, contacts and deals. What follows from a changed call
    follows by the same rules as ever, so that nothing is done twice.
    """

    _name = 'telephony.reprocess'
    _description = "Calls of a period, read again"
    _order = 'id desc'

    account_id = fields.Many2one(
        'telephony.account', string="PBX", required=True, ondelete='cascade', index=True
    )
    company_id = fields.Many2one(related='account_id.company_id', store=True, index=True)
    first = fields.Date(
        string="From",
        required=True,
        default=lambda self: fields.Date.context_today(self) - timedelta(days=6),
    )
    last = fields.Date(string="To", required=True, default=fields.Date.context_today)
    state = fields.Selection(
        [
            ('draft', "New"),
            ('counting', "Looking"),
            ('counted', "Looked At"),
            ('running', "Applying"),
            ('done', "Done"),
        ],
        default='draft',
        required=True,
        readonly=True,
        copy=False,
    )
    all_count = fields.Integer(string="Calls of the Period", readonly=True, copy=False)
    call_count = fields.Integer(string="Calls Looked At", readonly=True, copy=False)
    change_count = fields.Integer(string="Calls That Change", readonly=True, copy=False)
    new_count = fields.Integer(string="New Calls", readonly=True, copy=False)
    gone_count = fields.Integer(string="No Calls After All", readonly=True, copy=False)
    final_count = fields.Integer(
        string="Final",
        readonly=True,
        copy=False,
        help="Calls whose events were deleted after their retention: nothing can be read again.",
    )
    progress = fields.Float(compute='_compute_progress', help="Share of the calls, in percent.")
    last_event_id = fields.Integer(readonly=True, copy=False)
    last_id = fields.Integer(readonly=True, copy=False)
    line_ids = fields.One2many('telephony.reprocess.line', 'reprocess_id', readonly=True)
    user_id = fields.Many2one(
        'res.users', string="Wanted By", readonly=True, default=lambda self: self.env.user
    )
    done_at = fields.Datetime(readonly=True, copy=False)

    @api.depends('account_id', 'first', 'last')
    def _compute_display_name(self):
        for period in self:
            period.display_name = f'{period.account_id.name}: {period.first} – {period.last}'

    @api.depends('state', 'call_count', 'all_count')
    def _compute_progress(self):
        for period in self:
            is_over = period.state in ('counted', 'done')
            period.progress = (
                100 if is_over else min(100 * period.call_count / (period.all_count or 1), 100)
            )

    @api.constrains('first', 'last')
    def _check_period(self):
        for period in self:
            if period.last < period.first:
                raise ValidationError(
                    self.env._("The period ends before it begins. Correct its dates.")
                )

    # === BUTTONS === #

    def action_count(self):
        """Look in the background what would change."""
        return self._begin('counting')

    def action_apply(self):
        """Read the calls again in the background."""
        return self._begin('running')

    def action_view_lines(self):
        self.ensure_one()
        return {
            **self.env['ir.actions.act_window']._for_xml_id(
                'crm_telephony.telephony_reprocess_line_action'
            ),
            'domain': [('reprocess_id', '=', self.id)],
            'name': self.display_name,
        }

    def _begin(self, state):
        self.check_access('write')
        for period in self:
            if state == 'running' and period.state != 'counted':
                continue
            period.line_ids.sudo().unlink()
            period.write(
                {
                    'state': state,
                    'all_count': self.env['telephony.call'].sudo().search_count(period._domain()),
                    **dict.fromkeys(
                        (
                            'call_count',
                            'change_count',
                            'new_count',
                            'gone_count',
                            'final_count',
                            'last_event_id',
                            'last_id',
                        ),
                        0,
                    ),
                }
            )
        self.env.ref('crm_telephony.ir_cron_reprocess').sudo()._trigger()
        return True

    # === WORKING OFF === #

    @api.model
    def _cron_reprocess(self):
        """Go on with the periods that wait, in batches. Commits."""
        for period in self.search([('state', 'in', ('counting', 'running'))], order='id'):
            while found := period._next_batch():
                begin = time.monotonic()
                period._look_at(*found)
                self.env.invalidate_all()
                if not self.env['ir.cron']._commit_progress(len(found[1]), remaining=1):
                    return
                if period.state == 'running':
                    time.sleep((time.monotonic() - begin) * (1 / SHARE - 1))
            period.write(
                {'state': 'counted'}
                if period.state == 'counting'
                else {'state': 'done', 'done_at': fields.Datetime.now()}
            )
            self.env['ir.cron']._commit_progress(remaining=0)

    def _bounds(self):
        """Return begin and end of the period in the company's zone (naive UTC)."""
        return Period(self.first, self.last).bounds(self.company_id._telephony_zone())

    def _domain(self):
        begin, end = self._bounds()
        return (
            Domain('account_id', '=', self.account_id.id)
            & Domain('start_at', '>=', begin)
            & Domain('start_at', '<', end)
            & Domain('id', '>', self.last_id)
        )

    def _next_batch(self):
        """Return the next events that were not understood, or else the next calls: a pair of both,
        None if nothing is left."""
        begin, end = self._bounds()
        failed = self.env['telephony.event'].search(
            [
                ('account_id', '=', self.account_id.id),
                ('state', '=', 'failed'),
                ('received_at', '>=', begin),
                ('received_at', '<', end),
                ('id', '>', self.last_event_id),
            ],
            limit=BATCH,
            order='id',
        )
        calls = self.env['telephony.call']
        if not failed:
            calls = calls.search(self._domain(), limit=BATCH, order='id')
        return (failed, calls) if failed or calls else None

    def _look_at(self, failed, calls):
        """Read a batch again, note what differs and, when it is applied, file it. Commits."""
        account, events = self.account_id, self.env['telephony.event']
        account._recall()
        refs = {call.external_id for call in calls if not call.is_sealed}
        own = failed | events._events_of(account, list(refs))
        again = self._again(own)
        # what the failed ones tell of belongs to the events of its call
        if new := {item.row.call_ref for item in again if item.row.call_ref} - refs:
            more = events._events_of(account, list(new)) - own
            again += self._again(more)
            own |= more
        read = self._read(again, own)
        known = {call.external_id: call for call in calls}
        known |= {call.external_id: call for call in account._calls_by_ref(set(read) - set(known))}
        lines = self._lines(read, known, _emptied(again))
        final = calls.filtered(lambda call: call.is_sealed or call.external_id not in read)
        values = {'call_count': len(calls), 'final_count': len(final)}
        if self.state == 'running':
            self._apply(again, [line for line in lines if not line['is_kept']])
        self._note(lines, values)
        self.write(
            {
                'last_event_id': failed.ids[-1] if failed else self.last_event_id,
                'last_id': calls.ids[-1] if calls else self.last_id,
            }
        )

    def _again(self, events):
        """Identify the PBX's events anew, nothing written yet."""
        found, model = [], self.env['telephony.event']
        for event in events.filtered(lambda event: event.kind not in OURS):
            payload = json.loads(event.payload)
            if request := WebhookRequest.from_payload(payload):
                rows = model._rows(self.account_id, request)
            else:
                rows = [model._row(self.account_id, payload)]
            found += [Again(event, row) for row in rows]
        return found

    def _read(self, again, own):
        """Return dict reference → CallRecord or None, as these events tell the calls now. Calls that
        fail, or of which an event is not understood any more, are left out: they stay as they are."""
        account, events = self.account_id, self.env['telephony.event']
        settings, provider = account._settings(), account._adapter()
        wanted = {item.row.call_ref for item in again if item.row.call_ref} - _unclear(again)
        if provider.shares_legs and wanted:
            others = {other for _ref, other, _leg in events._sharing(account, wanted)} - wanted
            again = again + self._again(events._events_of(account, list(others)))
        calls = in_calls(
            (item.identity, item.stored)
            for item in sorted(again, key=lambda item: item.event.id)
            if item.row.call_ref
        )
        lost = {event.call_ref for event in own if event.kind == LOST}
        read = {}
        for ref in wanted:
            more = [CallEvent(kind=LOST, external_id=ref)] if ref in lost else []
            try:
                read[ref] = read_call(provider, calls[ref], settings, more)[0]
            except Exception:
                _logger.exception(
                    "telephony account %s: call %s could not be read again and is left as it is.",
                    account.id,
                    ref,
                )
        return read

    def _lines(self, read, known, emptied):
        """Return what would change, as the values of lines.

        :param dict read: reference → CallRecord or None
        :param dict known: reference → call
        :param emptied: references whose events belong to other calls now
        """
        numbers, users = self.account_id._directory()[:2]
        lines = []
        for ref, record in read.items():
            call = known.get(ref)
            if call and call.is_sealed or not (call or record):
                continue
            if not record:
                lines.append(self._line(ref, 'gone', call, {}))
                continue
            values = self.env['telephony.call']._facts(self.account_id, record, numbers, users)
            if not call:
                change = {name: [False, as_json(values[name])] for name in OF_NEW}
                lines.append(self._line(ref, 'new', call, change))
            elif change := _changes(call, values, record):
                lines.append(self._line(ref, 'changed', call, change))
        lines += [
            self._line(ref, 'gone', known[ref], {})
            for ref in emptied
            if ref in known and not known[ref].is_sealed
        ]
        return lines

    def _line(self, ref, kind, call, change):
        return {
            'reprocess_id': self.id,
            'external_id': ref,
            'kind': kind,
            'call_id': call.id if call else False,
            'changes': change,
            # people have worked with it: it is not taken away
            'is_kept': kind == 'gone'
            and bool(call.note or call.disposition_id or call.match_state == 'manual'),
        }

    def _apply(self, again, lines):
        """Store what was identified anew, and file the calls that change. Commits."""
        refs = {line['external_id'] for line in lines}
        moved = self.env['telephony.event'].union(*(item.event for item in again if item.is_moved))
        for event in moved:
            event._reread()
        told = {item.row.call_ref for item in again}
        self.env['telephony.call'].browse(
            line['call_id'] for line in lines if line['kind'] == 'gone'
        ).filtered(lambda call: call.external_id not in told)._take_back()
        pending = self.env['telephony.event'].union(
            *(item.event for item in again if item.row.call_ref in refs)
        )
        (pending - moved).state = 'pending'
        self.env.flush_all()
        if pending or moved:
            self.account_id._file_pending()

    def _note(self, lines, counts):
        """Add lines, and these numbers with theirs to the counts."""
        if self.state == 'running':
            for line in lines:
                if line['kind'] == 'gone' and not line['is_kept']:
                    line['call_id'] = False
        listed = MOST_LINES - len(self.line_ids)
        self.line_ids.create(lines[: max(listed, 0)])
        kinds = Counter(line['kind'] for line in lines if not line['is_kept'])
        counts = {
            **counts,
            'change_count': kinds['changed'],
            'new_count': kinds['new'],
            'gone_count': kinds['gone'],
        }
        self.write({name: self[name] + count for name, count in counts.items()})


class TelephonyReprocessLine(models.Model):
    """What changes about one call."""

    _name = 'telephony.reprocess.line'
    _description = "Call that is read again"
    _order = 'id'

    reprocess_id = fields.Many2one(
        'telephony.reprocess', required=True, readonly=True, ondelete='cascade', index=True
    )
    company_id = fields.Many2one(related='reprocess_id.company_id', store=True)
    external_id = fields.Char(string="PBX Call ID", readonly=True)
    call_id = fields.Many2one(
        'telephony.call', string="Phone Call", readonly=True, ondelete='cascade', index=True
    )
    kind = fields.Selection(
        [('changed', "Changes"), ('new', "New"), ('gone', "No call after all")],
        required=True,
        readonly=True,
    )
    is_kept = fields.Boolean(
        string="Left Alone", readonly=True, help="Somebody has worked with this call, so it stays."
    )
    changes = fields.Json(readonly=True, help="Field → its value before and after.")
    change_text = fields.Char(string="Before and After", compute='_compute_change_text')
    start_at = fields.Datetime(related='call_id.start_at')
    who = fields.Char(related='call_id.who')

    @api.depends('changes')
    @api.depends_context('lang', 'tz')
    def _compute_change_text(self):
        for line in self:
            line.change_text = told_differences(self.env, line.changes)

    def action_open_call(self):
        self.ensure_one()
        return bool(self.call_id) and self.call_id._get_records_action()


def _unclear(again):
    """Return the calls of which an event was understood before and is not now."""
    return {item.event.call_ref for item in again if item.row.state == 'failed'} - {False}


def _emptied(again):
    """Return the references whose events all belong to other calls now, or to none."""
    before, now = ({item.event.call_ref for item in again}, {item.row.call_ref for item in again})
    return before - now - _unclear(again) - {False}


def _changes(call, values, record):
    """Return what filing would change: dict field → [before, after]."""
    found = {
        name: [as_json(call._fields[name].convert_to_write(call[name], call)), as_json(value)]
        for name, value in changes(call, values).items()
    }
    before = sorted(call.leg_ids.mapped('extension'))
    if before != (after := sorted(leg.extension for leg in record.legs)):
        found['leg_ids'] = [', '.join(before), ', '.join(after)]
    count = len(call.recording_ids)
    if len(record.recordings) > count:
        found['recording_ids'] = [count, len(record.recordings)]
    return found
