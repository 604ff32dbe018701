import json

from odoo import api, models
from odoo.exceptions import ValidationError

from .lease import LEASE_MESSAGE

# So much (characters) do the talks of one phone take at most.
LONGEST_TALKS = 4096


class TelephonyExtension(models.Model):
    """Lets a talk go on in another browser of the same user.

    What takes a talk up again is known to the browser that has it, and whoever knows it has the
    talk. It goes over the user's own channel, and only the browser that holds the lease may send it.
    """

    _inherit = 'telephony.extension'

    @api.model
    def softphone_ask_to_move(self, browser):
        """Ask the browser that is the user's phone to hand its talks over to this one."""
        if self._my_softphone():
            self._tell_my_browsers({'move_to': str(browser)[:64]})

    @api.model
    def softphone_hand_over(self, lease, browser, talks):
        """Send the user's talks to another browser of theirs.

        :param lease: of the browser that has them
        :param talks: list of dict, see `token` of static/src/softphone/line_sip.js
        :raise ValidationError: those are no talks, or the browser has none any more
        """
        self._my_softphone()
        is_list = isinstance(talks, list) and all(isinstance(talk, dict) for talk in talks)
        if not is_list or len(json.dumps(talks)) > LONGEST_TALKS:
            raise ValidationError(
                self.env._("%(field)s cannot be %(value)s.", field='talks', value=str(talks)[:40])
            )
        if not self.env['telephony.softphone']._of(lease):
            raise ValidationError(self.env._("Your phone is open in another browser by now."))
        self._tell_my_browsers({'to': str(browser)[:64], 'talks': talks})

    @api.model
    def _tell_my_browsers(self, message):
        self.env['bus.bus']._sendone(self.env.user.partner_id, LEASE_MESSAGE, message)
