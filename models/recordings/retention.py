import hashlib
import logging
from typing import NamedTuple

import pytz

from odoo import api, fields, models, tools
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import SQL

from ...tools import turns
from ...tools.words import _lt
from ..calls.call import OUTCOMES
from ..calls.recording import GONE

_logger = logging.getLogger(__name__)

CRON = 'crm_telephony.ir_cron_retain'
# So many recordings may fall due at once in a company, or this share (per cent) of all it has. More
# looks like a rule that says something else than was meant, and waits for a person.
BRAKE_COUNT, BRAKE_PERCENT = 500, 10
# So many of the recordings that a dry run has counted are listed.
MOST_LISTED = 10_000


class Cases(NamedTuple):
    """The rules of a company, in their order. `rule` is the SQL expression of the first one that fits
    a call, an id or NULL; `fingerprint` tells these rules from any others."""

    ids: tuple[int, ...]
    rule: SQL
    fingerprint: str


class TelephonyRetentionRule(models.Model):
    """Says how long recordings of some calls are kept.

    The first rule that fits counts; what no rule fits is kept for ever. Deciding is one statement
    (:meth:`_judged`), which the dry run, the dates on recordings and the deleting share, so that
    what was shown is what happens.
    """

    _name = 'telephony.retention.rule'
    _description = "Retention rule"
    _inherit = ['telephony.settings.mixin', 'mail.thread', 'mail.activity.mixin']
    _order = 'sequence, id'

    name = fields.Char(required=True, tracking=True)
    active = fields.Boolean(default=True, tracking=True)
    sequence = fields.Integer(default=10)
    company_id = fields.Many2one(
        'res.company', help="Empty: for every company.", default=lambda self: self.env.company
    )
    account_ids = fields.Many2many('telephony.account', string="PBXs")
    team_ids = fields.Many2many(
        'crm.team', string="Sales Teams", help="Teams of the deal, or else of the company's number."
    )
    number_ids = fields.Many2many('telephony.number', string="Company Numbers")
    outcome_answered = fields.Boolean(string="Answered")
    outcome_no_answer = fields.Boolean(string="No answer")
    outcome_busy = fields.Boolean(string="Busy")
    outcome_failed = fields.Boolean(string="Failed")
    outcome_voicemail = fields.Boolean(string="Voicemail")
    outcome_missed = fields.Boolean(string="Missed")
    outcome_abandoned = fields.Boolean(string="Abandoned")
    direction = fields.Selection(
        [('inbound', "Inbound"), ('outbound', "Outbound"), ('internal', "Internal")],
        help="Empty: any.",
    )
    only_short = fields.Boolean(
        string="Only Short Talks", help="Talks below the company's threshold for a short talk."
    )
    max_talk_seconds = fields.Integer(string="Talked at Most (s)", help="0: however long.")
    keep_audio_days = fields.Integer(
        string="Keep the Sound (days)",
        tracking=True,
        help="From the day after the call, in the company's time zone. Links to the PBX's recordings are deleted too. "
        "0: for ever.",
    )
    keep_text_days = fields.Integer(
        string="Keep the Text (days)",
        tracking=True,
        help="The text may be kept longer than the sound, or shorter. 0: for ever.",
    )
    pbx_copy = fields.Selection(
        [('keep', "Leave it"), ('delete', "Delete it too")],
        string="The PBX's Own Copy",
        required=True,
        default='keep',
        tracking=True,
    )
    retention_state = fields.Selection(
        [('off', "Off"), ('changed', "Off: changed since the dry run"), ('on', "On")],
        string="Deletes",
        compute='_compute_retention_state',
        help="Recordings are deleted only by rules that a dry run has shown. A changed rule waits for the next one.",
    )

    _days_positive = models.Constraint(
        'CHECK (keep_audio_days >= 0 AND keep_text_days >= 0 AND max_talk_seconds >= 0)',
        "Days and seconds are 0 or more.",
    )

    @api.depends_context('company')
    def _compute_retention_state(self):
        for rule in self:
            rule.retention_state = (rule.company_id or self.env.company)._telephony_retention()

    # === DECIDING === #

    @api.model
    def _of(self, company):
        """Return the rules of a company, in their order."""
        return self.search(Domain('company_id', 'in', [False, company.id]))

    @api.model
    @tools.ormcache('company_id')
    def _cases(self, company_id):
        """Return the :class:`Cases` of a company."""
        rules = self.sudo().with_context(active_test=True)
        rules = rules._of(self.env['res.company'].browse(company_id))
        cases = SQL(" ").join(SQL("WHEN %s THEN %s", rule._condition(), rule.id) for rule in rules)
        periods = [(rule.keep_audio_days, rule.keep_text_days, rule.pbx_copy) for rule in rules]
        told = repr((cases.code, cases.params, periods))
        return Cases(
            rules._ids,
            SQL("CASE %s END", cases) if rules else SQL("NULL::integer"),
            hashlib.sha256(told.encode()).hexdigest(),
        )

    def _condition(self):
        """Return the SQL condition that this rule fits `call`, with `lead` and `number`."""
        self.ensure_one()
        outcomes = tuple(key for key, _label in OUTCOMES if self[f'outcome_{key}'])
        conditions = [
            SQL(condition, value)
            for condition, value in (
                ("call.account_id IN %s", tuple(self.account_ids.ids)),
                ("call.number_id IN %s", tuple(self.number_ids.ids)),
                ("COALESCE(lead.team_id, number.team_id) IN %s", tuple(self.team_ids.ids)),
                ("call.outcome IN %s", outcomes),
                ("call.direction = %s", self.direction),
                ("call.is_short = %s", self.only_short),
                ("COALESCE(call.talk_seconds, 0) <= %s", self.max_talk_seconds),
            )
            if value
        ]
        return SQL(" AND ").join(conditions) if conditions else SQL("TRUE")

    @api.model
    def _judged(self, company, which=None):
        """Return the statement that says of recordings of a company which rule fits and what follows:
        rows of id, rule_id, delete_after and text_delete_after.

        :param SQL which: a condition on `recording`; None for all
        """
        self._flush_what_is_judged()
        return SQL(
            """ SELECT recording.id, rule.id AS rule_id,
                       CASE WHEN recording.state NOT IN %(gone)s THEN
                           told.day + NULLIF(rule.keep_audio_days, 0) END AS delete_after,
                       CASE WHEN recording.transcript IS NOT NULL OR recording.state NOT IN %(gone)s THEN
                           told.day + NULLIF(rule.keep_text_days, 0) END AS text_delete_after
                  FROM telephony_recording AS recording
                  JOIN telephony_call AS call ON call.id = recording.call_id
             LEFT JOIN crm_lead AS lead ON lead.id = call.lead_id
             LEFT JOIN telephony_number AS number ON number.id = call.number_id
            CROSS JOIN LATERAL (
                       SELECT (COALESCE(call.ended_at, call.start_at, recording.create_date)
                                AT TIME ZONE 'UTC' AT TIME ZONE %(zone)s)::date AS day,
                              %(rule)s AS rule_id
                       ) AS told
             LEFT JOIN telephony_retention_rule AS rule ON rule.id = told.rule_id
                 WHERE recording.company_id = %(company)s
                   AND (recording.state NOT IN %(gone)s OR recording.transcript IS NOT NULL)
                   AND %(which)s """,
            gone=GONE,
            zone=company._telephony_zone().zone,
            rule=self._cases(company.id).rule,
            company=company.id,
            which=which or SQL("TRUE"),
        )

    @api.model
    def _flush_what_is_judged(self):
        for model in ('telephony.recording', 'telephony.call', 'telephony.retention.rule'):
            self.env[model].flush_model()
        self.env['crm.lead'].flush_model(['team_id'])
        self.env['telephony.number'].flush_model(['team_id'])

    @api.model
    def _date(self, company, which=None):
        """Write on recordings of a company by which rule they are deleted, and when.

        :param SQL which: a condition on `recording`; None for all
        """
        rows = self.env.execute_query(
            SQL(
                """ UPDATE telephony_recording AS recording
                       SET delete_after = judged.delete_after, text_delete_after = judged.text_delete_after,
                           retention_rule_id = CASE WHEN recording.state IN %s THEN recording.retention_rule_id
                                                    ELSE judged.rule_id END
                      FROM (%s) AS judged
                     WHERE judged.id = recording.id AND %s
                 RETURNING recording.id """,
                GONE,
                self._judged(company, which),
                self._is_moved(),
            )
        )
        self.env['telephony.recording'].browse([row[0] for row in rows]).invalidate_recordset(
            ['retention_rule_id', 'delete_after', 'text_delete_after'], flush=False
        )

    @api.model
    def _is_moved(self):
        """Return the SQL condition that `recording` has other dates than `judged`. The rule of what is
        deleted already stays."""
        return SQL(
            """ ((recording.delete_after, recording.text_delete_after) IS DISTINCT FROM
                 (judged.delete_after, judged.text_delete_after)
                 OR recording.state NOT IN %s AND recording.retention_rule_id IS DISTINCT FROM judged.rule_id) """,
            GONE,
        )

    @api.model
    def _totals(self, company):
        """Return what the present rules would do tonight: a list of dicts with `rule_id` (None: kept for
        ever), how many recordings there are (`present`), how many are `due`, their `seconds` and
        `bytes` and the `oldest` call (naive UTC), how many more would be due if they were not `held`,
        how many `texts` are due, and of how many the dates would be others than they are now
        (`moved`)."""
        cr = self.env.cr
        cr.execute(
            SQL(
                """ SELECT judged.rule_id,
                           COUNT(*) FILTER (WHERE is_present) AS present,
                           COUNT(*) FILTER (WHERE is_due AND NOT is_held) AS due,
                           COALESCE(SUM(duration) FILTER (WHERE is_due AND NOT is_held), 0) AS seconds,
                           COALESCE(SUM(size) FILTER (WHERE is_due AND NOT is_held), 0) AS bytes,
                           MIN(start_at) FILTER (WHERE is_due AND NOT is_held) AS oldest,
                           COUNT(*) FILTER (WHERE is_due AND is_held) AS held,
                           COUNT(*) FILTER (WHERE is_text_due AND NOT is_held) AS texts,
                           COUNT(*) FILTER (WHERE is_moved) AS moved
                      FROM (
                           SELECT judged.rule_id, recording.duration, recording.size, call.start_at,
                                  recording.is_held IS TRUE AS is_held,
                                  recording.state NOT IN %(gone)s AS is_present,
                                  COALESCE(judged.delete_after < %(today)s, FALSE) AS is_due,
                                  COALESCE(judged.text_delete_after < %(today)s, FALSE)
                                  AND recording.transcript IS NOT NULL AS is_text_due,
                                  %(moved)s AS is_moved
                             FROM (%(judged)s) AS judged
                             JOIN telephony_recording AS recording ON recording.id = judged.id
                             JOIN telephony_call AS call ON call.id = recording.call_id
                           ) AS judged
                  GROUP BY judged.rule_id """,
                moved=self._is_moved(),
                judged=self._judged(company),
                today=company._telephony_today(),
                gone=GONE,
            )
        )
        return cr.dictfetchall()

    def _due_ids(self, company):
        """Return the ids of the recordings that this rule would delete tonight, at most MOST_LISTED."""
        rows = self.env.execute_query(
            SQL(
                """ SELECT recording.id FROM (%s) AS judged
                      JOIN telephony_recording AS recording ON recording.id = judged.id
                     WHERE judged.rule_id = %s AND judged.delete_after < %s AND recording.is_held IS NOT TRUE
                  ORDER BY recording.id LIMIT %s """,
                self._judged(company),
                self.id,
                company._telephony_today(),
                MOST_LISTED,
            )
        )
        return [row[0] for row in rows]


class ResCompany(models.Model):
    _inherit = 'res.company'

    telephony_retention_rules = fields.Char(
        readonly=True,
        copy=False,
        groups=fields.NO_ACCESS,
        help="Fingerprint of the rules that may delete: those of the dry run after which retention was switched on.",
    )
    telephony_retention_allowed = fields.Integer(
        readonly=True,
        copy=False,
        groups=fields.NO_ACCESS,
        help="So many recordings may be deleted at once, because a person has seen how many they are.",
    )

    def _telephony_retention(self):
        """Return whether rules delete recordings of the company: `on`, `off`, or `changed` since the
        dry run."""
        seen = self.sudo().telephony_retention_rules
        present = self.env['telephony.retention.rule']._cases(self.id).fingerprint
        return ('on' if seen == present else 'changed') if seen else 'off'

    def _telephony_today(self):
        """Return the day that it is in the company's time zone."""
        now = pytz.utc.localize(fields.Datetime.now())
        return now.astimezone(self._telephony_zone()).date()

    def _telephony_keepers(self):
        """Return who is asked about keeping and deleting: the company's users who may do it."""
        group = self.env.ref('crm_telephony.group_privacy').sudo()
        return group.all_user_ids.filtered(
            lambda user: user.active and not user.share and self in user.company_ids
        )

    def _telephony_switch_retention(self, fingerprint, allowed=0):
        """Let the rules with this fingerprint delete, and put their dates on the recordings; False
        lets none.

        :param int allowed: so many recordings may be deleted at once, however many are usual
        :raise UserError: the rules are others by now
        """
        rules = self.env['telephony.retention.rule'].sudo()
        if fingerprint:
            if fingerprint != rules._cases(self.id).fingerprint:
                raise UserError(
                    self.env._("The rules have changed since this dry run. Start it again.")
                )
            rules._date(self)
            turns.wake_cron(self.env, CRON, [fields.Datetime.now()])
        self.sudo().write(
            {'telephony_retention_rules': fingerprint, 'telephony_retention_allowed': allowed}
        )
        rules._of(self).activity_unlink(['mail.mail_activity_data_todo'])


class TelephonyRecording(models.Model):
    """Deletes the recordings whose time has come."""

    _inherit = 'telephony.recording'

    text_delete_after = fields.Date(string="Text Is Deleted After", readonly=True, copy=False)
    retention_rule_id = fields.Many2one(
        'telephony.retention.rule',
        string="Kept by the Rule",
        readonly=True,
        copy=False,
        index='btree_not_null',
        ondelete='set null',
    )

    _delete_after_idx = models.Index("(company_id, delete_after) WHERE delete_after IS NOT NULL")
    _text_delete_after_idx = models.Index(
        "(company_id, text_delete_after) WHERE text_delete_after IS NOT NULL"
    )

    def _after_stored(self):
        """Put the date on the recording at once; without rules this costs nothing."""
        super()._after_stored()
        rules = self.env['telephony.retention.rule']
        if rules._cases(self.company_id.id).ids:
            rules._date(self.company_id, SQL("recording.id = %s", self.id))

    # === THE NIGHT === #

    @api.model
    def _cron_retain(self):
        """Mark what is held, put the dates of the present rules on recordings, and delete what is due,
        company by company. Rules that have changed since the dry run wait."""
        holds, rules = self.env['telephony.hold'], self.env['telephony.retention.rule']
        companies = self.env['res.company'].search([])
        with turns.gives_way(self.env, CRON):
            holds._remind()
            holds._mark(companies)
            for company in companies:
                if company._telephony_retention() != 'changed':
                    rules._date(company)
            self.env['ir.cron']._commit_progress()
            for company in companies:
                if company._telephony_retention() == 'on' and not self._retain(company):
                    return

    @api.model
    def _due(self, company, field='delete_after'):
        """Return which recordings of a company are due, as a domain.

        :param str field: `delete_after`, or `text_delete_after` for the text
        """
        what = (
            Domain('state', 'not in', GONE)
            if field == 'delete_after'
            else Domain('transcript', '!=', False)
        )
        return (
            Domain('company_id', '=', company.id)
            & Domain(field, '<', company._telephony_today())
            & Domain('is_held', '=', False)
            & what
        )

    @api.model
    def _most_at_once(self, company):
        """Return how many recordings of a company may be deleted without asking."""
        present = self.search_count(
            Domain('company_id', '=', company.id) & Domain('state', 'not in', GONE)
        )
        return max(
            BRAKE_COUNT, present * BRAKE_PERCENT // 100, company.sudo().telephony_retention_allowed
        )

    @api.model
    def _retain(self, company):
        """Delete what is due in a company, or ask, if it is more than usual.

        :return: whether there is time left for another company
        """
        due = self._due(company)
        count = self.search_count(due)
        if count > self._most_at_once(company):
            self._ask_keepers(company, count)
            return bool(self.env['ir.cron']._commit_progress())
        done = self._in_batches(due, count, lambda recordings: recordings._let_go())
        text = self._due(company, 'text_delete_after')
        done = done and self._in_batches(
            text,
            self.search_count(text),
            lambda recordings: (recordings - recordings._on_kept_back())._delete_text(),
        )
        if done:
            company.sudo().telephony_retention_allowed = 0
        return done

    @api.model
    def _in_batches(self, domain, count, work, batch_size=100):
        """Do something with the recordings of a domain; one that fails stops no other.

        :return: whether there is time left
        """
        last = 0
        while recordings := self.search(
            domain & Domain('id', '>', last), limit=batch_size, order='id'
        ):
            last, count = recordings[-1].id, max(count - len(recordings), 0)
            with turns.isolated(self.env.cr) as trial:
                work(recordings)
            if trial.error:  # find the one that is bad
                for recording in recordings:
                    with turns.isolated(
                        self.env.cr,
                        _logger,
                        "recording %s is due but could not be deleted; tried again tomorrow",
                        recording.id,
                    ):
                        work(recording)
            if not self.env['ir.cron']._commit_progress(len(recordings), remaining=count):
                return False
        return True

    def _let_go(self):
        """Delete these recordings, each by its rule."""
        for (rule, text_too), recordings in self.grouped(
            lambda recording: (recording.retention_rule_id, recording._is_text_due())
        ).items():
            recordings._delete_sound(
                _lt(
                    "Kept for %(days)s days, as the rule “%(rule)s” says",
                    days=rule.keep_audio_days,
                    rule=rule.name,
                ),
                pbx_too=rule.pbx_copy == 'delete',
                text_too=text_too,
            )

    def _is_text_due(self):
        day = self.text_delete_after
        return bool(day) and day < self.company_id._telephony_today()

    @api.model
    def _ask_keepers(self, company, count):
        """Ask those who may decide, once, whether so many recordings are to be deleted."""
        [(rule, _count)] = self._read_group(
            self._due(company), ['retention_rule_id'], ['__count'], order='__count DESC', limit=1
        )
        for user in company._telephony_keepers():
            asked = rule.with_context(lang=user.lang)
            summary = asked.env._("Are so many recordings to be deleted?")
            if asked.activity_ids.filtered(
                lambda activity, user=user: activity.user_id == user and activity.automated
            ):
                continue
            asked.activity_schedule(
                'mail.mail_activity_data_todo',
                user_id=user.id,
                summary=summary,
                note=asked.env._(
                    "%(count)s recordings of %(company)s are due at once. That is more than usual, so none was deleted. Open "
                    "Retention, start the Dry Run, look at what is due, and press Delete All the Same, or correct the rules.",
                    count=count,
                    company=company.name,
                ),
            )

    # === LISTS === #

    @api.model
    def _kept_action(self, name='', ids=None):
        """Return the action that lists recordings with what becomes of them.

        :param ids: which; None for all
        """
        list_view = self.env.ref('crm_telephony.telephony_recording_view_list_kept')
        search_view = self.env.ref('crm_telephony.telephony_recording_view_search_kept')
        return {
            'type': 'ir.actions.act_window',
            'name': name or self.env._("Keeping Recordings"),
            'res_model': self._name,
            'views': [(list_view.id, 'list')],
            'search_view_id': [search_view.id, 'search'],
            'domain': [] if ids is None else [('id', 'in', ids)],
        }
