from odoo import fields, models

ACTIVITY = 'crm_telephony.mail_activity_type_alarm'


class TelephonyAlarm(models.Model):
    """Tells the telephony administrators of alarms by which calls are lost: an activity on the PBX, and
    one e-mail a round with all that is new. Both go when the alarm is over."""

    _inherit = 'telephony.alarm'

    reminder_ids = fields.Many2many(
        'mail.activity', string="Reminders", readonly=True, groups=fields.NO_ACCESS
    )

    def _tell(self):
        """Tell the administrators of each company of the new alarms among these."""
        losing = self.filtered('is_losing')
        companies = losing.company_id
        if any(not alarm.company_id for alarm in losing):
            companies |= self.env['telephony.account'].search([]).company_id
        mailed = self.env['res.users']
        for company in companies:
            alarms = losing.filtered(
                lambda alarm, company=company: alarm.company_id in (company, company.browse())
            )
            for user in company._telephony_administrators():
                alarms._remind(user, company)
                if user not in mailed or alarms.filtered('company_id'):
                    alarms._mail(user, company)
                mailed |= user

    def _remind(self, user, company):
        """Give an administrator an activity for each of these alarms on its PBX; one that concerns
        all is put on the first PBX of the company."""
        for alarm in self:
            account = alarm.account_id or self.env['telephony.account'].search(
                [('company_id', '=', company.id)], limit=1
            )
            mine = alarm.with_context(lang=user.lang, tz=user.tz)
            alarm.reminder_ids += account.with_context(
                mail_activity_quick_update=True
            ).activity_schedule(ACTIVITY, summary=mine.text, note=mine.advice, user_id=user.id)

    def _mail(self, user, company):
        """Queue one e-mail to an administrator about these alarms."""
        if not user.email:
            return
        alarms = self.with_context(lang=user.lang, tz=user.tz)
        body = alarms.env['ir.qweb']._render(
            'crm_telephony.alarm_mail',
            {'alarms': alarms, 'url': f'{company.get_base_url()}/odoo/telephony-alarms'},
        )
        texts = alarms.mapped('text')
        subject = (
            texts[0]
            if len(texts) == 1
            else alarms.env._(
                "%(count)s telephony alarms: %(first)s…", count=len(texts), first=texts[0]
            )
        )
        self.env['mail.mail'].sudo().create(
            {
                'subject': subject,
                'body_html': body,
                'email_to': user.email_formatted,
                'email_from': company.email_formatted or user.email_formatted,
                'auto_delete': True,
            }
        )

    def _take_back(self):
        """Take back the activities that nobody has done, because their alarms are over or known."""
        self.sudo().reminder_ids.filtered('active').unlink()
