from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError
from odoo.fields import Domain
from odoo.tools import SQL

from ...tools.settings import setting

# Kinds of lines that say that somebody has heard the sound.
HEARD = ('play', 'download', 'share')
LOG_READERS = 'crm_telephony.group_supervisor,crm_telephony.group_privacy'
# What a browser reports as the second up to which somebody has listened is believed up to a day.
LAST_SECOND = 86400


class TelephonyListen(models.Model):
    """One listening, download, reading or shared play of a recording. Lines are written by
    :meth:`_write_line` and deleted when the log's own retention is over; nobody changes them, the
    system included. They hold no number and no name of a customer."""

    _name = 'telephony.listen'
    _description = "Line of the listening log"
    _order = 'at desc, id desc'
    _rec_name = 'who'

    recording_id = fields.Many2one(
        'telephony.recording', readonly=True, index='btree_not_null', ondelete='set null'
    )
    call_id = fields.Many2one(
        'telephony.call',
        string="Phone Call",
        readonly=True,
        index='btree_not_null',
        ondelete='set null',
    )
    # copied, because calls are deleted and accounts move to other companies
    company_id = fields.Many2one('res.company', required=True, readonly=True)
    talked_at = fields.Datetime(string="Call Of", readonly=True)
    talker_id = fields.Many2one(
        'res.users',
        string="Employee",
        readonly=True,
        index='btree_not_null',
        ondelete='set null',
        help="Who took the call first, or placed it.",
    )
    user_id = fields.Many2one(
        'res.users',
        string="Listener",
        readonly=True,
        ondelete='set null',
        help="Empty: somebody with a shared link.",
    )
    who = fields.Char(
        string="Who",
        required=True,
        readonly=True,
        help="The listener's name at that time. Of a shared link, who has shared it.",
    )
    share_id = fields.Many2one(
        'telephony.share',
        string="Shared Link",
        readonly=True,
        index='btree_not_null',
        ondelete='set null',
    )
    at = fields.Datetime(string="When", required=True, readonly=True, default=fields.Datetime.now)
    kind = fields.Selection(
        [
            ('play', "Listened"),
            ('download', "Downloaded"),
            ('read', "Read the text"),
            ('export', "Exported"),
            ('share', "Listened by a shared link"),
        ],
        string="What",
        required=True,
        readonly=True,
    )
    reason_id = fields.Many2one(
        'telephony.listen.reason', string="Why", readonly=True, ondelete='restrict'
    )
    reason_text = fields.Char(string="In Their Words", readonly=True)
    ip = fields.Char(string="Address", readonly=True, groups=LOG_READERS)
    furthest_second = fields.Integer(
        string="Heard up to (s)",
        readonly=True,
        default=0,
        aggregator=None,
        help="As the listener's browser has reported.",
    )

    _at_idx = models.Index('(at)')
    _user_idx = models.Index('(user_id, recording_id, at)')

    @api.model
    def _write_line(self, recording, kind, **values):
        """Write the line that the present user, or somebody with a shared link, hears or reads this
        recording now.

        :param values: reason, address and shared link, as field values
        :return: telephony.listen (sudo)
        """
        call, user = recording.sudo().call_id, self.env.user.with_context(prefetch_fields=False)
        return self.sudo().create(
            {
                'recording_id': recording.id,
                'call_id': call.id,
                'company_id': call.company_id.id,
                'talked_at': call.start_at,
                'talker_id': call.user_id.id,
                'kind': kind,
                **({'user_id': self.env.uid, 'who': user.name} | values),
            }
        )

    def _reached(self, second):
        """Keep the furthest second that was heard. In one statement, because the browsers of one
        listener may report at once."""
        self.env.execute_query(
            SQL(
                """ UPDATE telephony_listen
                       SET furthest_second = GREATEST(furthest_second, %s)
                     WHERE id = %s RETURNING id """,
                max(0, min(second, LAST_SECOND)),
                self.id,
            )
        )
        self.invalidate_recordset(['furthest_second'])

    @api.model
    def _heard_by(self, name, ids):
        """Return by how many people records were heard: dict id → number. Each shared link counts as
        somebody.

        :param str name: the field that says which records: `recording_id` or `call_id`
        """
        rows = self.sudo()._read_group(
            Domain(name, 'in', ids) & Domain('kind', 'in', HEARD),
            [name],
            ['user_id:count_distinct', 'share_id:count_distinct'],
        )
        return {record.id: users + shares for record, users, shares in rows}

    def action_open_call(self):
        self.ensure_one()
        return self.call_id._get_records_action() if self.call_id else False

    # === APPEND ONLY === #

    def write(self, vals):  # pylint: disable=method-required-super
        raise AccessError(self.env._("Nobody can change the listening log."))

    def unlink(self):  # pylint: disable=method-required-super
        raise AccessError(  # pylint: disable=no-raise-unlink
            self.env._(
                "Nobody can delete from the listening log. It is kept for as many days as the settings say."
            )
        )

    @api.autovacuum
    def _gc_listens(self):
        """Delete lines past the retention of the log."""
        past = Domain(
            'at', '<', fields.Datetime.now() - timedelta(days=setting(self.env, 'listen_days'))
        )
        old = self.search(past, limit=10000, order='at')
        super(TelephonyListen, old).unlink()
        return len(old), self.search_count(past, limit=1)


class TelephonyListenReason(models.Model):
    """Why somebody listens: what they choose where the company wants a reason."""

    _name = 'telephony.listen.reason'
    _description = "Reason to listen"
    _order = 'sequence, id'

    name = fields.Char(required=True, translate=True)
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True)
