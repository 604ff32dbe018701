import logging
import re
from datetime import datetime, timedelta

from odoo import api, fields, models, release
from odoo.exceptions import AccessError, UserError
from odoo.fields import Domain
from odoo.tools import SQL

from ...providers.numbers import to_e164
from ...tools import turns
from ..inbox.event import NOT_DELIVERED
from .verdict import ANSWERED, LONGEST, MISSED, Finding, has_passed, is_from_before, is_over, judge

_logger = logging.getLogger(__name__)

TEST_MESSAGE = 'crm_telephony.test_call'
CRON = 'crm_telephony.ir_cron_test_calls'


class TelephonyTestCall(models.Model):
    """A test call: an administrator calls one of the company's numbers, and each fact is ticked off
    when the PBX has told it.

    The call is known by its PBX, its company number and the time of its arrival, and by the mobile
    that the tester entered. :meth:`_look` asks what is known (:meth:`_evidence`), has it judged
    (`verdict.py`) and keeps the findings. It runs when something of the call has changed, and once
    when the time of a fact has run out.
    """

    _name = 'telephony.test.call'
    _description = "Test call"
    _order = 'id desc'
    _rec_name = 'begun_at'

    account_id = fields.Many2one(
        'telephony.account',
        string="PBX",
        required=True,
        readonly=True,
        index=True,
        ondelete='cascade',
    )
    company_id = fields.Many2one(related='account_id.company_id', store=True, precompute=True)
    number_id = fields.Many2one(
        'telephony.number', string="Company Number", readonly=True, ondelete='set null'
    )
    is_missed = fields.Boolean(
        string="To Be Missed",
        readonly=True,
        help="The call was to be missed and called back, instead of answered.",
    )
    phone = fields.Char(
        string="Called From", readonly=True, help="As +77771234567; only while the test runs."
    )
    user_id = fields.Many2one('res.users', string="Tested By", readonly=True, ondelete='set null')
    begun_at = fields.Datetime(string="Begun", required=True, readonly=True)
    ended_at = fields.Datetime(string="Ended", readonly=True)
    state = fields.Selection(
        [
            ('waiting', "Running"),
            ('passed', "Passed"),
            ('failed', "Something Is Missing"),
            ('stopped', "Stopped"),
        ],
        string="Result",
        required=True,
        default='waiting',
        readonly=True,
    )
    call_id = fields.Many2one(
        'telephony.call',
        string="Phone Call",
        readonly=True,
        index='btree_not_null',
        ondelete='set null',
    )
    found_by = fields.Selection(
        [
            ('phone', "By the number that was entered"),
            ('hidden', "The first call from a hidden number"),
            ('line', "The first call to the company number"),
            ('first', "The first call of the PBX"),
        ],
        string="How the Call Was Known",
        readonly=True,
    )
    not_call_ids = fields.Many2many(
        'telephony.call',
        'telephony_test_call_not_rel',
        string="Not These Calls",
        readonly=True,
        help="Calls of others, as the tester said.",
    )
    card_user_ids = fields.Many2many(
        'res.users',
        'telephony_test_call_card_rel',
        string="Card Shown To",
        readonly=True,
        help="Whose browsers have shown the call's card.",
    )
    findings = fields.Json(
        readonly=True,
        help="Of each fact: its state, after how many seconds, and why it is missing.",
    )
    version = fields.Char(string="Version of CRM Telephony", readonly=True)
    odoo_version = fields.Char(string="Version of Odoo", readonly=True)
    tested = fields.Json(
        readonly=True,
        groups=fields.NO_ACCESS,
        help="What was tested: settings as fingerprints, numbers and extensions.",
    )

    _waiting_idx = models.Index("(account_id) WHERE state = 'waiting'")

    # === BEGIN AND END === #

    @api.model
    def begin_test(self, account_id, number_id=False, phone='', is_missed=False):
        """Wait for a test call from now on, and return the test's progress. An earlier test of this
        user that still waits at this PBX is stopped.

        :param phone: the number from which the tester calls, in any spelling; '' if it is not said
        :raise AccessError: the user does not administer telephony
        :raise UserError: the phone cannot be read, or the number is another PBX's
        """
        self._check_tester()
        account = self.env['telephony.account'].browse(account_id).exists()
        account.check_access('write')
        number = account.number_ids.filtered(lambda number: number.id == number_id)
        if not account or number_id and not number:
            raise UserError(
                self.env._("This company number is gone. Load the page again and choose another.")
            )
        caller = to_e164(phone, account._settings().country) if phone else ''
        if phone and not caller:
            raise UserError(
                self.env._(
                    "%(phone)s is no phone number. Enter the mobile with its country code, or leave the field empty.",
                    phone=phone,
                )
            )
        tests = self.sudo()
        tests.search(
            [
                ('state', '=', 'waiting'),
                ('user_id', '=', self.env.uid),
                ('account_id', '=', account.id),
            ]
        ).end_test()
        test = tests.create(
            {
                'account_id': account.id,
                'number_id': number.id,
                'phone': caller or False,
                'is_missed': is_missed,
                'user_id': self.env.uid,
                'begun_at': fields.Datetime.now(),
                'version': account._addon_version(),
                'odoo_version': release.version,
                'tested': account._tested_now(),
            }
        )
        turns.wake_cron(self.env, CRON, [test.begun_at + timedelta(seconds=LONGEST)])
        return test.with_env(self.env).get_progress()

    def not_this_call(self):
        """Let go of a call that is somebody else's, wait for the next one, and return the
        progress."""
        self._check_tester()
        self.check_access('read')
        test = self.sudo()
        if test.state == 'waiting' and test.call_id:
            others = test._calls_since() - test.call_id
            test.write(
                {
                    'not_call_ids': [fields.Command.link(test.call_id.id)],
                    'card_user_ids': [fields.Command.clear()],
                    'call_id': False,
                    'found_by': False,
                    'findings': False,
                }
            )
            test._claim(others)
        return self.get_progress()

    def end_test(self):
        """Stop tests that still run. They do not count as tests."""
        self._check_tester()
        self.check_access('read')
        running = self.sudo().filtered(lambda test: test.state == 'waiting')
        running.write({'state': 'stopped', 'ended_at': fields.Datetime.now(), 'phone': False})
        return True

    def action_show(self):
        """Open the page with this test."""
        self.ensure_one()
        action = self.env['ir.actions.client']._for_xml_id('crm_telephony.telephony_test_call_page')
        return {**action, 'params': {'test_id': self.id}}

    def _check_tester(self):
        if not self.env.user.has_group('crm_telephony.group_admin'):
            raise AccessError(self.env._("Test calls are made by telephony administrators."))

    # === WHOSE CALL IT IS === #

    @api.model
    def _accounts_tested_now(self):
        """Return the ids of the PBXs that wait for a test call. The filing of every call asks, so this
        reads an index that is mostly empty; a cache would have to be cleared, with all that the
        workers have cached, just before the call that is waited for."""
        self.flush_model(['account_id', 'state'])
        return {
            account_id
            for (account_id,) in self.env.execute_query(
                SQL("SELECT account_id FROM telephony_test_call WHERE state = 'waiting'")
            )
        }

    @api.model
    def _look_at(self, calls):
        """Look at the tests that wait for one of these calls, in the transaction of whatever has
        changed them. A fault here is logged and harms nothing else."""
        if not (accounts := self._accounts_tested_now()):
            return
        calls = calls.sudo().filtered(lambda call: call.account_id.id in accounts)
        if not calls:
            return
        with turns.isolated(
            self.env.cr,
            _logger,
            "the test calls of telephony accounts %s could not be brought up to date; the calls are not harmed. Begin the test "
            "again.",
            calls.account_id.ids,
        ):
            tests = self.sudo().search(
                [('state', '=', 'waiting'), ('account_id', 'in', calls.account_id.ids)], order='id'
            )
            tests._claim(calls)
            for test in tests.filtered(lambda test: test.call_id in calls):
                findings = test._look(fields.Datetime.now())
                test._tell([fact for fact, finding in findings.items() if finding.state == 'seen'])

    def _claim(self, calls):
        """Give these calls to the tests that wait for one, those with a phone first, each call to one
        test."""
        heard = self._heard_at(calls)
        taken = self.search([('call_id', 'in', calls.ids)]).call_id
        for call in (calls - taken).sorted(lambda call: (heard.get(call, datetime.max), call.id)):
            for test in self.sorted(lambda test: (not test.phone, test.id)):
                if (
                    not test.call_id
                    and call in heard
                    and call not in test.not_call_ids
                    and (found_by := test._known_by(call, heard[call]))
                ):
                    test.write({'call_id': call.id, 'found_by': found_by})
                    break

    def _known_by(self, call, heard_at):
        """Return by what this call is known as the test's, a key of `found_by`; '' if it is not."""
        if call.account_id != self.account_id or heard_at < self.begun_at:
            return ''
        if self.phone and self.phone in (call.caller_number, call.customer_number):
            return 'phone'
        is_ours = call.number_id == self.number_id if self.number_id else call.number_id
        if (
            call.direction != 'inbound'
            or not (is_ours or not call.number_id)
            or call.start_at
            and is_from_before(call.start_at, heard_at, self.begun_at)
        ):
            return ''
        if self.phone:
            return '' if self._caller_of(call) else 'hidden'
        return 'line' if is_ours and self.number_id else 'first'

    @api.model
    def _caller_of(self, call):
        """Return the caller's number as it is logged, '' if it is hidden: some PBXs send a word
        then."""
        caller = call.caller_number or ''
        return caller if re.search(r'\d', caller) else ''

    def _calls_since(self):
        """Return the calls that have come in during the test, the latest first."""
        calls = self._events_since().call_id - self.not_call_ids
        heard = self._heard_at(calls)
        return calls.filtered(
            lambda call: call.direction == 'inbound'
            and call in heard
            and heard[call] >= self.begun_at
        ).sorted('id', reverse=True)

    @api.model
    def _heard_at(self, calls):
        """Return dict call → when its first event arrived (naive UTC), of calls of which the PBX has
        told by itself: what was read back from its log proves nothing."""
        rows = (
            self.env['telephony.event']
            .sudo()
            ._read_group(
                Domain('account_id', 'in', calls.account_id.ids)
                & Domain('call_ref', 'in', calls.mapped('external_id'))
                & Domain('kind', 'not in', NOT_DELIVERED),
                ['account_id', 'call_ref'],
                ['received_at:min'],
            )
        )
        heard = {(account, ref): moment for account, ref, moment in rows}
        return {
            call: heard[call.account_id, call.external_id]
            for call in calls
            if (call.account_id, call.external_id) in heard
        }

    # === HOW FAR IT IS === #

    def _look(self, now):
        """Judge what is known, keep the findings, and end the test if nothing more is waited for.

        :return: dict fact → Finding
        """
        self.ensure_one()
        evidence = self._evidence()
        untold = self.account_id._adapter().untold
        findings = judge(evidence, self.is_missed, now, untold)
        before, age = self.findings or {}, int((now - self.begun_at).total_seconds())
        kept = {
            fact: {
                'state': finding.state,
                'cause': finding.cause,
                'after': before[fact]['after']
                if before.get(fact, {}).get('state') == finding.state
                else age,
            }
            for fact, finding in findings.items()
        }
        values = {'findings': kept} if kept != before else {}
        if is_over(evidence, findings, now):
            passed = evidence.heard_at and has_passed(findings)
            values |= {'state': 'passed' if passed else 'failed', 'ended_at': now, 'phone': False}
        if values:
            self.write(values)
        if values.get('state') == 'passed':
            self.account_id._test_passed()
        return findings

    def _kept(self):
        """Return the findings of a test that is over, in the order of the screen, which a column of
        JSON does not keep."""
        kept = self.findings or {}
        return {
            fact: Finding(kept[fact]['state'], kept[fact]['cause'])
            for fact in (MISSED if self.is_missed else ANSWERED)
            if fact in kept
        }

    def _tell(self, seen=()):
        """Tell the tester's page which facts have come, when the transaction commits. It ticks them off
        at once, and asks for the rest under the tester's own rights."""
        message = {'id': self.id, 'seen': list(seen)}
        self.env['bus.bus']._sendone(self.user_id.partner_id, TEST_MESSAGE, message)

    @api.model
    def _card_was_read(self, call, user):
        """Note that a browser of the user has asked for the card of this call. The row of the test
        stays as it is, because the filing of the call may be writing it."""
        if call.account_id.id not in self._accounts_tested_now():
            return
        for test in self.sudo().search([('state', '=', 'waiting'), ('call_id', '=', call.id)]):
            self.env.cr.execute(
                SQL(
                    """ INSERT INTO telephony_test_call_card_rel (telephony_test_call_id, res_users_id)
                        VALUES (%s, %s) ON CONFLICT DO NOTHING """,
                    test.id,
                    user.id,
                )
            )
            test.invalidate_recordset(['card_user_ids'], flush=False)
            test._tell()

    # === SCHEDULED ACTION === #

    @api.model
    def _cron_test_calls(self):
        """End the tests at which nobody looks any more, and ask for a test where one is due."""
        over = fields.Datetime.now() - timedelta(seconds=LONGEST)
        for test in self.search([('state', '=', 'waiting'), ('begun_at', '<=', over)]):
            with turns.gives_way(self.env, CRON):
                test._look(fields.Datetime.now())
                self.env['ir.cron']._commit_progress(1)
        with turns.gives_way(self.env, CRON):
            self.env['telephony.account'].search([])._ask_for_tests()
