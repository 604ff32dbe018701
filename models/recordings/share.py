import hashlib
import secrets
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL, hash_sign

from ..calls.recording import PLAYABLE
from .listening import read_token

SCOPE = 'telephony.share'
# Hours and plays that a link may be good for.
MOST_HOURS = 30 * 24
MOST_PLAYS = 50
# So many wrong PINs close a link for ever.
MOST_TRIES = 5
PIN_LENGTHS = range(4, 21)


def _hashed(token):
    return hashlib.sha256(token.encode()).hexdigest()


class TelephonyShare(models.Model):
    """A link by which somebody without a login may listen to one recording: for some hours, some
    times, with a PIN if wanted. Its token has 256 bits and is shown once; only its SHA-256 is kept.

    Who has the link sees a page without sound. Pressing *Play* counts a play, writes a line of the
    listening log, and gives an address that is good for one listening.
    """

    _name = 'telephony.share'
    _description = "Shared link to a recording"
    _order = 'id desc'

    recording_id = fields.Many2one(
        'telephony.recording', required=True, readonly=True, index=True, ondelete='cascade'
    )
    call_id = fields.Many2one(
        related='recording_id.call_id', string="Phone Call", store=True, precompute=True
    )
    company_id = fields.Many2one(related='recording_id.company_id', store=True, precompute=True)
    user_id = fields.Many2one(
        'res.users', string="Shared By", readonly=True, ondelete='set null', index='btree_not_null'
    )
    note = fields.Char(string="For Whom", readonly=True)
    token_hash = fields.Char(required=True, readonly=True, groups=fields.NO_ACCESS)
    pin_hash = fields.Char(readonly=True, groups=fields.NO_ACCESS)
    has_pin = fields.Boolean(string="With PIN", readonly=True)
    pin_tries = fields.Integer(
        string="Wrong PINs",
        required=True,
        readonly=True,
        default=0,
        aggregator=None,
        help="Since the last right one.",
    )
    expires_at = fields.Datetime(string="Until", required=True, readonly=True)
    max_plays = fields.Integer(
        string="Plays at Most", required=True, readonly=True, aggregator=None
    )
    plays = fields.Integer(required=True, readonly=True, default=0)
    state = fields.Selection(
        [('active', "Open"), ('revoked', "Revoked"), ('locked', "Closed by wrong PINs")],
        required=True,
        readonly=True,
        default='active',
    )
    status = fields.Selection(
        [
            ('active', "Open"),
            ('revoked', "Revoked"),
            ('locked', "Closed by wrong PINs"),
            ('expired', "Run out"),
            ('used', "Used up"),
        ],
        compute='_compute_status',
    )

    _token_uniq = models.UniqueIndex('(token_hash)')

    @api.depends('note', 'user_id')
    @api.depends_context('lang')
    def _compute_display_name(self):
        for share in self:
            share.display_name = share.note or self.env._(
                "Link of %(user)s", user=share.sudo().user_id.name or "?"
            )

    @api.depends('state', 'expires_at', 'plays', 'max_plays')
    def _compute_status(self):
        now = fields.Datetime.now()
        for share in self:
            share.status = (
                share.state
                if share.state != 'active'
                else 'expired'
                if share.expires_at <= now
                else 'used'
                if share.plays >= share.max_plays
                else 'active'
            )

    def action_revoke(self):
        """Close these links at once, also for those who listen now.

        :raise AccessError: the user may not read the links
        """
        self.check_access('read')
        self.sudo().filtered(lambda share: share.state == 'active').state = 'revoked'
        return True

    # === FROM OUTSIDE === #

    @api.model
    def _of_token(self, token):
        """Return the link (sudo) that a token from outside belongs to, empty if there is none or it is
        closed, has run out, or its recording cannot be played any more. Used up links are found,
        because the last play may go on. One look-up, whatever the token is."""
        share = self.sudo().search([('token_hash', '=', _hashed(token))], limit=1)
        return share.filtered(
            lambda share: share.status in ('active', 'used')
            and share.recording_id.state in PLAYABLE
        )

    def _accepts(self, pin):
        """Return whether this is the PIN, and close the link after too many wrong ones.

        The try is counted before the PIN is looked at and in the row itself, so of several at once
        each waits for the one before, and none is free.
        """
        self.ensure_one()
        if not self.pin_hash:
            return True
        counted = self.env.execute_query(
            SQL(
                """ UPDATE telephony_share SET pin_tries = pin_tries + 1
                     WHERE id = %s AND state = 'active' AND pin_tries < %s RETURNING pin_tries """,
                self.id,
                MOST_TRIES,
            )
        )
        self.invalidate_recordset(['pin_tries'])
        if not counted:
            return False
        is_right = len(pin) in PIN_LENGTHS and self._crypt_context().verify(pin, self.pin_hash)
        if is_right:
            self.pin_tries = 0
        elif self.pin_tries >= MOST_TRIES:
            self.state = 'locked'
        return is_right

    def _crypt_context(self):
        return self.env['res.users']._crypt_context()

    def _begin_play(self):
        """Count a play and write its line of the log.

        :return: the token of this play, '' if none is left
        """
        self.ensure_one()
        counted = self.env.execute_query(
            SQL(
                """ UPDATE telephony_share SET plays = plays + 1
                     WHERE id = %s AND state = 'active' AND plays < max_plays RETURNING plays """,
                self.id,
            )
        )
        self.invalidate_recordset(['plays'])
        if not counted:
            return ''
        line = self.recording_id._write_listen(
            'share', user_id=False, who=self.user_id.name or self.note or "?", share_id=self.id
        )
        return hash_sign(
            self.env, SCOPE, [self.id, line.id], expiration=self.recording_id._listening_time()
        )

    def _is_play(self, token):
        """Return whether this is the token of a play of this link that still goes on."""
        ids = read_token(self.env, SCOPE, token)
        return bool(ids) and ids[0] == self.id


class TelephonyRecording(models.Model):
    """Sharing a recording with somebody outside."""

    _inherit = 'telephony.recording'

    def action_share(self):
        """Open the dialog that makes a link to this recording."""
        self.ensure_one()
        return {
            **self.env['ir.actions.act_window']._for_xml_id(
                'crm_telephony.telephony_share_recording_action'
            ),
            'context': {'default_recording_id': self.id, 'dialog_size': 'medium'},
        }

    def _on_player_actions(self):
        actions = super()._on_player_actions()
        if self.sudo().call_id._is_supervised_by(self.env.user):
            actions.append(
                {
                    'method': 'action_share',
                    'label': self.env._("Share"),
                    'icon': 'fa-share-alt',
                }
            )
        return actions

    def _share(self, hours=24, max_plays=5, pin='', note=''):
        """Make a link to this recording.

        :param int hours: for how long, 1 to 720
        :param int max_plays: 1 to 50
        :param str pin: 4 to 20 characters, '' for none
        :param str note: for whom it is
        :return: telephony.share and its address, which nobody is told again
        :raise AccessError: the user is no supervisor of the call
        :raise UserError: the recording cannot be played, or a limit is out of range
        """
        self.ensure_one()
        self.check_access('read')
        _ = self.env._
        if not self.sudo().call_id._is_supervised_by(self.env.user):
            raise AccessError(_("Only supervisors share recordings."))
        if self.state not in PLAYABLE:
            raise UserError(_("This recording cannot be played, so it cannot be shared."))
        if not 1 <= hours <= MOST_HOURS:
            raise UserError(_("A link is good for one hour to 30 days. Choose a time within that."))
        if not 1 <= max_plays <= MOST_PLAYS:
            raise UserError(
                _("A link can be played 1 to %(most)s times. Enter such a number.", most=MOST_PLAYS)
            )
        if pin and len(pin) not in PIN_LENGTHS:
            raise UserError(_("A PIN has 4 to 20 characters. Enter a longer or a shorter one."))
        token = secrets.token_urlsafe(32)
        shares = self.env['telephony.share'].sudo()
        share = shares.create(
            {
                'recording_id': self.id,
                'user_id': self.env.uid,
                'note': note,
                'token_hash': _hashed(token),
                'pin_hash': pin and shares._crypt_context().hash(pin),
                'has_pin': bool(pin),
                'expires_at': fields.Datetime.now() + timedelta(hours=hours),
                'max_plays': max_plays,
            }
        )
        return share.sudo(False), f'{self.get_base_url()}/telephony/shared/{token}'

    def _after_deleted(self):
        """Delete the links to these recordings."""
        super()._after_deleted()
        self.env['telephony.share'].sudo().search([('recording_id', 'in', self.ids)]).unlink()
