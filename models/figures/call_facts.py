from datetime import timedelta

from odoo import fields, models
from odoo.tools import SQL

from ...tools.lost_cause import Loss, cause_of
from ...tools.records import changes
from ...tools.working_hours import Presence
from ..calls.call import LOST_OUTCOMES

# No call that overlaps another began longer before it.
LONGEST_CALL = timedelta(hours=4)


class TelephonyCall(models.Model):
    """What only the follow-up knows of a call: whether it came in working hours, and why it was
    lost."""

    _inherit = 'telephony.call'

    in_hours = fields.Boolean(
        string="In Working Hours",
        readonly=True,
        help="The call began in the working hours of its number, team or company.",
    )
    lost_cause = fields.Selection(
        [
            ('closed', "After hours"),
            ('at_once', "Hung up at once"),
            ('lines', "Lines were full"),
            ('nobody_free', "Nobody was free"),
            ('not_picked_up', "Not picked up"),
            ('unknown', "Not known"),
        ],
        string="Why Lost",
        readonly=True,
        help="Not picked up: somebody who was at work had a free phone for 10 seconds or the whole wait.",
    )

    def _after_rules_applied(self, openings):
        super()._after_rules_applied(openings)
        (self | self._judged_losses())._write_figures(openings)

    def _judged_losses(self):
        """Return the lost calls that were judged before it was known that these calls went on at the
        same time, as when a PBX tells them late."""
        told = self.filtered(lambda call: call.answered_at or call.direction == 'outbound')
        if not told:
            return self.browse()
        told.flush_recordset(['start_at', 'ended_at', 'company_id'])
        rows = self.env.execute_query(
            SQL(
                """ SELECT DISTINCT lost.id
                      FROM telephony_call told
                      JOIN telephony_call lost
                        ON lost.company_id = told.company_id
                       AND lost.start_at BETWEEN told.start_at - %s AND COALESCE(told.ended_at, told.start_at)
                       AND COALESCE(lost.ended_at, lost.start_at + lost.wait_seconds * INTERVAL '1 second')
                           >= told.start_at
                     WHERE told.id IN %s AND lost.lost_cause IN ('nobody_free', 'not_picked_up', 'lines') """,
                LONGEST_CALL,
                told._ids,
            )
        )
        return self.browse(row[0] for row in rows)

    def _write_figures(self, openings):
        """Write what is known of these calls of one company by now."""
        for call, values in self._known_now(openings).items():
            if news := changes(call, values):
                call.write(news)

    def _known_now(self, openings):
        """Return what is known of these calls of one company by now: dict call → field values."""
        inside = self.filtered(lambda call: self._is_in_hours(call, openings))
        causes = self._causes(inside)
        return {
            call: {'in_hours': call in inside, 'lost_cause': causes.get(call, False)}
            for call in self
        }

    @staticmethod
    def _is_in_hours(call, openings):
        return bool(call.start_at) and openings.of(call).is_open(call.start_at)

    def _is_loss(self):
        return self.service_class == 'blocked' or (
            self.service_class == 'offered' and self.outcome in LOST_OUTCOMES
        )

    def _causes(self, inside):
        """Return why those of these calls that were lost were lost: dict call → a value of
        `lost_cause`.

        :param inside: those of these calls that came in working hours
        """
        losses = self.filtered(lambda call: call._is_loss() and call.start_at)
        # only these need to know what the others did
        asked = losses.filtered(
            lambda call: call in inside
            and call.service_class == 'offered'
            and not call.is_short_abandon
        )
        busy, others = asked._overlaps() if asked else ({}, {})
        staff = {}
        for account in asked.account_id:
            users = {user for user in account._directory().users.values() if user}
            staff[account] = Presence(self.env['res.users'].browse(users), account.company_id)
        causes = {}
        for call in losses:
            begin = call._service_begin()
            present = staff[call.account_id].at_work(begin) if call in asked else ()
            causes[call] = cause_of(
                Loss(
                    is_blocked=call.service_class == 'blocked',
                    in_hours=call in inside,
                    is_short_abandon=call.is_short_abandon,
                    begin=begin,
                    end=call._loss_end(),
                    busy=[busy.get((call.id, user_id), ()) for user_id in present],
                    others=others.get(call.id, ()),
                    lines=call.account_id.line_count,
                )
            )
        return causes

    def _loss_end(self):
        """Return when the caller was lost (naive UTC); some PBXs tell the wait but no end."""
        return self.ended_at or self.start_at + timedelta(seconds=self.wait_seconds)

    def _service_begin(self):
        """Return when a phone or queue took the caller (naive UTC)."""
        return self.start_at + timedelta(seconds=self.menu_seconds)

    def _overlaps(self):
        """Return the calls that went on while these were waiting, in one query. Who still talks, talks
        until the end of the wait.

        :return: dict (call id, user id) → intervals in which that user talked or dialled; dict call
            id → intervals of the other calls with the outside; both as pairs of naive UTC
        """
        self.env['telephony.call'].flush_model()
        self.env['telephony.call.leg'].flush_model()
        busy, others = {}, {}
        for call_id, kind, user_id, start, end in self.env.execute_query(
            SQL(
                """ WITH lost AS (
                        SELECT id, company_id, start_at + menu_seconds * INTERVAL '1 second' AS begin_at,
                               COALESCE(ended_at, start_at + wait_seconds * INTERVAL '1 second') AS ended_at
                          FROM telephony_call
                         WHERE id IN %(ids)s)
                    SELECT lost.id, 'leg', leg.user_id, leg.answered_at, LEAST(leg.ended_at, lost.ended_at)
                      FROM lost
                      JOIN telephony_call_leg leg
                        ON leg.start_at BETWEEN lost.begin_at - %(longest)s AND lost.ended_at
                      JOIN telephony_call call ON call.id = leg.call_id
                     WHERE leg.user_id IS NOT NULL AND leg.answered_at < lost.ended_at
                       AND (leg.ended_at > lost.begin_at OR leg.ended_at IS NULL AND call.state != 'ended')
                 UNION ALL
                    SELECT lost.id, 'call', CASE WHEN call.direction = 'outbound' THEN call.user_id END,
                           call.start_at, LEAST(call.ended_at, lost.ended_at)
                      FROM lost
                      JOIN telephony_call call
                        ON call.company_id = lost.company_id
                       AND call.start_at BETWEEN lost.begin_at - %(longest)s AND lost.ended_at
                     WHERE (call.ended_at > lost.begin_at OR call.state != 'ended')
                       AND call.direction != 'internal' AND call.is_manual IS NOT TRUE AND call.id != lost.id """,
                ids=self._ids,
                longest=LONGEST_CALL,
            )
        ):
            if user_id:
                busy.setdefault((call_id, user_id), []).append((start, end))
            if kind == 'call':
                others.setdefault(call_id, []).append((start, end))
        return busy, others
