from urllib.parse import urlsplit

from odoo import fields, models
from odoo.fields import Domain

from ...providers.capabilities import OpensSound
from ...providers.fetch import host_allowed
from ...providers.reading import first_told
from ..inbox.event import NOT_DELIVERED
from .verdict import Evidence


class TelephonyTestCall(models.Model):
    """What is known of the call of a test, and what came instead if there is none (sudo)."""

    _inherit = 'telephony.test.call'

    def _evidence(self):
        call = self.call_id
        heard_at = self._heard_at(call).get(call)
        if not heard_at:
            return Evidence(self.begun_at, trouble=self._trouble())
        line, callback = call.number_id, self._callback_of(call)
        return Evidence(
            begun_at=self.begun_at,
            heard_at=heard_at,
            direction=call.direction,
            caller=self._caller_of(call),
            customer=call.customer_number or '',
            called=call.called_number or '',
            is_known_line=bool(line),
            is_chosen_line=bool(line) and (self.number_id or line) == line,
            start_at=self._told_start(call),
            ended_at=call.ended_at or None,
            is_over=call.state == 'ended',
            has_time='time' not in (call.doubts or '').split(','),
            is_end_known=not call.end_unknown,
            talk_seconds=call.talk_seconds,
            outcome=call.outcome or '',
            extension=call.extension or '',
            has_user=bool(call.user_id),
            is_answered=bool(call.answered_at) or call.outcome == 'answered',
            is_excluded=call.is_excluded,
            card=self._card(call),
            is_matched=bool(call.partner_id or call.lead_id),
            recording=self._recording(call),
            has_callback=bool(callback),
            has_activity=bool(callback.activity_id),
        )

    def _told_start(self, call):
        """Return when the call began by the PBX's own clock (naive UTC), None if it does not tell. The
        log has another time if that was in the future."""
        if 'time' not in (call.doubts or ''):
            return call.start_at or None
        account, Event = call.account_id, self.env['telephony.event']
        stored = Event._stored(Event._events_of(account, [call.external_id]))
        told = first_told(account._adapter(), stored, account._settings())
        return told.replace(tzinfo=None) if told else call.start_at or None

    def _those_rung(self, call):
        """Return the users who should see the card: who answered, else those whose phones rang."""
        return call.user_id or call.leg_ids.user_id

    def _card(self, call):
        users = self._those_rung(call)
        if users & self.card_user_ids:
            return 'shown'
        if not users:
            # the PBX tells no phones, so the team of the number sees the card
            return 'shown' if self.card_user_ids and not call.leg_ids else ''
        return 'told' if any(call._is_told(user) for user in users) else 'off'

    def _recording(self, call):
        states = set(call.recording_ids.mapped('state'))
        if 'ready' in states:
            return 'ready'
        if 'refused' in states or call._recording_policy() == 'off':
            return 'off'
        if call.state == 'ended' and self._foreign_host(call):
            return 'foreign'
        return 'failed' if 'failed' in states else 'waits' if states else ''

    def _foreign_host(self, call):
        """Return the host of a recording that was left out or may not be fetched, because nobody has
        entered the host; '' if there is none."""
        account, Event = call.account_id, self.env['telephony.event']
        if not account or account._can(OpensSound):
            return ''
        events = Event._events_of(account, [call.external_id])
        folded, _reasons = Event._fold(account, *Event._with_sharers(account, events))
        record, _events = folded.get(call.external_id, (None, ()))
        hosts = (
            [urlsplit(recording.url).hostname for recording in record.recordings] if record else []
        )
        return next(
            (host for host in hosts if host and not host_allowed(host, account._recording_hosts())),
            '',
        )

    def _callback_of(self, call):
        """Return the callback that this call opened or joined."""
        return self.env['telephony.callback']._open_of(call).get(call) or call.callback_id

    # === WHAT CAME INSTEAD === #

    def _trouble(self):
        """Return why there is no call, one of verdict.TROUBLES."""
        account = self.account_id
        if other := self._calls_since()[:1]:
            if self.phone:
                return 'other_caller'
            return 'old_call' if other.number_id == self.number_id else 'other_line'
        states = self._events_since().mapped('state')
        for state in ('failed', 'ignored'):
            if state in states:
                return state
        if account.refused_at and account.refused_at >= self.begun_at:
            return 'refused'
        return 'unreachable' if account.webhook_warning else 'nothing'

    def _events_since(self):
        """Return the latest events that the PBX has sent during the test."""
        until = self.ended_at or fields.Datetime.now()
        return self.env['telephony.event'].search(
            Domain('account_id', '=', self.account_id.id)
            & Domain('received_at', '>=', self.begun_at)
            & Domain('received_at', '<=', until)
            & Domain('kind', 'not in', NOT_DELIVERED),
            limit=500,
        )
