from datetime import datetime, time, timedelta

import pytz

from odoo import api, fields, models

from odoo.addons.sms.tools.sms_tools import sms_content_to_rendered_html

from ...providers.numbers import is_mobile
from ...tools import turns
from ...tools.words import Label, _lt
from ..calls.call import LOST_OUTCOMES

# A text that should have gone out longer ago than this only confuses (hours). Nights do not count.
STALE_HOURS = 13
# What to do about failures that name none of it.
NOT_SENT = {
    'sms_acc': _lt(
        "Not sent: this database has no account for SMS. Set one up in Settings, under Send SMS, then send the text "
        "again from the chatter."
    ),
    'sms_credit': _lt(
        "Not sent: the account for SMS has no credit left. Buy some in Settings, under Send SMS, then send the text "
        "again from the chatter."
    ),
    'sms_server': _lt(
        "Not sent: the SMS gateway cannot be reached, or there is no account for it. Look in Settings, under Send SMS, "
        "then send the text again from the chatter."
    ),
}


class TelephonyEffect(models.Model):
    """SMS to customers, through whatever gateway Odoo's sms uses. Sent by its queue, never from
    here."""

    _inherit = 'telephony.effect'

    def _do_sms(self):
        for company, effects in self.grouped('company_id').items():
            effects.with_company(company)._send_sms(company)

    def _send_sms(self, company):
        """Sort out who must not get one, and put the others into the queue."""
        now = fields.Datetime.now()
        numbers = self.call_id.mapped('customer_number')
        blacklisted = set(
            self.env['phone.blacklist'].search([('number', 'in', numbers)]).mapped('number')
        )
        ours, lately = self._claim_numbers(company, numbers)
        callbacks = self.env['telephony.callback']
        waiting, reached = callbacks._open_of(self.call_id), callbacks._reached_after(self.call_id)
        send = self.browse()
        for effect in self:
            call = effect.call_id
            number, moment = call.customer_number, call._quiet_until(now)
            if call in reached or (
                call.outcome in LOST_OUTCOMES and call not in waiting and callbacks._own_of(call)
            ):
                effect._skip(_lt("The customer was reached meanwhile"))
            elif call.is_excluded:
                effect._skip(_lt("The number is no customer's any more"))
            elif call._quiet_until(effect.due_at) < now - timedelta(hours=STALE_HOURS):
                effect._skip(_lt("The call is too long ago for a text"))
            elif not is_mobile(number):
                effect._skip(_lt("No mobile number"))
            elif number in blacklisted:
                effect._skip(_lt("The number is blacklisted"))
            elif number in lately:
                effect._skip(_lt("The customer got an SMS a short while ago"))
            elif effect.action_id._tells_a_time(call) and (
                call not in waiting or waiting[call].due_at <= moment
            ):
                effect._skip(_lt("No callback is due after the text that announces one"))
            elif number not in ours:
                effect._postpone(
                    now + timedelta(minutes=1),
                    _lt("Another text to this number is just being written"),
                )
            elif moment > now:
                effect._postpone(moment, _lt("Waits for the morning of the customer"))
            else:
                lately.add(number)
                send |= effect
        bodies = send._sms_bodies()
        records = send._records()
        for turn in send._turns(records):
            turn._queue_sms(bodies, records)

    @api.model
    def _claim_numbers(self, company, numbers):
        """Nobody else writes to these numbers before the end of this transaction.

        :return: the set of those that nobody else is writing to just now, and of those who got a
            text within the quiet time
        """
        keys = {f'{company.id} {number}': number for number in numbers}
        ours = {keys[key] for key in turns.claimed(self.env.cr, turns.Lock.TEXTING, list(keys))}
        lately = self._texted_lately(company, numbers)
        # what others have written since this transaction began
        with turns.beside(self.env) as env:
            return ours, lately | self.with_env(env)._texted_lately(company, numbers)

    @api.model
    def _texted_lately(self, company, numbers):
        since = fields.Datetime.now() - timedelta(minutes=company.telephony_sms_quiet_minutes)
        return set(
            self.search(
                [
                    ('kind', '=', 'sms'),
                    ('state', '=', 'done'),
                    ('company_id', '=', company.id),
                    ('done_at', '>', since),
                    ('call_id.customer_number', 'in', numbers),
                ]
            ).call_id.mapped('customer_number')
        )

    def _sms_bodies(self):
        """{effect: text} in the languages of the customers"""
        bodies = {}
        for (template, lang), effects in self.grouped(
            lambda effect: (effect.action_id.sms_template_id, effect.call_id._customer_lang()),
        ).items():
            texts = template._render_field('body', effects.call_id.ids, set_lang=lang)
            bodies.update((effect, texts[effect.call_id.id]) for effect in effects)
        return bodies

    def _turns(self, records):
        """Parts in which no record occurs twice: a batch of chatter lines takes one a record."""
        effects = self
        while effects:
            turn = self.browse(
                same[:1].id for same in effects.grouped(lambda one: records[one] or one).values()
            )
            yield turn
            effects -= turn

    def _queue_sms(self, bodies, records):
        """Into the queue of Odoo's SMS and into the chatter, where its fate is shown as that of any
        SMS."""
        author = self.env['ir.model.data']._xmlid_to_res_id('base.partner_root')
        messages = {}
        for model, effects in (
            self.filtered(lambda one: records[one]).grouped(lambda one: records[one]._name).items()
        ):
            by_record = {records[effect].id: effect for effect in effects}
            logged = (
                self.env[model]
                .browse(by_record)
                ._message_log_batch(
                    bodies={
                        res_id: sms_content_to_rendered_html(bodies[effect])
                        for res_id, effect in by_record.items()
                    },
                    author_id=author,
                    message_type='sms',
                )
            )
            messages.update((by_record[message.res_id], message) for message in logged)
        texts = self.env['sms.sms'].create(
            [
                {
                    'body': bodies[effect],
                    'number': effect.call_id.customer_number,
                    'partner_id': effect.call_id.partner_id.id,
                    'mail_message_id': messages[effect].id if effect in messages else False,
                }
                for effect in self
            ]
        )
        self.env['mail.notification'].create(
            [
                {
                    'author_id': author,
                    'mail_message_id': sms.mail_message_id.id,
                    'res_partner_id': sms.partner_id.id,
                    'sms_number': sms.number,
                    'sms_id_int': sms.id,
                    'notification_type': 'sms',
                    'notification_status': 'ready',
                    'is_read': True,
                    'sms_tracker_ids': [fields.Command.create({'sms_uuid': sms.uuid})],
                }
                for sms in texts
                if sms.mail_message_id
            ]
        )
        for effect, sms in zip(self, texts, strict=True):
            effect._done(sms.body, sms_uuid=sms.uuid)

    @api.model
    def _note_sms(self, texts):
        """What the gateway made of these sms.sms."""
        by_uuid = {sms.uuid: sms for sms in texts}
        for effect in self.search([('sms_uuid', 'in', list(by_uuid))]):
            sms = by_uuid[effect.sms_uuid]
            if sms.state in ('error', 'canceled'):
                effect.write({'state': 'error', 'note': self._why_not_sent(sms)})
            elif effect.state == 'error':
                effect.write({'state': 'done', 'note': sms.body})

    @api.model
    def _why_not_sent(self, sms):
        if sms.failure_type in NOT_SENT:
            return NOT_SENT[sms.failure_type]
        told = 'failure_type' if sms.failure_type else 'state'
        return _lt("Not sent: %(reason)s", reason=Label('sms.sms', told, sms[told]))


class TelephonyCall(models.Model):
    _inherit = 'telephony.call'

    def _quiet_until(self, moment):
        """When SMS may go to the customer again: now, or the morning where he is (naive UTC)."""
        first, last = self.company_id.telephony_sms_from, self.company_id.telephony_sms_to
        zone = self._customer_zone()
        local = pytz.utc.localize(moment).astimezone(zone)
        hour = local.hour + local.minute / 60
        if first <= hour < last or first >= last:
            return moment
        day = local.date() + timedelta(days=hour >= last)
        morning = zone.localize(datetime.combine(day, time()) + timedelta(hours=first))
        return morning.astimezone(pytz.utc).replace(tzinfo=None)
