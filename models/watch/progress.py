from datetime import timedelta

from odoo import api, fields, models
from odoo.tools import format_datetime

from ...providers.numbers import pretty
from ...tools.clocks import clock
from ...tools.records import label_of
from ..core.words_field import told
from .verdict import LONGEST, minutes_off

# Where an administrator mends what is missing: cause → what the button opens. The others: nothing.
PLACES = {
    'failed': 'events',
    'ignored': 'events',
    'recording_late': 'call',
    'recording_failed': 'call',
    'no_callback': 'call',
    **dict.fromkeys(
        (
            *('nothing', 'unreachable', 'refused', 'unread', 'called_unknown', 'direction'),
            *('no_time', 'clock', 'no_end', 'no_talk', 'no_outcome', 'no_phone', 'no_user'),
            *('no_card_user', 'recording_off', 'no_recording', 'recording_host', 'no_activity'),
        ),
        'account',
    ),
}


class TelephonyTestCall(models.Model):
    """A test in words: what its page and its form show."""

    _inherit = 'telephony.test.call'

    lines = fields.Json(compute='_compute_lines')
    missing = fields.Char(compute='_compute_lines', help="The facts that have not come.")

    @api.model
    def get_test_choices(self):
        """Return what can be tested: list of {id, name, note, numbers: [{id, name}]} of each PBX.

        :raise AccessError: the user does not administer telephony
        """
        self._check_tester()
        accounts = self.env['telephony.account'].search(
            [('company_id', 'in', self.env.companies.ids)]
        )
        return [
            {
                'id': account.id,
                'name': account.name,
                'note': account.test_note or '',
                'numbers': [
                    {'id': number.id, 'name': number.display_name} for number in account.number_ids
                ],
            }
            for account in accounts
        ]

    def get_progress(self):
        """Look at the test, and return what the screen shows of it.

        :return: dict of plain values; `lines` see :meth:`_lines`, `next_seconds`: when the screen has
            to ask again because the time of a fact has run out, None if never
        :raise AccessError: the user does not administer telephony
        """
        self.ensure_one()
        self._check_tester()
        self.check_access('read')
        test, now = self.sudo(), fields.Datetime.now()
        findings = test._look(now) if test.state == 'waiting' else test._kept()
        dues = [finding.due for finding in findings.values() if finding.due]
        dues.append(test.begun_at + timedelta(seconds=LONGEST))
        call = test.call_id
        return {
            'id': self.id,
            'state': test.state,
            'state_label': label_of(self, 'state'),
            'account_id': test.account_id.id,
            'account': test.account_id.name,
            'number_id': test.number_id.id,
            'number': pretty(test.number_id.name or ''),
            'phone': pretty(test.phone or ''),
            'is_missed': test.is_missed,
            'seconds': max(int((now - test.begun_at).total_seconds()), 0),
            'call_id': call.id,
            'who': call.customer_name or call.who or '' if call else '',
            'found_by': label_of(self, 'found_by') if call and test.found_by else '',
            'is_sure': test.found_by == 'phone',
            'lines': test._lines(findings),
            'next_seconds': max((min(dues) - now).total_seconds(), 0) + 1
            if test.state == 'waiting'
            else None,
        }

    @api.depends('findings', 'call_id')
    @api.depends_context('lang', 'tz')
    def _compute_lines(self):
        labels = self._fact_labels()
        for test in self:
            findings = test.sudo()._kept()
            test.lines = test._lines(findings)
            test.missing = ', '.join(
                labels[fact] for fact, finding in findings.items() if finding.state == 'missing'
            )

    def _fact_labels(self):
        _ = self.env._
        return {
            'arrival': _("Event of the PBX"),
            'caller': _("Who calls"),
            'called': _("Called number"),
            'direction': _("Direction"),
            'times': _("Start and end"),
            'talk': _("Talk time"),
            'outcome': _("Outcome"),
            'who': _("Who answered"),
            'card': _("Card on the screen"),
            'match': _("Contact"),
            'recording': _("Recording"),
            'callback': _("Callback"),
            'activity': _("Its activity"),
        }

    def _lines(self, findings):
        """Return one line for each fact: {fact, label, state, value, after, text, place}, where
        `after` is seconds since the begin, `text` what to do, and `place` what a button opens."""
        test, labels = self.sudo(), self._fact_labels()
        kept, values = test.findings or {}, test._values()
        advised = {finding.cause for finding in findings.values()} - {''}
        reasons = test._reasons(advised) if advised else {}
        adapter = test.account_id._adapter()
        return [
            {
                'fact': fact,
                'label': labels[fact],
                'state': finding.state,
                'value': values.get(fact, ''),
                'after': kept[fact]['after'] if finding.state == 'seen' else None,
                'text': finding.cause and self.env._(adapter.advise(finding.cause), **reasons),
                'place': PLACES.get(finding.cause, ''),
            }
            for fact, finding in findings.items()
        ]

    def _values(self):
        """Return what the call says of each fact, in the reader's words (sudo)."""
        call = self.call_id
        if not call:
            return {}
        callback = self._callback_of(call)
        return {
            'caller': pretty(call.customer_number or call.caller_number or ''),
            'called': ' · '.join(
                filter(None, (pretty(call.called_number or ''), call.number_id.label))
            ),
            'direction': label_of(call, 'direction'),
            'times': self._spell_times(call),
            'talk': clock(call.talk_seconds) if call.state == 'ended' else '',
            'outcome': label_of(call, 'outcome'),
            'who': self._spell_who(call),
            'card': ', '.join(self.card_user_ids.mapped('name')),
            'match': call.customer_name or '',
            'recording': self._spell_recording(call),
            'callback': callback
            and self.env._(
                "%(user)s, until %(time)s",
                user=callback.user_id.name or self.env._("nobody's"),
                time=format_datetime(self.env, callback.due_at, dt_format='short'),
            )
            or '',
            'activity': callback.activity_id.summary or '',
        }

    def _spell_times(self, call):
        return ' – '.join(
            format_datetime(self.env, moment, dt_format='HH:mm:ss')
            for moment in (call.start_at, call.ended_at)
            if moment
        )

    def _spell_who(self, call):
        if call.extension or call.user_id:
            return ' '.join(filter(None, (call.extension, call.user_id.name)))
        phones = ', '.join(
            ' '.join(filter(None, (leg.extension, leg.user_id.name))) for leg in call.leg_ids
        )
        if call.state != 'ended':
            return phones and self.env._("rings: %(phones)s", phones=phones)
        return (
            self.env._("nobody; these rang: %(phones)s", phones=phones)
            if phones
            else self.env._("nobody")
        )

    def _spell_recording(self, call):
        """Return how long after the end of the call its recording could be heard."""
        kept = (self.findings or {}).get('recording', {})
        if kept.get('state') != 'seen' or not call.ended_at:
            return ''
        heard_at = self.begun_at + timedelta(seconds=kept['after'])
        seconds = max(int((heard_at - call.ended_at).total_seconds()), 0)
        return self.env._("%(seconds)s s after the end", seconds=seconds)

    def _reasons(self, causes):
        """Return the values that advice may name, see providers/advice.py (sudo)."""
        account, call = self.account_id, self.call_id or self._calls_since()[:1]
        heard_at, start_at = self._heard_at(call).get(call), call and self._told_start(call)
        minutes = minutes_off(start_at, heard_at) if heard_at and start_at else 0
        return {
            'pbx': account.name,
            'number': pretty(self.number_id.name or ''),
            'caller': pretty(call.caller_number or ''),
            'called': pretty(call.called_number or ''),
            'direction': label_of(call, 'direction'),
            'outcome': label_of(call, 'outcome'),
            'extension': call.extension or '',
            'user': ', '.join(self._those_rung(call).mapped('name')),
            'hours': f'{minutes / 60:+.4g}',
            'zone': account.timezone,
            'host': self._foreign_host(call),
            'reason': self._reason(causes),
        }

    def _reason(self, causes):
        """Return the sentence that somebody else has said about what is missing."""
        account, reason = self.account_id, ''
        if 'refused' in causes:
            reason = account.refused_reason
        elif 'unreachable' in causes:
            reason = account.webhook_warning
        elif states := causes & {'failed', 'ignored'}:
            reason = self._events_since().filtered(lambda event: event.state in states)[:1].error
        elif 'recording_failed' in causes:
            reason = self.call_id.recording_ids.filtered('error')[:1].error
        return told(self.env, reason) if reason else ''
