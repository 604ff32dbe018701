import logging
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError
from odoo.fields import Domain

from ...tools.clocks import clock
from .report import local_of

_logger = logging.getLogger(__name__)

# Local hour of Monday at which the letter goes out.
HOUR = 8
# Owed callers that are named; the others are behind the link.
MOST_NAMED = 10
# Fewer calls say nothing about an hour.
LEAST_CALLS = 5


class ResCompany(models.Model):
    _inherit = 'res.company'

    telephony_letter_user_ids = fields.Many2many(
        'res.users',
        'telephony_letter_user_rel',
        string="Weekly Letter To",
        domain="[('share', '=', False)]",
        help="Supervisors who get the figures of the last week by e-mail, each Monday at 8.",
    )
    telephony_letter_week = fields.Date(
        readonly=True, help="Monday of the last week of which the letter was sent."
    )


class TelephonyReport(models.AbstractModel):
    """The weekly letter: the same figures as on the screen, in the reader's language."""

    _inherit = 'telephony.report'

    @api.model
    def _cron_letter(self):
        """Send the letters of last week, each Monday at 8 in the morning of the company."""
        for company in self.env['res.company'].search([('telephony_letter_user_ids', '!=', False)]):
            now = local_of(fields.Datetime.now(), company._telephony_zone())
            monday = now.date() - timedelta(days=now.weekday() + 7)
            is_time = now.weekday() > 0 or now.hour >= HOUR
            if is_time and (company.telephony_letter_week or monday - timedelta(days=1)) < monday:
                company.telephony_letter_week = monday
                self._send_letters(company)
            self.env['ir.cron']._commit_progress(1)

    @api.model
    def _send_letters(self, company):
        """Queue a letter for each recipient who may still see the figures.

        :return: mail.mail
        """
        mails = self.env['mail.mail'].sudo()
        for user in company.telephony_letter_user_ids.filtered('active'):
            report = self.with_user(user).with_context(
                allowed_company_ids=company.ids, lang=user.lang, tz=user.tz
            )
            try:
                subject, body = report._letter()
            except AccessError:
                _logger.warning(
                    "weekly letter: user %s may not see the figures of company %s any more, so they get none. Take them "
                    "from the recipients in the settings.",
                    user.id,
                    company.id,
                )
                continue
            mails |= mails.create(
                {
                    'subject': subject,
                    'body_html': body,
                    'email_to': user.email_formatted,
                    'email_from': company.email_formatted or user.email_formatted,
                    'auto_delete': True,
                }
            )
        return mails

    def _letter(self):
        """Return subject and body of the letter about last week, for the current user.

        :raise AccessError: they may not see the figures
        """
        self._check_supervisor()
        values = self._letter_values()
        subject = self.env._(
            "Calls of %(company)s: %(first)s – %(last)s",
            company=self.env.company.name,
            first=values['first'],
            last=values['last'],
        )
        body = self.env['ir.qweb']._render(
            'crm_telephony.weekly_letter', {**values, 'subject': subject}
        )
        return subject, body

    def _letter_values(self):
        """Return what the template shows: `paragraphs` before and after the callers who are owed a
        call, those callers, and addresses."""
        _ = self.env._
        board, before = self.get_board('last_week'), self.get_before('last_week')
        counts, callers = board['counts'], board['callers']
        format_date = self.env['ir.qweb.field.date'].value_to_html
        lost = callers['debts_lost']
        owed = self.env['telephony.callback'].search(
            Domain(lost['domain']) & Domain('state', '=', 'open'), limit=MOST_NAMED
        )
        more = lost['value'] - len(owed)
        return {
            'first': format_date(board['period']['first'], {}),
            'last': format_date(board['period']['last'], {}),
            'paragraphs': self._letter_sentences(board, before),
            'owed_title': lost['value']
            and _(
                "%(lost)s of %(callers)s callers were lost and have not been reached since:",
                lost=lost['value'],
                callers=callers['callers'],
            ),
            'owed': [
                {
                    'name': callback.partner_id.display_name
                    or callback.lead_id.display_name
                    or callback.customer_number,
                    'url': f'{self.get_base_url()}/odoo/telephony-callbacks/{callback.id}',
                    'user': callback.user_id.name,
                }
                for callback in owed
            ],
            'owed_more': more > 0 and _("and %(count)s more", count=more),
            'not_counted': _(
                "Not counted: %(count)s calls whose end is not known or whose number is no customer's.",
                count=counts['end_unknown']['value'] + counts['excluded']['value'],
            ),
            'url': f'{self.get_base_url()}/odoo/telephony-report',
        }

    def _letter_sentences(self, board, before):
        _ = self.env._
        counts, times = board['counts'], board['times']
        if not counts['offered']['value'] and not counts['blocked']['value']:
            return [_("No calls came in last week.")]
        sentences = [
            _(
                "%(offered)s calls were offered to us, %(offered_before)s in the week before. Lost: %(lost)s, "
                "before %(lost_before)s.",
                offered=counts['offered']['value'],
                offered_before=before['counts']['offered']['value'],
                lost=self._share_text(board['shares']['lost_call_rate']),
                lost_before=self._share_text(before['shares']['lost_call_rate']),
            ),
            counts['blocked']['value']
            and _("Another %(count)s found all lines busy.", count=counts['blocked']['value']),
            _(
                "Time to answer: %(answer)s, before %(answer_before)s. Short talks: %(short)s.",
                answer=_seconds_text(times['answer_mean']),
                answer_before=_seconds_text(before['times']['answer_mean']),
                short=self._share_text(board['shares']['short_talk_share']),
            ),
            board['causes']
            and _("Why calls were lost. %(causes)s.", causes=self._causes_sentence(board)),
            self._best_and_worst(board),
        ]
        if won := sum(row['won'] for row in self.get_sources('last_month')):
            sentences.append(_("Deals won from first calls of last month: %(won)s.", won=won))
        return [sentence for sentence in sentences if sentence]

    def _share_text(self, share):
        """Return a share as people read it: a fraction of few, a dash of none."""
        if not share['d']:
            return "–"
        if share['d'] < 20:
            return f"{share['n']}/{share['d']}"
        percent = self.env['ir.qweb.field.float'].value_to_html(
            100 * share['n'] / share['d'], {'precision': 1}
        )
        return f"{percent} %"

    def _causes_sentence(self, board):
        counts = board['counts']
        parts = [
            f"{counts[cause['count']]['label']}: {counts[cause['count']]['value']}"
            for cause in board['causes']
        ]
        return '; '.join(parts)

    def _best_and_worst(self, board):
        """Return a sentence about the hours of the week with the least and the largest share of lost
        calls, '' where too few calls came."""
        hours = [cell for cell in board['hours'] if cell['offered'] >= LEAST_CALLS]
        if len(hours) < 2:
            return ''
        ranked = sorted(hours, key=lambda cell: (cell['lost'] / cell['offered'], -cell['offered']))
        return self.env._(
            "Worst hour: %(worst)s. Best hour: %(best)s.",
            worst=self._hour_text(ranked[-1]),
            best=self._hour_text(ranked[0]),
        )

    def _hour_text(self, cell):
        days = dict(
            self.env['resource.calendar.attendance']
            ._fields['dayofweek']
            ._description_selection(self.env)
        )
        return self.env._(
            "%(day)s, %(hour)s–%(until)s: %(lost)s of %(offered)s lost",
            day=days[str(cell['weekday'])],
            hour=f"{cell['hour']:02}:00",
            until=f"{(cell['hour'] + 1) % 24:02}:00",
            lost=cell['lost'],
            offered=cell['offered'],
        )


class TelephonyLetter(models.TransientModel):
    """Shows the weekly letter as the current user would get it, and sends it at once."""

    _name = 'telephony.letter'
    _description = "Weekly letter"

    subject = fields.Char(readonly=True)
    body = fields.Html(readonly=True, sanitize=False)

    @api.model
    def action_preview(self):
        """Open the letter of last week."""
        subject, body = self.env['telephony.report']._letter()
        letter = self.create({'subject': subject, 'body': body})
        return letter._get_records_action(name=self.env._("Weekly Letter"), target='new')

    def action_send(self):
        """Send it to all recipients of the company now."""
        self.ensure_one()
        self.env['telephony.report']._check_supervisor()
        mails = self.env['telephony.report'].sudo()._send_letters(self.env.company)
        return {
            'type': 'ir.actions.client',
            'tag': 'display_notification',
            'params': {
                'type': 'success' if mails else 'warning',
                'message': self.env._("Queued for %(count)s recipients.", count=len(mails))
                if mails
                else self.env._(
                    "Nobody is entered as a recipient. Enter supervisors in the settings."
                ),
                'next': {'type': 'ir.actions.act_window_close'},
            },
        }


def _seconds_text(seconds):
    return "–" if seconds is None else clock(int(seconds + 0.5))
