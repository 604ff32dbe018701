import json
from datetime import datetime, timedelta, timezone

from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ...providers import registry
from ...providers.base import Refused, WebhookRequest
from ...tools.words import _lt

EVENTS = ('ringing', 'answered', 'ended', 'void')
DIRECTIONS = ('inbound', 'outbound')
OUTCOMES = ('answered', 'no_answer', 'busy', 'failed', 'missed', 'abandoned')
# A browser that could not reach us tells at most so long (seconds) afterwards.
LATEST = 24 * 3600
LONGEST_ID, LONGEST_NUMBER = 128, 32
# No phone has more to tell in a second.
PER_SECOND = 20


class TelephonyAccount(models.Model):
    """A PBX that tells nothing of its calls: the browsers that are its phones do."""

    _inherit = 'telephony.account'

    browsers_tell = fields.Boolean(
        string="Browsers Tell of the Calls",
        copy=False,
        help="For a PBX that sends no events: the browser phones tell of the calls that they have. Calls while no browser is "
        "open are not seen.",
    )
    can_browsers_tell = fields.Boolean(compute='_compute_can_browsers_tell')

    @api.depends('provider')
    def _compute_can_browsers_tell(self):
        for account in self:
            provider = registry.get(account.provider)
            account.can_browsers_tell = bool(provider and provider.hears_browsers)

    @api.constrains('browsers_tell', 'provider')
    def _check_browsers_tell(self):
        for account in self.filtered('browsers_tell'):
            if not account.can_browsers_tell:
                raise ValidationError(
                    self.env._(
                        "%(pbx)s tells of its calls itself. If browsers told of them too, each call would be there twice.",
                        pbx=account.name,
                    )
                )


class TelephonySoftphone(models.Model):
    """Takes what a browser phone tells of its calls. Who calls and is called on our side follows from
    the phone, whatever the browser says; and a call's id bears the phone's number, so that nobody
    tells of a colleague's call."""

    _inherit = 'telephony.softphone'

    told_at = fields.Datetime(readonly=True, groups=fields.NO_ACCESS)
    told_count = fields.Integer(readonly=True, groups=fields.NO_ACCESS)

    @api.model
    def _tell_event(self, token, told):
        """Store what the current user's browser phone tells of one of its calls.

        :param told: ``{'call', 'event', 'direction', 'number', 'outcome', 'seconds_ago'}``
        :return: telephony.account, whose calls are to be filed
        :raise Refused: it is not this phone, its PBX tells of its calls itself, or that is no event
        """
        lease = self._of(token)
        account = lease.extension_id.account_id
        if not lease or not account.active or not account.browsers_tell:
            raise Refused(_lt("This browser does not tell of calls."), status=403)
        now = fields.Datetime.now()
        count = lease.told_count + 1 if lease.told_at == now else 1
        if count > PER_SECOND:
            raise Refused(_lt("Too much at once. Try again in a second."), status=429)
        lease.write({'told_at': now, 'told_count': count})
        body = json.dumps(self._payload(lease, told)).encode()
        self.env['telephony.event'].sudo()._append(account, WebhookRequest(body=body))
        return account

    @api.model
    def _payload(self, lease, told):
        """Return the event in the addon's own scheme (docs/webhook.md).

        :raise Refused: something in it is none
        """
        call, number = told.get('call'), told.get('number') or ''
        ago, outcome = told.get('seconds_ago', 0), told.get('outcome') or ''
        fits = (
            isinstance(call, str)
            and 0 < len(call) <= LONGEST_ID
            and call.isprintable()
            and told.get('event') in EVENTS
            and told.get('direction') in DIRECTIONS
            and isinstance(number, str)
            and len(number) <= LONGEST_NUMBER
            and not number.strip('+0123456789*#')
            and (not outcome or outcome in OUTCOMES)
            and isinstance(ago, (int, float))
            and not isinstance(ago, bool)
            and 0 <= ago <= LATEST
        )
        if not fits:
            raise Refused(_lt("That is no event of a call."), status=400)
        own = lease.extension_id.number
        is_inbound = told['direction'] == 'inbound'
        payload = {
            'call_id': f'web:{own}:{call}',
            'event_id': f'web:{own}:{call}:{told["event"]}',
            'event': told['event'],
            # finer than a second: who is answered and hangs up at once has talked
            'at': (datetime.now(timezone.utc) - timedelta(seconds=ago)).isoformat(),
            'direction': told['direction'],
            'caller': number if is_inbound else own,
            'called': own if is_inbound else number,
            'extension': own,
            'source': 'browser',
            'user': lease.user_id.id,
        }
        return {**payload, 'outcome': outcome} if told['event'] == 'ended' and outcome else payload
