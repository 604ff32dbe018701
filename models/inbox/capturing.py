import contextlib
import hashlib
import logging
from datetime import timedelta

from odoo import fields, models, tools

from ...providers.base import Refused, Reply, WebhookRequest
from ...tools import turns
from .capture import LISTEN_MINUTES

_logger = logging.getLogger(__name__)


class TelephonyAccount(models.Model):
    """Listens to a PBX that nobody knows yet: what it sends is kept masked, beside the inbox."""

    _inherit = 'telephony.account'

    capture_until = fields.Datetime(
        string="Listening Until",
        readonly=True,
        copy=False,
        tracking=True,
        groups='crm_telephony.group_admin',
        help="Until then all that comes to the webhook address is kept for a day, masked, so that you can say what it means.",
    )
    capture_facts = fields.Json(
        string="Call to Learn From",
        copy=False,
        groups='crm_telephony.group_admin',
        help="The test call as the administrator makes it: {mobile, phone, dialled}.",
    )
    mapping = fields.Json(
        copy=False,
        groups='crm_telephony.group_admin',
        help="What the administrator has said of the captured requests so far.",
    )

    @tools.ormcache('self.id')
    def _listens_until(self):
        return self.sudo().capture_until

    def _is_listening(self):
        """Return whether captured requests are kept now. It costs no query, because every delivery
        asks."""
        until = self._listens_until()
        return bool(until) and until > fields.Datetime.now()

    def _listen(self):
        """Begin to listen, or listen on."""
        self.capture_until = fields.Datetime.now() + timedelta(minutes=LISTEN_MINUTES)
        _logger.info(
            "telephony account %s: user %s lets Odoo listen to what the PBX sends, until %s (UTC)",
            self.id,
            self.env.uid,
            self.capture_until,
        )

    def _stop_listening(self):
        if self._is_listening():
            self.sudo().capture_until = fields.Datetime.now()

    def _captured(self, request: WebhookRequest) -> Reply | None:
        """Keep a delivery while Odoo listens.

        :return: the answer, if nothing else can be done with it; None if it goes its usual way:
            because its events can be read already, or because there is no room for it any more
        :raise Refused: it is too large, or too many come at once
        """
        Capture = self.env['telephony.capture']
        if not self._settings().template:
            is_kept = turns.retried(self.env.cr, lambda: Capture._keep(self, request))
            return Reply() if is_kept else None
        # the limits are those of capturing: a PBX at work must not be turned away
        with (
            contextlib.suppress(Refused),
            turns.isolated(
                self.env.cr,
                _logger,
                "telephony account %s: a delivery could not be captured. It was received as usual.",
                self.id,
            ),
        ):
            Capture._keep(self, request)
        return None

    # === SECRETS === #

    def _masked(self, request):
        """Return a request without secrets, as plain data."""
        return self._adapter().bench.masked(request, self._all_secrets(), self._capture_salt())

    def _all_secrets(self):
        """Return every secret of every PBX: one may stand in what another sends."""
        accounts = (
            self.env['telephony.account']
            .sudo()
            .with_context(active_test=False)
            .search_fetch([], ['api_key', 'api_secret', 'webhook_token'])
        )
        return {
            secret
            for account in accounts
            for secret in (account.api_key, account.api_secret, account.webhook_token)
            if secret
        }

    def _capture_salt(self):
        """Return what is added to a secret before it is hashed. It is stored nowhere, so that nobody
        finds a weak secret by trying."""
        server = self.env['ir.config_parameter'].sudo().get_param('database.secret')
        return hashlib.sha256(f'{server}/telephony.capture/{self.id}'.encode()).digest()
