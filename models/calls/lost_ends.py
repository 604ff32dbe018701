from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from ...tools import turns
from ..inbox.event import LOST


class TelephonyEvent(models.Model):
    """Calls whose end never came, and our own event that ends them."""

    _inherit = 'telephony.event'

    @api.model
    def _on_folded(self, account, records):
        return self.env['telephony.call'].with_company(account.company_id)._file(account, records)

    @api.model
    def _cron_close_lost(self):
        """Close calls whose end never came. Our word for it is an event like any other, so a true
        end that is found later still wins."""
        calls = self.env['telephony.call']
        calls = calls.search(
            [('state', '!=', 'ended'), ('start_at', '<', calls._live_since())], limit=10000
        )
        closed = 0
        for account, lost in calls.grouped('account_id').items():
            # whoever files its calls now may be ending some of them: the next turn
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
        """A person says that these calls are over. The locks end with the transaction.

        :param str reason: what is kept of it, a fact
        :raise UserError: somebody files calls of the PBX
        """
        for account, lost in calls.filtered('account_id').grouped('account_id').items():
            if not turns.claimed(self.env.cr, turns.Lock.FILING, account.ids):
                raise UserError(
                    self.env._("The PBX tells of calls at this very moment: try again.")
                )
            lost = lost.filtered(lambda call: call.state != 'ended')
            self._close_lost(account, lost)
            lost.end_reason = reason
        # what has come in meanwhile found the lock taken
        self.env.ref('crm_telephony.ir_cron_process_events')._trigger()

    @api.model
    def _close_lost(self, account, calls):
        """Close these calls of one account, which the caller has locked, and keep our word for it
        as an event of each.

        The fold changes nothing else of a call when that event comes, so all are written at once
        instead of folded one by one: after an outage they are thousands.

        :return: how many there were
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
