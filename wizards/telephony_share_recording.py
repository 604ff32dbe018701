import secrets

from odoo import fields, models

PERIODS = [
    ('1', "1 hour"),
    ('4', "4 hours"),
    ('24', "24 hours"),
    ('72', "3 days"),
    ('168', "7 days"),
    ('720', "30 days"),
]


class TelephonyShareRecording(models.TransientModel):
    """Makes a link to a recording for somebody outside, and shows it once. Link and PIN are no columns
    of this table: they are nowhere stored as they are."""

    _name = 'telephony.share.recording'
    _description = "Share a recording"

    recording_id = fields.Many2one('telephony.recording', required=True, ondelete='cascade')
    call_id = fields.Many2one(related='recording_id.call_id')
    period = fields.Selection(PERIODS, string="Good For", required=True, default='24')
    max_plays = fields.Integer(string="Plays at Most", required=True, default=5)
    with_pin = fields.Boolean(
        string="With a PIN",
        help="Six digits, made here. Tell them another way than the link; after five wrong ones the link is closed for ever.",
    )
    note = fields.Char(string="For Whom")
    url = fields.Char(string="Link", store=False, readonly=True)
    pin = fields.Char(string="PIN", store=False, readonly=True)

    def action_share(self):
        """Make the link, and open the dialog that shows it.

        :raise UserError: see `telephony.recording._share`
        """
        self.ensure_one()
        pin = f'{secrets.randbelow(10**6):06}' if self.with_pin else ''
        _share, url = self.recording_id._share(
            int(self.period), self.max_plays, pin, self.note or ''
        )
        return {
            **self.env['ir.actions.act_window']._for_xml_id(
                'crm_telephony.telephony_share_shown_action'
            ),
            'context': {'default_url': url, 'default_pin': pin, 'dialog_size': 'medium'},
        }
