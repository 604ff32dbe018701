import logging
from datetime import datetime, timedelta
from typing import NamedTuple

from odoo import api, fields, models
from odoo.exceptions import AccessError
from odoo.fields import Domain

from ...tools import turns
from ...tools.words import _lt
from ..core.words_field import WordsField, told
from .alarm_kinds import CODES, KINDS

_logger = logging.getLogger(__name__)

CRON = 'crm_telephony.ir_cron_watch'
# What is looked at in each round, and what it finds. A look that fails changes nothing about what it
# has found before.
LOOKS = {
    '_find_refused': ('refused', 'refused_some', 'no_events'),
    '_find_in_inbox': ('failed_events', 'pending_events'),
    '_find_at_bridge': ('bridge_silent', 'bridge_deaf', 'bridge_spools', 'bridge_restarts'),
    '_find_silence': ('pbx_silent', 'line_silent'),
    '_find_unmapped': ('unmapped_extension', 'unmapped_number'),
    '_find_clock': ('clock', 'zone'),
    '_find_in_calls': ('ends_missing', 'follow_up'),
    '_find_in_recordings': ('recordings_lost', 'recordings_missing'),
    '_find_at_api': ('api_refused', 'api_down', 'balance_low', 'history_late'),
    '_find_crons': ('cron', 'cron_vital'),
    '_find_address': ('address', 'base_url'),
    '_find_disk': ('disk',),
}
# The key of an alarm of which a PBX can have only one.
ONLY = '-'
# What comes back so soon (after it was over) was never over: nobody is told again.
FLUTTER = timedelta(hours=1)
# The watch runs each five minutes. After a longer gap nobody has watched.
GAP = timedelta(minutes=30)
# So long alarms are kept when they are over (days).
KEPT_DAYS = 365


class Finding(NamedTuple):
    """What is wrong now.

    :ivar account: telephony.account; empty if it concerns the whole database
    :ivar text: a fact. It may change while the alarm stays the same
    :ivar key: which one, of several of a kind at a PBX
    :ivar since: naive UTC, None if it is not known
    :ivar is_cause: the PBX and its numbers are silent because of it
    """

    code: str
    account: models.BaseModel
    text: str
    key: str = ONLY
    since: datetime | None = None
    extension: str = ''
    called: str = ''
    is_cause: bool = False


def without_consequences(found):
    """Return the findings without those that another one explains: a PBX whose deliveries are refused
    is silent, and so are its numbers."""
    explained = {finding.account for finding in found if finding.is_cause}
    silent = explained | {finding.account for finding in found if finding.code == 'pbx_silent'}
    return [
        finding
        for finding in found
        if not (finding.code == 'pbx_silent' and finding.account in explained)
        and not (finding.code == 'line_silent' and finding.account in silent)
    ]


class TelephonyAlarm(models.Model):
    """Something that is wrong, from when it was found until it was over: one row, however often it is
    found again. A scheduled action looks each five minutes; nobody has to close an alarm."""

    _name = 'telephony.alarm'
    _description = "Telephony alarm"
    _order = 'until desc, is_losing desc, since desc, id desc'
    _rec_name = 'code'

    code = fields.Selection(CODES, string="Alarm", required=True, readonly=True)
    is_losing = fields.Boolean(
        string="Loses Calls",
        readonly=True,
        help="Calls, or callbacks of them, are lost while it lasts. Administrators get an activity and an e-mail.",
    )
    account_id = fields.Many2one(
        'telephony.account', string="PBX", readonly=True, ondelete='cascade', index=True
    )
    company_id = fields.Many2one(
        related='account_id.company_id', store=True, precompute=True, readonly=True
    )
    key = fields.Char(readonly=True)
    text = WordsField(string="What Is Wrong", readonly=True)
    advice = fields.Char(string="What to Do", compute='_compute_advice')
    since = fields.Datetime(required=True, readonly=True)
    until = fields.Datetime(string="Over", readonly=True)
    extension = fields.Char(readonly=True)
    called = fields.Char(readonly=True)
    state = fields.Selection(
        [('open', "Open"), ('known', "Known"), ('over', "Over")],
        required=True,
        readonly=True,
        default='open',
        help="Known: an administrator has said that it is all right or taken care of. It is no longer shown, and closes by "
        "itself.",
    )
    can_map = fields.Boolean(compute='_compute_can_map')

    _open_uniq = models.UniqueIndex(
        "(COALESCE(account_id, 0), code, key) WHERE state != 'over'", "This alarm is open already."
    )

    # === COMPUTES === #

    @api.depends('code')
    @api.depends_context('lang')
    def _compute_advice(self):
        for alarm in self:
            alarm.advice = told(self.env, KINDS[alarm.code].advice) if alarm.code in KINDS else ''

    @api.depends('code', 'state')
    def _compute_can_map(self):
        for alarm in self:
            alarm.can_map = alarm.state != 'over' and alarm.code.startswith('unmapped')

    @api.depends('text')
    @api.depends_context('lang', 'tz')
    def _compute_display_name(self):
        for alarm in self:
            alarm.display_name = alarm.text or alarm.code

    # === ACTIONS === #

    def action_known(self):
        """Say that these alarms are all right or taken care of: they are no longer shown."""
        self._check_administrator()
        known = self.sudo().filtered(lambda alarm: alarm.state == 'open')
        known.state = 'known'
        known._take_back()
        known._accept_addresses()
        return True

    def action_not_known(self):
        """Show these alarms again."""
        self._check_administrator()
        self.sudo().filtered(lambda alarm: alarm.state == 'known').state = 'open'
        return True

    def action_map(self):
        """Open a form that enters the phone or number of this alarm."""
        self.ensure_one()
        self._check_administrator()
        is_phone = self.code == 'unmapped_extension'
        return {
            'type': 'ir.actions.act_window',
            'name': self.env._("Map It"),
            'res_model': 'telephony.extension' if is_phone else 'telephony.number',
            'views': [(False, 'form')],
            'target': 'new',
            'context': {
                'default_account_id': self.account_id.id,
                **(
                    {'default_number': self.extension}
                    if is_phone
                    else {'default_name': self.called}
                ),
            },
        }

    def action_open(self):
        """Open what the alarm is about: the failed events, the recordings, else the PBX."""
        self.ensure_one()
        if self.code in ('failed_events', 'pending_events'):
            return self.account_id.action_view_events()
        if self.code.startswith('recordings'):
            return self.account_id.action_view_recordings()
        return self.account_id._get_records_action()

    def _check_administrator(self):
        """:raise AccessError: the user is no telephony administrator, or may not read the alarms"""
        self.check_access('read')
        if not self.env.user.has_group('crm_telephony.group_admin'):
            raise AccessError(self.env._("Only telephony administrators can answer alarms."))

    # === THE ROUND === #

    @api.model
    def _cron_watch(self):
        """Look at everything once, and open and close alarms."""
        with turns.gives_way(self.env):
            self._note_gap()
            opened, over = self._settle(*self._look())
            opened._tell()
            over._take_back()

    @api.model
    def _look(self):
        """Return what is wrong now, and the codes of those kinds that were looked for."""
        accounts = self.env['telephony.account'].search([])
        found, looked = [], set()
        for look, codes in LOOKS.items():
            with turns.isolated(
                self.env.cr,
                _logger,
                "the telephony watch could not look for %s; what it found before stays. The next round tries again.",
                ', '.join(codes),
            ) as trial:
                findings = getattr(self, look)(accounts)
            if not trial.error:
                found += findings
                looked.update(codes)
        return without_consequences(found), looked

    @api.model
    def _settle(self, found, looked):
        """Write the difference between what is wrong now and the alarms that are open.

        :return: the alarms that are new, and those that are over
        """
        now = fields.Datetime.now()
        lasting = self.search([('state', '!=', 'over'), ('code', 'in', list(looked))])
        by_key = {(alarm.account_id.id, alarm.code, alarm.key): alarm for alarm in lasting}
        opened = still = self.browse()
        for finding in found:
            alarm = by_key.get((finding.account.id, finding.code, finding.key))
            if alarm:
                alarm._reword(finding.text)
                still |= alarm
                continue
            alarm, is_new = self._open(finding, now)
            still |= alarm
            opened |= alarm if is_new else self.browse()
            by_key[finding.account.id, finding.code, finding.key] = alarm
        over = lasting - still
        over.write({'state': 'over', 'until': now})
        return opened, over

    def _reword(self, text):
        """Write what is wrong, if it has changed."""
        if self._fields['text'].differs(self, text):
            self.text = text

    @api.model
    def _open(self, finding, now):
        """Return the alarm of a finding, and whether it is new: one that was over just now goes on."""
        lately = self.search(
            [
                ('account_id', '=', finding.account.id),
                ('code', '=', finding.code),
                ('key', '=', finding.key),
                ('until', '>', now - FLUTTER),
            ],
            limit=1,
            order='until desc',
        )
        if lately:
            lately.write({'state': 'open', 'until': False, 'text': finding.text})
            return lately, False
        values = {
            'code': finding.code,
            'is_losing': KINDS[finding.code].loses,
            'account_id': finding.account.id,
            'key': finding.key,
            'text': finding.text,
            'since': finding.since or now,
            'extension': finding.extension,
            'called': finding.called,
        }
        return self.create(values), True

    # === WHO WATCHES THE WATCH === #

    @api.model
    def _watched_at(self):
        """Return when the watch ran last (naive UTC), False if never."""
        cron = self.env.ref(CRON, raise_if_not_found=False)
        return cron.sudo().lastcall if cron else False

    @api.model
    def _note_gap(self):
        """Note that nobody has watched, after a gap. Silence counts only while somebody watches: after
        a standstill of the server, or when its clock was put forward, events have to come first."""
        now, last = fields.Datetime.now(), self._watched_at()
        if last and now - last > GAP:
            self.create(
                {
                    'code': 'unwatched',
                    'is_losing': KINDS['unwatched'].loses,
                    'key': ONLY,
                    'text': _lt(
                        "Nobody watched from %(since)s to %(until)s", since=last, until=now
                    ),
                    'since': last,
                    'until': now,
                    'state': 'over',
                }
            )

    @api.model
    def _watched_since(self):
        """Return since when the watch has run without a gap (naive UTC)."""
        gap = self.search([('code', '=', 'unwatched')], limit=1, order='until desc')
        return gap.until or datetime.min

    @api.autovacuum
    def _gc_alarms(self):
        """Delete alarms that were over long ago."""
        past = fields.Datetime.now() - timedelta(days=KEPT_DAYS)
        old = self.search(Domain('until', '<', past), limit=1000)
        old.unlink()
        return len(old), len(old) == 1000
