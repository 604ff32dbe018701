import json
import logging
from datetime import timedelta

from odoo import api, fields, models

from ...providers.base import ProviderError, Reply, WebhookRequest, parse_json, text_of
from ...tools import turns
from ...tools.words import _lt
from .alarm import Finding

_logger = logging.getLogger(__name__)

# What follows the webhook's address where a bridge says how it does.
SUFFIX = 'bridge'
# A bridge says so each minute. After so long it is silent.
SILENT = timedelta(minutes=5)
# So long events may wait in its spool, and so long it may be without its PBX.
PATIENCE = timedelta(minutes=5)
# So many starts within so long are too many.
MOST_STARTS, WITHIN = 4, timedelta(hours=1)
LONGEST_VERSION = 20


class TelephonyBridge(models.Model):
    """The program beside a PBX that sends its events, as it last said how it does.

    A row of its own, because it is written each minute, and the PBX's own row is what all events
    point to.
    """

    _name = 'telephony.bridge'
    _description = "Bridge beside a PBX"
    _rec_name = 'account_id'

    account_id = fields.Many2one(
        'telephony.account', string="PBX", required=True, readonly=True, ondelete='cascade'
    )
    company_id = fields.Many2one(related='account_id.company_id')
    seen_at = fields.Datetime(string="Last Heard Of", readonly=True)
    version = fields.Char(readonly=True)
    started_at = fields.Datetime(readonly=True)
    starts = fields.Json(readonly=True, help="Its latest starts.")
    deaf_since = fields.Datetime(string="Without Its PBX Since", readonly=True)
    waiting = fields.Integer(readonly=True, help="Events in its spool.")
    waiting_since = fields.Datetime(readonly=True)

    _account_uniq = models.UniqueIndex('(account_id)', "A PBX has one bridge.")

    @api.model
    def _note(self, account, told):
        """Note how the bridge of a PBX does.

        :param dict told: what it said
        :raise ProviderError: it is not what a bridge says
        """
        now = fields.Datetime.now()
        waiting, seconds = told.get('waiting'), told.get('waiting_seconds')
        up, deaf = told.get('up_seconds'), told.get('deaf_seconds')
        if not all(
            isinstance(number, (int, float))
            and not isinstance(number, bool)
            and 0 <= number < 10**9
            for number in (waiting, seconds, up, deaf)
        ):
            raise ProviderError(
                _lt("waiting, waiting_seconds, up_seconds and deaf_seconds should be numbers.")
            )
        bridge = self.search([('account_id', '=', account.id)]) or self.create(
            {'account_id': account.id}
        )
        started = now - timedelta(seconds=up)
        # told by an age, so that the clock of its machine does not matter; a minute is the same start
        is_new = not bridge.started_at or abs(started - bridge.started_at) > timedelta(minutes=1)
        recent = [
            at for at in bridge.starts or [] if fields.Datetime.from_string(at) > now - WITHIN
        ]
        bridge.write(
            {
                'seen_at': now,
                'version': text_of(told, 'version')[:LONGEST_VERSION],
                'started_at': started if is_new else bridge.started_at,
                'starts': [*recent, fields.Datetime.to_string(started)] if is_new else recent,
                'deaf_since': now - timedelta(seconds=deaf) if deaf else False,
                'waiting': waiting,
                'waiting_since': now - timedelta(seconds=seconds) if waiting else False,
            }
        )


class TelephonyAccount(models.Model):
    """Takes what a bridge says about itself, see docs/webhook.md."""

    _inherit = 'telephony.account'

    bridge_ids = fields.One2many('telephony.bridge', 'account_id', string="Bridge")

    def _on_verified(self, request: WebhookRequest) -> Reply | None:
        reply = super()._on_verified(request)
        is_bridge = request.suffix.strip('/') == SUFFIX and self._adapter().uploads_recordings
        if reply or not is_bridge:
            return reply
        try:
            told = parse_json(request.body, _lt("the body"))
            if not isinstance(told, dict):
                raise ProviderError(_lt("The body should be a JSON object."))
            turns.retried(
                self.env.cr, lambda: self.env['telephony.bridge'].sudo()._note(self, told)
            )
        except ProviderError as error:
            return Reply(str(error), 400)
        return Reply(json.dumps({'ok': True}), content_type='application/json')


class TelephonyAlarm(models.Model):
    """Finds bridges that are silent, hear nothing, keep events back or start again and again. A bridge
    that has never said how it does is an old one, of which nothing is known."""

    _inherit = 'telephony.alarm'

    @api.model
    def _find_at_bridge(self, accounts):
        now, found = fields.Datetime.now(), []
        watched = self._watched_since()
        bridges = self.env['telephony.bridge'].search([('account_id', 'in', accounts.ids)])
        for bridge in bridges:
            account, values = bridge.account_id, {'pbx': bridge.account_id.name}
            if max(bridge.seen_at, watched) < now - SILENT:
                text = _lt(
                    "The bridge of %(pbx)s is silent since %(at)s", at=bridge.seen_at, **values
                )
                found.append(
                    Finding('bridge_silent', account, text, since=bridge.seen_at, is_cause=True)
                )
                continue
            if bridge.deaf_since and bridge.deaf_since < now - PATIENCE:
                text = _lt(
                    "The bridge of %(pbx)s has no connection to it since %(at)s",
                    at=bridge.deaf_since,
                    **values,
                )
                found.append(
                    Finding('bridge_deaf', account, text, since=bridge.deaf_since, is_cause=True)
                )
            if bridge.waiting_since and bridge.waiting_since < now - PATIENCE:
                text = _lt(
                    "The bridge of %(pbx)s has kept %(count)s events back since %(at)s",
                    count=bridge.waiting,
                    at=bridge.waiting_since,
                    **values,
                )
                found.append(
                    Finding(
                        'bridge_spools', account, text, since=bridge.waiting_since, is_cause=True
                    )
                )
            recent = [
                at for at in bridge.starts or [] if fields.Datetime.from_string(at) > now - WITHIN
            ]
            if len(recent) >= MOST_STARTS:
                text = _lt(
                    "The bridge of %(pbx)s has started %(count)s times within an hour",
                    count=len(recent),
                    **values,
                )
                found.append(Finding('bridge_restarts', account, text))
        return found
