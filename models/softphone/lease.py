import hashlib
import logging
import re
import secrets
from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain

from ...providers.capabilities import GivesPasswords, HangsUp
from ...tools import turns

_logger = logging.getLogger(__name__)

# A browser that says nothing for so long (seconds) is gone, and another one gets the phone without
# a question.
LEASE = 300
# A talk that a page has left is taken up again within this time (seconds), or the customer is hung up:
# they hear nothing.
RESUME = 20
LEASE_MESSAGE = 'crm_telephony.softphone'
LONGEST_NAME = 64


def _hashed(token):
    return hashlib.sha256(str(token).encode()).hexdigest()


class TelephonySoftphone(models.Model):
    """Which browser is a phone now: one row for each phone in use.

    A PBX lets the browser that comes last be the phone, and does not tell the first one, which goes
    on to show “ready” and never rings again. So browsers ask here first.

    A claim is written in a transaction of its own, one claim of a phone after the other: two
    browsers that ask at once are not both answered yes.
    """

    _name = 'telephony.softphone'
    _description = "Browser that is a phone"
    _order = 'claimed_at desc, id desc'
    _rec_name = 'label'

    extension_id = fields.Many2one(
        'telephony.extension', required=True, readonly=True, ondelete='cascade'
    )
    company_id = fields.Many2one(related='extension_id.company_id', store=True, precompute=True)
    user_id = fields.Many2one('res.users', required=True, readonly=True, ondelete='cascade')
    browser = fields.Char(required=True, readonly=True, groups=fields.NO_ACCESS)
    token_hash = fields.Char(required=True, readonly=True, groups=fields.NO_ACCESS)
    label = fields.Char(string="Open In", readonly=True)
    claimed_at = fields.Datetime(string="Since", required=True, readonly=True)
    until = fields.Datetime(string="Heard Of Until", required=True, readonly=True)
    gone_at = fields.Datetime(
        string="Left a Talk", readonly=True, help="The page was closed while the user talked."
    )

    _extension_uniq = models.UniqueIndex('(extension_id)')
    _token_idx = models.Index('(token_hash)')
    _gone_idx = models.Index('(gone_at) WHERE gone_at IS NOT NULL')

    @api.model
    def _claim(self, phone, browser, label, take_over):
        """Give a phone to a browser.

        :param phone: telephony.extension of the current user
        :return: ``({'lease': token, 'renew_seconds': int}, None)``; if another browser is the phone
            ``(None, {'label', 'since', 'in_call'})``
        """
        browser = re.sub(r'[^\w-]', '', str(browser))[:LONGEST_NAME] or secrets.token_hex(8)
        values = {
            'extension_id': phone.id,
            'user_id': self.env.uid,
            'browser': browser,
            'label': ''.join(filter(str.isprintable, str(label)))[:LONGEST_NAME],
        }
        with (
            turns.beside(self.env) as env,
            turns.held(env, turns.Lock.LEASING, phone.id, wait=True),
        ):
            mine = self.with_env(env).sudo()
            result = mine._claim_alone(values, take_over)
            env.cr.commit()  # pylint: disable=invalid-commit
        return result

    @api.model
    def _claim_alone(self, values, take_over):
        now, token = fields.Datetime.now(), secrets.token_urlsafe(32)
        present = self.search([('extension_id', '=', values['extension_id'])])
        if present and not present._is_free(values) and not take_over:
            return None, present._told()
        values = {
            **values,
            'token_hash': _hashed(token),
            'claimed_at': now,
            'until': now + timedelta(seconds=LEASE),
            'gone_at': False,
            'trouble': False,
        }
        if present:
            if present.browser != values['browser']:
                present._tell(present.browser, values['label'])
            present.write(values)
        else:
            present = self.create(values)
        _logger.info(
            "phone %s of telephony account %s: %s is user %s's browser phone now",
            present.extension_id.number,
            present.extension_id.account_id.id,
            values['label'] or values['browser'],
            values['user_id'],
        )
        return {'lease': token, 'renew_seconds': LEASE // 2}, None

    def _is_free(self, values):
        """Return whether another claim may have the phone without a question: the same browser's, or
        after this one is gone."""
        return (
            self.until < fields.Datetime.now()
            or self.user_id.id != values['user_id']
            or self.browser == values['browser']
        )

    def _told(self):
        return {
            'label': self.label or '',
            'since': fields.Datetime.to_string(self.claimed_at),
            'in_call': bool(self._talks()),
        }

    def _talks(self):
        """Return the running calls in which this phone talks; not those that it has passed on."""
        calls, phone = self.env['telephony.call'].sudo(), self.extension_id
        talks = Domain('answered_at', '!=', False) & Domain('ended_at', '=', False)
        placed = Domain('direction', '=', 'outbound') & Domain('extension', '=', phone.number)
        return calls.search(
            calls._live_domain()
            & Domain('account_id', '=', phone.account_id.id)
            & (
                Domain('leg_ids', 'any', talks & Domain('extension', '=', phone.number))
                | placed & Domain('leg_ids', 'not any', talks)
            )
        )

    def _tell(self, browser, label):
        """Tell the browsers of this phone's user that `browser` is the phone no longer, but another
        one of that label."""
        self.env['bus.bus']._sendone(
            self.user_id.partner_id, LEASE_MESSAGE, {'lost': browser, 'label': label}
        )

    @api.model
    def _of(self, token):
        """Return the lease of this token, if it is the current user's (sudo)."""
        return self.sudo().search(
            [('token_hash', '=', _hashed(token)), ('user_id', '=', self.env.uid)], limit=1
        )

    @api.model
    def _renew(self, token):
        """Return whether this is still the browser that is the phone, and keep it so."""
        lease = self._of(token)
        if lease:
            lease.until = fields.Datetime.now() + timedelta(seconds=LEASE)
        return bool(lease)

    # === PAGES THAT ARE CLOSED === #

    @api.model
    def _note_gone(self, token, is_talking):
        """Note that the page of a browser phone went away. Nobody waits for a browser without a
        talk; a talk may be taken up again by the next page.

        :return: whether the token is that of the current user's phone
        """
        lease = self._of(token)
        if lease and is_talking:
            lease.gone_at = fields.Datetime.now()
            when = lease.gone_at + timedelta(seconds=RESUME)
            turns.wake_cron(self.env, 'crm_telephony.ir_cron_softphone_gone', [when])
        else:
            lease.unlink()
        return bool(lease)

    @api.model
    def _cron_gone(self):
        """Hang up the talks that a page has left and no page has taken up: the customer hears
        nothing."""
        before = fields.Datetime.now() - timedelta(seconds=RESUME)
        for lease in self.search([('gone_at', '<=', before)]):
            for call in lease._talks():
                with turns.isolated(
                    self.env.cr,
                    _logger,
                    "call %s was left by its browser and cannot be hung up; the PBX ends it when no sound comes any more",
                    call.id,
                ):
                    account = call.account_id
                    number = lease.extension_id.number
                    account._command(HangsUp, account._command_ref(call), number)
            lease.unlink()

    def action_end(self):
        """Take the phone from this browser. It stops to ring after the call that goes on in it."""
        self.check_access('unlink')
        for lease in self.sudo():
            lease._tell(lease.browser, '')
            lease._end_password()
        return self.unlink()

    def _end_password(self):
        """Let the PBX take the browser's password no more, where it has one of its own."""
        phone = self.extension_id
        account = phone.account_id
        if account._gives_passwords():
            with turns.isolated(
                self.env.cr,
                _logger,
                "the password of phone %s could not be taken back at the PBX; the next browser that is this phone ends it",
                phone.number,
            ):
                account._command(GivesPasswords, phone.sip_login or phone.number, '')

    @api.autovacuum
    def _gc_leases(self):
        """Delete what is left of browsers that are gone."""
        old = self.search([('until', '<', fields.Datetime.now() - timedelta(days=1))], limit=1000)
        old.unlink()
        return len(old), len(old) == 1000
