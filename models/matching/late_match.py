import logging
import time
from datetime import timedelta

from odoo import api, fields, models
from odoo.tools import SQL, split_every

from ...tools import turns
from ...tools.settings import setting

_logger = logging.getLogger(__name__)

# Numbers that are taken from the queue at once, and calls that are looked up and written in one
# transaction. So few numbers that with all pauses they are done before Odoo ends a scheduled action
# that takes too long (120 s).
NUMBERS = 5
BATCH = 20
# Deliveries came in so shortly ago: binding takes this part of the time, and pauses so long at most
# (seconds). Hardly more than this part of them meets a batch and waits for it.
BUSY = timedelta(seconds=10)
SHARE = 0.02
LONGEST_PAUSE = 2.0


class TelephonyRebind(models.Model):
    """Numbers whose owner has changed since their calls were looked up. Rows are only added, and
    taken away by the scheduled action that binds those calls: nobody waits for it, the filing of
    calls least of all."""

    _name = 'telephony.rebind'
    _description = "Number whose past calls are to be looked up again"
    _log_access = False

    number = fields.Char(required=True, readonly=True)

    @api.model
    def _queue(self, numbers):
        """Look up the past calls of these E.164 numbers again, if there are any that nobody has
        settled."""
        if not (numbers := [number for number in set(numbers) if number]):
            return
        self.env['telephony.call'].flush_model(
            ['customer_number', 'match_state', 'lead_id', 'start_at', 'state']
        )
        rows = self.env.execute_query(
            SQL(
                """ INSERT INTO telephony_rebind (number)
                SELECT number FROM unnest(%s) AS number
                 WHERE EXISTS (SELECT FROM telephony_call AS call WHERE call.customer_number = number AND %s)
             RETURNING id """,
                numbers,
                self._open_condition(),
            )
        )
        if rows:
            self.env.ref('crm_telephony.ir_cron_bind_late')._trigger()

    @api.model
    def _open_condition(self):
        """Of a `call` that may still get a contact or a deal: ended, not too old, on no deal, and
        not set by hand."""
        days = setting(self.env, 'late_days')
        return SQL(
            "call.match_state != 'manual' AND call.lead_id IS NULL AND call.state = 'ended' AND call.start_at >= %s",
            fields.Datetime.now() - timedelta(days=days),
        )

    @api.model
    def _cron_bind_late(self):
        """Give past calls to whom they turn out to belong to, some numbers at a time; one bad call
        never stops the rest."""
        left = 1
        # a webhook writes one of these calls: the next turn
        with turns.gives_way(self.env, 'crm_telephony.ir_cron_bind_late'):
            while left and (rows := self.search([], limit=NUMBERS, order='id')):
                for ids in split_every(BATCH, self._calls_of(set(rows.mapped('number')))):
                    begin = time.monotonic()
                    self._bind(self.env['telephony.call'].browse(ids))
                    self.env['ir.cron']._commit_progress(len(ids))
                    self._give_way(time.monotonic() - begin)
                self.env.execute_query(
                    SQL("DELETE FROM telephony_rebind WHERE id IN %s RETURNING id", rows._ids)
                )
                remaining = self.search_count([])
                if (
                    not (left := self.env['ir.cron']._commit_progress(0, remaining=remaining))
                    and remaining
                ):
                    # else the scheduler comes back only after a minute
                    self.env.ref('crm_telephony.ir_cron_bind_late')._trigger()
                    self.env['ir.cron']._commit_progress(0, remaining=remaining)

    def _give_way(self, seconds):
        """While PBXs deliver, this takes only a small part of the time: who is called now comes
        before the past.

        :param seconds: how long the last batch has taken
        """
        latest = self.env.execute_query(
            SQL("SELECT received_at FROM telephony_event ORDER BY id DESC LIMIT 1")
        )
        self.env.cr.rollback()  # nothing is held while waiting
        if latest and latest[0][0] > fields.Datetime.now() - BUSY:
            time.sleep(min(seconds * (1 / SHARE - 1), LONGEST_PAUSE))

    @api.model
    def _calls_of(self, numbers):
        """Ids of the calls of these numbers that may be bound, so many of each at most, the
        latest."""
        return [
            call_id
            for (call_id,) in self.env.execute_query(
                SQL(
                    """ SELECT calls.id FROM unnest(%s) AS numbers (number), LATERAL (
                    SELECT call.id FROM telephony_call AS call
                     WHERE call.customer_number = numbers.number AND %s
                  ORDER BY call.start_at DESC LIMIT %s) AS calls """,
                    list(numbers),
                    self._open_condition(),
                    setting(self.env, 'late_count'),
                )
            )
        ]

    @api.model
    def _bind(self, calls):
        with turns.isolated(self.env.cr) as trial:
            calls._match_late()
        if trial.error and len(calls) > 1:
            for call in calls:
                self._bind(call)
        elif trial.error:
            _logger.error(
                "call %s could not be bound to its contact", calls.id, exc_info=trial.error
            )
