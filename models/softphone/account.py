from urllib.parse import urlsplit

from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ...providers import registry
from ...providers.capabilities import GivesPasswords
from .credentials import is_ice_server, is_safe_websocket, servers


class TelephonyAccount(models.Model):
    """How browsers reach this PBX as phones."""

    _inherit = 'telephony.account'

    can_have_softphones = fields.Boolean(compute='_compute_can_have_softphones')
    sip_ws_url = fields.Char(
        string="Address for Browser Phones",
        groups='crm_telephony.group_admin',
        copy=False,
        help="The PBX's websocket, such as wss://pbx.example.com/ws. Browsers take part in calls over it.",
    )
    sip_domain = fields.Char(
        string="SIP Domain",
        groups='crm_telephony.group_admin',
        help="What stands behind @ in the addresses of phones. Empty: the host of the address above.",
    )
    sip_realm = fields.Char(
        string="SIP Realm",
        compute='_compute_sip_realm',
        store=True,
        readonly=False,
        groups='crm_telephony.group_admin',
        help="What the PBX calls itself when it asks for a password. With it browsers get a digest that opens one "
        "phone at this PBX; without it they get the password.",
    )
    sip_one_time = fields.Boolean(
        string="One-Time Passwords",
        copy=False,
        groups='crm_telephony.group_admin',
        help="Odoo gives the PBX a new password each time a browser becomes a phone, so that none is entered and none that is "
        "seen can be used later. docs/softphone.md tells what the PBX needs for it.",
    )
    can_give_passwords = fields.Boolean(compute='_compute_can_have_softphones')
    stun_urls = fields.Char(
        string="STUN Servers",
        groups='crm_telephony.group_admin',
        help="By which browsers find out their public address: stun:stun.example.com:3478, separated by commas. Not needed "
        "where the PBX can be reached directly.",
    )
    turn_urls = fields.Char(
        string="TURN Servers",
        groups='crm_telephony.group_admin',
        help="Which pass the sound on where a firewall lets nothing else through: turns:turn.example.com:443?transport=tcp.",
    )
    turn_secret = fields.Char(
        string="TURN Secret",
        groups='crm_telephony.group_admin',
        copy=False,
        exportable=False,
        help="The server's static-auth-secret. Browsers get a login of it that ends after a working day.",
    )
    ice_policy = fields.Selection(
        [('all', "The shortest way"), ('relay', "Only through TURN")],
        string="Way of the Sound",
        default='all',
        required=True,
        groups='crm_telephony.group_admin',
    )

    @api.depends('provider')
    def _compute_can_have_softphones(self):
        for account in self:
            account.can_have_softphones = bool(account._line())
            account.can_give_passwords = account._can(GivesPasswords)

    @api.depends('provider')
    def _compute_sip_realm(self):
        for account in self:
            provider = registry.get(account.provider)
            account.sip_realm = provider and provider.sip_realm or False

    def _gives_passwords(self):
        """Return whether each browser gets a password of its own (sudo)."""
        return self.sip_one_time and self._can(GivesPasswords)

    def _line(self):
        """Return how a browser is a phone of this PBX, '' if it cannot be."""
        provider = registry.get(self.provider)
        return provider.line if provider else ''

    @api.constrains('sip_ws_url')
    def _check_sip_ws_url(self):
        for account in self:
            if account.sip_ws_url and not is_safe_websocket(account.sip_ws_url):
                raise ValidationError(
                    self.env._(
                        "%(url)s cannot be the address for browser phones. It begins with wss://, because anybody on the way "
                        "could read passwords and listen otherwise.",
                        url=account.sip_ws_url,
                    )
                )

    @api.constrains('stun_urls', 'turn_urls', 'turn_secret', 'ice_policy')
    def _check_ice_servers(self):
        for account in self:
            for kind, text in (('stun', account.stun_urls), ('turn', account.turn_urls)):
                for address in servers(text):
                    if not is_ice_server(address) or not address.startswith(kind):
                        raise ValidationError(
                            self.env._(
                                "%(address)s is no address of a %(kind)s server. It looks like %(example)s.",
                                address=address,
                                kind=kind.upper(),
                                example=f'{kind}:{kind}.example.com:3478',
                            )
                        )
            if account.turn_urls and not account.turn_secret:
                raise ValidationError(
                    self.env._(
                        "Enter the TURN server's secret too: it takes nobody without a login."
                    )
                )
            if account.ice_policy == 'relay' and not account.turn_urls:
                raise ValidationError(
                    self.env._("Enter a TURN server: all sound is to go through one.")
                )

    def _sip_domain(self):
        """Return what stands behind @ in the addresses of this PBX's phones."""
        account = self.sudo()
        return account.sip_domain or urlsplit(account.sip_ws_url or '').hostname or ''
