from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.fields import Domain

from ..screen.card import LIVE_MESSAGE


class TelephonySoftphone(models.Model):
    """What is wrong with the sound of a browser phone right now."""

    _inherit = 'telephony.softphone'

    trouble = fields.Selection(
        [
            ('no_sound', "No sound arrives"),
            ('silent_microphone', "The microphone is silent"),
            ('bad_in', "Hears the customer badly"),
            ('bad_out', "Is heard badly"),
        ],
        string="Sound Now",
        readonly=True,
    )

    @api.model
    def _note_trouble(self, token, trouble):
        """Note what is wrong with the sound of the current user's phone, '' for nothing any more, and
        tell the supervisors' boards.

        :raise ValidationError: there is no such trouble
        """
        if trouble and trouble not in dict(self._fields['trouble'].selection):
            raise ValidationError(
                self.env._(
                    "%(field)s cannot be %(value)s.", field='trouble', value=str(trouble)[:40]
                )
            )
        lease = self._of(token)
        if lease and (lease.trouble or '') != trouble:
            lease.trouble = trouble or False
            # sudo: the users of a group see no group of others'
            group = self.env.ref('crm_telephony.group_supervisor').sudo()
            self.env['bus.bus']._sendone(group, LIVE_MESSAGE, {'company_id': lease.company_id.id})


class TelephonyExtension(models.Model):
    _inherit = 'telephony.extension'

    @api.model
    def softphone_trouble(self, lease, trouble):
        """Hear from the user's browser phone what is wrong with the sound now: one of the values of
        `trouble` of telephony.softphone, or '' when it is over."""
        self._my_softphone()
        self.env['telephony.softphone']._note_trouble(lease, trouble)


class TelephonyLive(models.AbstractModel):
    _inherit = 'telephony.live'

    def _after_board(self, board):
        """Show who talks over a bad line now, and how many did today: `trouble` of a person in words,
        and `lines`: ``{'bad', 'measured'}``."""
        super()._after_board(board)
        now = fields.Datetime.now()
        users = [person['id'] for person in board['people']]
        leases = self.env['telephony.softphone'].sudo()
        leases = leases.search(
            [('user_id', 'in', users), ('trouble', '!=', False), ('until', '>', now)]
        )
        words = dict(leases._fields['trouble']._description_selection(self.env))
        troubles = {lease.user_id.id: words[lease.trouble] for lease in leases}
        for person in board['people']:
            person['trouble'] = (
                troubles.get(person['id'], '') if person['state'] == 'talking' else ''
            )
        counts = dict(
            self.env['telephony.call.quality']
            .sudo()
            ._read_group(
                Domain('company_id', 'in', self.env.companies.ids)
                & Domain('user_id', 'in', users)
                & Domain('started_at', '>=', self._midnight(now)),
                ['is_bad'],
                ['__count'],
            )
        )
        board['lines'] = {'bad': counts.get(True, 0), 'measured': sum(counts.values())}
