from datetime import timedelta

from markupsafe import Markup

from odoo import fields, models
from odoo.tools.mail import plaintext2html

from ...providers.numbers import pretty
from ...tools.clocks import clock
from ...tools.records import label_of
from ...tools.settings import setting
from ..core.other_side import name_in


class TelephonyCall(models.Model):
    """The line of a call in the chatter of its deal, or else of its contact.

    The web client draws the line from the call itself, for each reader (:meth:`_chatter_lines`). The
    body of the message says the same in the company's language, because mails, other clients and
    searches know no call.
    """

    _inherit = 'telephony.call'

    def _after_customer_changed(self, moved, memory):
        """Move the line to the new deal or contact. A line that somebody has deleted does not come
        back, and old calls get none, because they are no news."""
        super()._after_customer_changed(moved, memory)
        recent = fields.Datetime.now() - timedelta(days=setting(self.env, 'late_deal_days'))
        places, is_restored = memory['places'], memory['is_restored']
        told = moved.filtered(
            lambda call: call.follow_up == 'done'
            and (call.message_id or (not places[call] and (call.start_at >= recent or is_restored)))
        )
        moved.message_id.sudo().unlink()
        for company, calls in told.grouped('company_id').items():
            calls.with_company(company)._log_in_chatter()

    def _log_in_chatter(self):
        """Write one line on the deal, or else the contact, of each call, or correct the line that is
        there."""
        told = self.filtered('message_id')
        told._correct_in_chatter()
        # in the order in which they are read
        waiting = (
            (self - told)
            .filtered(lambda call: call._place())
            .sorted(lambda call: (call.start_at, call.id))
        )
        values = [call._message_values() for call in waiting]
        self._add_senders(values)
        thread = self.env['mail.thread'].sudo()
        for call, message in zip(
            waiting, thread._message_create(values) if values else (), strict=True
        ):
            call.message_id = message

    def _correct_in_chatter(self):
        for call in self:
            call.message_id.sudo().write(
                {
                    name: value
                    for name, value in call._message_values().items()
                    if name in ('body', 'author_id', 'date')
                }
            )

    def _message_values(self):
        """Return the values of the call's line: a message that nobody is notified of, with a body in
        the company's language."""
        self = self.with_context(lang=self.company_id._telephony_lang())
        place, model_data = self._place(), self.env['ir.model.data']
        values = {
            'model': place._name,
            'res_id': place.id,
            'author_id': self._talker_of_line().partner_id.id
            or model_data._xmlid_to_res_id('base.partner_root'),
            'body': self._chatter_line(),
            'message_type': 'notification',
            'subtype_id': model_data._xmlid_to_res_id('mail.mt_note'),
            'is_internal': True,
        }
        if moment := self._moment():  # the line of a call that comes late stands at its time
            values['date'] = moment
        return values

    def _add_senders(self, messages):
        """Add what Odoo would compute for each of these messages anew, once for each author."""
        thread, senders = self.env['mail.thread'].sudo(), {}
        for values in messages:
            if (author := values['author_id']) not in senders:
                _author, email_from = thread._message_compute_author(author)
                senders[author] = {
                    'email_from': email_from,
                    'reply_to': thread._notify_get_reply_to(default=email_from, author_id=author)[
                        False
                    ],
                    'record_alias_domain_id': False,
                    'record_company_id': False,
                }
            values.update(senders[author])

    def _talker_of_line(self):
        """Return the user who talked longest, else who took or placed the call, else an empty
        recordset."""
        talked = self.leg_ids.filtered(lambda leg: leg.user_id and leg.talk_seconds)
        return max(talked, key=lambda leg: leg.talk_seconds).user_id if talked else self.user_id

    def _chatter_line(self):
        """Return the call in one line, with result and note, in the language of the environment."""
        _ = self.env._
        parts = [label_of(self, 'outcome') or _("end unknown")]
        if user := self._talker_of_line():
            parts.append(user.name)
        if self.outcome == 'answered':
            parts.append(_("talk %(clock)s", clock=clock(self.talk_seconds)))
        else:
            parts.append(_("wait %(clock)s", clock=clock(self.wait_seconds)))
        line = Markup(
            '<span class="fa fa-phone me-1"></span><a href="#" data-oe-model="telephony.call" data-oe-id="%s">'
            '%s %s</a>: %s'
        ) % (
            self.id,
            label_of(self, 'direction'),
            pretty(self.customer_number or ''),
            ", ".join(parts),
        )
        if self.is_manual:
            line += _(" (logged by hand)")
        if self.disposition_id:
            line += Markup(' · <b>%s</b>') % self.disposition_id.name
        if self.note:
            line += Markup('<br/>%s') % plaintext2html(self.note)
        return line

    def _chatter_lines(self):
        """Return what the web client draws the lines of these calls from, for the user of the
        environment: the facts that the message tells anyway, and what they may open and hear. Makes
        a fixed number of queries.

        :return: dict call → dict of plain values
        """
        readable = self._filtered_access('read')
        recordings = (
            self.sudo()
            .recording_ids.with_env(self.env)
            ._filtered_access('read')
            .grouped(lambda recording: recording.sudo().call_id)
        )
        lines = {}
        for call in self.sudo():
            lead, partner = call.lead_id, call.partner_id
            lines[call] = {
                'id': call.id,
                'direction': call.direction,
                'direction_label': label_of(call, 'direction'),
                'outcome': call.outcome or '',
                'outcome_label': label_of(call, 'outcome'),
                'is_short': call.is_short and not call.is_reached,
                'is_manual': call.is_manual,
                'name': partner.name or name_in(lead),
                'number': pretty(call.customer_number or ''),
                'user': call._talker_of_line().name or '',
                'talk_seconds': call.talk_seconds,
                'wait_seconds': call.wait_seconds,
                'result': call.disposition_id.name or '',
                'note': call.note or '',
                'can_open': call in readable,
                'recordings': [recording._player_line() for recording in recordings.get(call, ())],
            }
        return lines
