from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain


class TelephonyAccount(models.Model):
    """How the copies of a PBX's recordings get on, and who is told when they do not."""

    _name = 'telephony.account'
    _inherit = ['telephony.account', 'mail.thread', 'mail.activity.mixin']

    copies_today = fields.Char(string="Copies Today", compute='_compute_copies')
    lost_copies = fields.Integer(string="Lost Copies", compute='_compute_copies')
    oldest_to_copy = fields.Datetime(
        string="Oldest Not Copied",
        compute='_compute_copies',
        help="The start of the oldest call whose recording is still to be copied.",
    )

    @api.depends_context('lang', 'tz', 'uid')
    def _compute_copies(self):
        today = self._today()
        for account in self:
            recordings = self.env['telephony.recording'].sudo()
            of_account = Domain('account_id', '=', account.id or 0)
            waiting = of_account & Domain('copy_state', '=', 'todo')
            counts = dict(
                recordings._read_group(
                    of_account & Domain('copied_at', '>=', today), ['copy_state'], ['__count']
                )
            )
            done, lost = counts.get('done', 0), counts.get('lost', 0)
            account.lost_copies = lost
            account.copies_today = self.env._(
                "%(done)s of %(all)s copied today, %(lost)s lost",
                done=done,
                all=done + lost + recordings.search_count(waiting),
                lost=lost,
            )
            account.oldest_to_copy = recordings.search(waiting, order='start_at', limit=1).start_at

    @api.model
    def _today(self):
        """Return when the reader's day began (naive UTC)."""
        now = fields.Datetime.context_timestamp(self, fields.Datetime.now())
        passed = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return fields.Datetime.now() - (now - passed)

    def action_view_recordings(self):
        """Open the recordings of this PBX that are not copied, else all of them."""
        self.ensure_one()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'crm_telephony.telephony_recording_action'
        )
        action['domain'] = [('account_id', '=', self.id)]
        action['context'] = {'search_default_lost': 1} if self.lost_copies else {}
        return action

    def _tell_lost_copies(self):
        """Tell the administrators once a day how many recordings could not be copied. What is lost
        later changes the number, as long as nobody has done the activity."""
        lost = self.env['telephony.recording'].search_count(
            [
                ('account_id', '=', self.id),
                ('copy_state', '=', 'lost'),
                ('copied_at', '>=', fields.Datetime.today()),
            ]
        )
        self._tell_administrators(
            'lost_recordings',
            timedelta(days=1),
            lambda env: env._(
                "%(count)s recordings of %(pbx)s could not be copied", count=lost, pbx=self.name
            ),
        )

    def _tell_full_disk(self):
        """Tell the administrators that there is no room for copies, once an hour."""
        self._tell_administrators(
            'full_disk',
            timedelta(hours=1),
            lambda env: env._(
                "The server's disk is full: recordings are not copied until there is room"
            ),
        )

    def _tell_administrators(self, kind, pause, words):
        """Give each administrator of the company an activity. If they have one of this kind, its
        words are changed; if they have done one within `pause`, they are left alone.

        :param kind: 'lost_recordings' or 'full_disk'
        :param words: called with the environment of an administrator; returns a sentence
        """
        xml_id = f'crm_telephony.mail_activity_type_{kind}'
        kind_id = self.env['ir.model.data']._xmlid_to_res_id(xml_id)
        given = (
            self.env['mail.activity']
            .with_context(active_test=False)
            .search(
                [
                    ('res_model', '=', self._name),
                    ('res_id', '=', self.id),
                    ('activity_type_id', '=', kind_id),
                ]
            )
        )
        for user in self.company_id._telephony_administrators():
            mine = given.filtered(lambda activity, user=user: activity.user_id == user)
            summary = words(self.with_context(lang=user.lang).env)
            if unread := mine.filtered('active'):
                unread.summary = summary
            elif not any(activity.create_date > fields.Datetime.now() - pause for activity in mine):
                self.with_context(mail_activity_quick_update=True).activity_schedule(
                    xml_id, summary=summary, user_id=user.id
                )
