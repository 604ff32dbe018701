from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from ...tools import turns
from ..inbox.event import LOST


class TelephonyEvent(models.Model):
    """Closes calls whose end never came, by an event of our own."""

    _inherit = 'telephony.event'

    @api.model
    def _on_folded(self, account, records):
        calls = self.env['telephony.call'].with_company(account.company_id)
        return {**super()._on_folded(account, records), **calls._file(account, records)}

    @api.model
    def _cron_close_lost(self):
        """Close calls whose end never came. Our event for it is folded like any other, so a true end
        that is found later still wins."""
        calls = self.env['telephony.call']
        calls = calls.search(
            [('state', '!=', 'ended'), ('start_at', '<', calls._live_since())], limit=10000
        )
        closed = 0
        for account, lost in calls.grouped('account_id').items():
            # not while its calls are filed, which may end some of them: the next run comes back
            with (
                turns.held(self.env, turns.Lock.FILING, account.id) as is_ours,
                turns.gives_way(self.env),  # somebody has settled one of them meanwhile
            ):
                if is_ours:
                    closed += self._close_lost(account, lost)
                    self.env.cr.commit()  # pylint: disable=invalid-commit
        self.env['ir.cron']._commit_progress(closed)

    @api.model
    def _clear(self, calls, reason):
        """Close these calls, because a person says that they are over. The locks end with the
        transaction.

        :param str reason: a fact, kept on the calls
        :raise UserError: calls of the PBX are being filed
        """
        for account, lost in calls.filtered('account_id').grouped('account_id').items():
            if not turns.claimed(self.env.cr, turns.Lock.FILING, account.ids):
                raise UserError(
                    self.env._(
                        "Calls of this PBX are being filed right now. Try again in a moment."
                    )
                )
            lost = lost.filtered(lambda call: call.state != 'ended')
            self._close_lost(account, lost)
            lost.end_reason = reason
        # events that have come in meanwhile could not be filed: the lock was ours
        self.env.ref('crm_telephony.ir_cron_process_events')._trigger()

    @api.model
    def _close_lost(self, account, calls):
        """Close these calls of one account, which the caller has locked, and store an event of our
        own for each.

        All are written at once instead of folded one by one, because after an outage they are
        thousands, and the fold would change nothing else of a call.

        :return: how many were closed
        """
        calls = calls.filtered(lambda call: call.state != 'ended')
        if not calls:
            return 0
        now = fields.Datetime.now()
        self.env.cr.execute(
            SQL(
                """ INSERT INTO telephony_event
                       (account_id, call_id, received_at, attempts, create_uid, create_date, write_uid, write_date,
                        kind, call_ref, dedupe_key, state, payload)
                SELECT account_id, id, %(now)s, 0, %(uid)s, %(now)s, %(uid)s, %(now)s,
                       %(kind)s, external_id, %(kind)s || ':' || external_id, 'done', '{}'
                  FROM telephony_call WHERE id IN %(ids)s
                    ON CONFLICT (account_id, dedupe_key) DO NOTHING """,
                now=now,
                uid=SUPERUSER_ID,
                kind=LOST,
                ids=calls._ids,
            )
        )
        calls._close_without_end()
        return len(calls)
