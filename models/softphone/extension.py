import secrets

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError

from ...providers.capabilities import GivesPasswords
from .credentials import ha1, servers, turn_login


class TelephonyExtension(models.Model):
    """A phone that is a browser: its login at the PBX, and the browser that may use it.

    Users name no phone when they ask for one. They get their own or none, so nobody is lent a
    colleague's by whatever they send.
    """

    _inherit = 'telephony.extension'

    softphone = fields.Boolean(
        string="Browser Phone",
        copy=False,
        help="The user talks in the browser. The PBX has to know this extension as a WebRTC phone.",
    )
    sip_login = fields.Char(
        string="SIP Login",
        groups='crm_telephony.group_admin',
        copy=False,
        help="Empty: the extension's number.",
    )
    sip_password = fields.Char(
        string="SIP Password", groups='crm_telephony.group_admin', copy=False, exportable=False
    )
    lease_ids = fields.One2many(
        'telephony.softphone', 'extension_id', groups='crm_telephony.group_admin'
    )

    @api.constrains('softphone', 'also_user_ids', 'account_id')
    def _check_softphone(self):
        for phone in self.filtered('softphone'):
            if phone.also_user_ids:
                raise ValidationError(
                    self.env._(
                        "Extension %(number)s is shared, so it cannot be a browser phone: a browser phone is one person's. "
                        "Empty “Also Used By”.",
                        number=phone.number,
                    )
                )
            if not phone.account_id._line():
                raise ValidationError(
                    self.env._(
                        "Browsers cannot be phones of %(pbx)s: its kind of PBX takes no calls from a browser.",
                        pbx=phone.account_id.name,
                    )
                )

    # === WHAT BROWSERS ASK === #

    @api.model
    def softphone_claim(self, browser, label='', take_over=False):
        """Make this browser the user's phone.

        :param browser: what the browser calls itself, the same for all its tabs
        :param label: what people call it, such as “Chrome on Windows”
        :param take_over: although another browser is the phone
        :return: what the browser needs to be the phone, see :meth:`_grant`; or, if another browser
            is, ``{'busy': {'label', 'since' (UTC), 'in_call': bool}}``
        :raise UserError: the user has no browser phone, or the administrator has not set it up yet
        """
        phone = self._my_softphone()
        if not phone:
            raise UserError(
                self.env._(
                    "You have no browser phone. Ask your telephony administrator to mark your extension as one."
                )
            )
        if missing := phone._missing_for_softphone():
            raise UserError(
                self.env._(
                    "Your browser phone %(number)s is not set up yet: %(field)s is not entered. Ask your telephony "
                    "administrator.",
                    number=phone.number,
                    field=missing,
                )
            )
        lease, busy = self.env['telephony.softphone']._claim(phone, browser, label, take_over)
        return {'busy': busy} if busy else {**phone._grant(), **lease}

    @api.model
    def softphone_renew(self, lease):
        """Keep this browser the user's phone. Browsers ask so each two minutes or so.

        :return: ``{'ice': …}`` as of :meth:`_grant`, because logins of TURN servers end; if another
            browser is the phone now ``{'lost': label}``
        """
        phone = self._my_softphone()
        if self.env['telephony.softphone']._renew(lease):
            return {'ice': phone._ice()}
        return {'lost': phone.lease_ids.label or ''}

    @api.model
    def softphone_colleagues(self):
        """Return to whom the user's browser phone can pass a call on: the list of `get_colleagues` of
        telephony.call, where `is_gone` says that a colleague's phone is not connected, so that a
        customer who is passed on to it would be lost."""
        phone = self._my_softphone()
        phones = phone.account_id.extension_ids - self.env.user._telephony_phones()
        gone = {other.id for other in phones if other._is_gone()}
        colleagues = self.env['telephony.call'].sudo()._colleagues(phones)
        return [{**colleague, 'is_gone': colleague['id'] in gone} for colleague in colleagues]

    def _is_gone(self):
        """Return whether this phone is a browser, and no browser is it now."""
        now = fields.Datetime.now()
        return self.softphone and not self.lease_ids.filtered(lambda lease: lease.until > now)

    def _my_softphone(self):
        """Return the browser phone of the current user (sudo): the one that they prefer to call with,
        else the first.

        :raise AccessError: the user has no rights on telephony
        """
        user = self.env.user
        if not user._is_telephonist():
            raise AccessError(self.env._("You have no rights on telephony."))
        phones = user._telephony_phones().filtered(
            lambda phone: phone.softphone and phone.user_id == user
        )
        return phones.sorted(lambda phone: phone != user.sudo().telephony_extension_id)[:1]

    def _missing_for_softphone(self):
        """Return the label of what has to be entered before a browser can be this phone."""
        label = self.env['ir.model.fields']._get
        if not self.account_id.sudo().sip_ws_url:
            return label('telephony.account', 'sip_ws_url').field_description
        if not self.sudo().sip_password and not self.account_id.sudo()._gives_passwords():
            return label('telephony.extension', 'sip_password').field_description
        return ''

    def _grant(self):
        """Return what a browser needs to be this phone: ``{'kind', 'number', 'name', 'pbx', 'url',
        'domain', 'login', 'ha1' and 'realm' or 'password', 'ice': {'servers', 'policy'}}``."""
        phone, account = self.sudo(), self.account_id.sudo()
        login = phone.sip_login or phone.number
        password = phone._password_for(login)
        secret = {'password': password}
        if account.sip_realm:
            digest = ha1(login, account.sip_realm, password)
            secret = {'ha1': digest, 'realm': account.sip_realm}
        return {
            'kind': account._line(),
            'number': phone.number,
            'name': self.env.user.name,
            'pbx': account.name,
            'url': account.sip_ws_url,
            'domain': account._sip_domain(),
            'login': login,
            **secret,
            'tells': account.browsers_tell,
            'once': account._gives_passwords(),
            'ice': phone._ice(),
        }

    def _password_for(self, login):
        """Return the password with which a browser becomes this phone (sudo)."""
        account = self.account_id
        if not account._gives_passwords():
            return self.sip_password
        password = secrets.token_urlsafe(24)
        account._command(GivesPasswords, login, password)
        return password

    def _ice(self):
        account = self.account_id.sudo()
        found = [{'urls': servers(account.stun_urls)}] if account.stun_urls else []
        if account.turn_urls:
            login = turn_login(account.turn_secret, self.env.uid, fields.Datetime.now())
            found.append({'urls': servers(account.turn_urls), **login})
        return {'servers': found, 'policy': account.ice_policy}
