from datetime import datetime, time, timedelta

import pytz

from odoo import api, fields, models

from odoo.addons.sms.tools.sms_tools import sms_content_to_rendered_html

from ...providers.numbers import is_mobile
from ...tools import turns
from ...tools.words import Label, _lt
from ..calls.call import LOST_OUTCOMES

# A text that should have gone out longer ago than this confuses the customer (hours). Nights do not
# count.
STALE_HOURS = 13
TEXTED_LATELY = _lt("The customer got an SMS a short while ago")
# What an administrator should do about failures of the gateway, by Odoo's failure type.
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
    """Writes SMS to customers. Odoo's own queue of SMS sends them, through whatever gateway it
    uses."""

    _inherit = 'telephony.effect'

    def _do_sms(self):
        for company, effects in self.grouped('company_id').items():
            effects.with_company(company)._send_sms(company)

    def _send_sms(self, company):
        """Skip or postpone texts that must not go out now, and put the others into the queue."""
        now = fields.Datetime.now()
        numbers = self.call_id.mapped('customer_number')
        blacklisted = self.env['phone.blacklist'].search([('number', 'in', numbers)])
        ours, lately = self._claim_numbers(company, numbers)
        callbacks = self.env['telephony.callback']
        waiting, reached = callbacks._open_of(self.call_id), callbacks._reached_after(self.call_id)
        barred = {
            **dict.fromkeys(lately, TEXTED_LATELY),
            **dict.fromkeys(blacklisted.mapped('number'), _lt("The number is blacklisted")),
        }
        send = self.browse()
        for effect in self:
            number = effect.call_id.customer_number
            moment = effect.call_id._quiet_until(now)
            if reason := effect._reason_to_skip(now, moment, waiting, reached, barred):
                effect._skip(reason)
            elif number not in ours:
                effect._postpone(
                    now + timedelta(minutes=1),
                    _lt("Waits until another SMS to this number is sent"),
                )
            elif moment > now:
                effect._postpone(moment, _lt("Waits for the morning of the customer"))
            else:
                barred[number] = TEXTED_LATELY
                send |= effect
        bodies = send._sms_bodies()
        records = send._records()
        for turn in send._turns(records):
            turn._queue_sms(bodies, records)

    def _reason_to_skip(self, now, moment, waiting, reached, barred):
        """Return why this text must not be sent at all, or ''.

        :param moment: when it may go out
        :param dict waiting: call → open callback of its customer
        :param reached: calls whose customer was reached after them
        :param dict barred: number → why nobody may write to it
        """
        call, callbacks = self.call_id, self.env['telephony.callback']
        number = call.customer_number
        if call in reached or (
            call.outcome in LOST_OUTCOMES and call not in waiting and callbacks._own_of(call)
        ):
            return _lt("The customer was reached meanwhile")
        if call.is_excluded:
            return _lt("The number is no customer's any more")
        if call._quiet_until(self.due_at) < now - timedelta(hours=STALE_HOURS):
            return _lt("Not sent: the call was too long ago")
        if not is_mobile(number):
            return _lt("No mobile number")
        if number in barred:
            return barred[number]
        if self.action_id._tells_a_time(call) and (
            call not in waiting or waiting[call].due_at <= moment
        ):
            return _lt(
                "Not sent: the text announces a callback, and none is due after the time at which it may go out"
            )
        return ''

    @api.model
    def _claim_numbers(self, company, numbers):
        """Lock these numbers until the end of the transaction, so that nobody else writes to them.

        :return: the set of the numbers that could be locked, and the set of those that got a text
            within the quiet time
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
        """Return the texts in the languages of the customers, dict effect → text."""
        bodies = {}
        for (template, lang), effects in self.grouped(
            lambda effect: (effect.action_id.sms_template_id, effect.call_id._customer_lang()),
        ).items():
            texts = template._render_field('body', effects.call_id.ids, set_lang=lang)
            bodies.update((effect, texts[effect.call_id.id]) for effect in effects)
        return bodies

    def _turns(self, records):
        """Yield parts of the effects in which no record occurs twice, because a batch of chatter
        lines takes one line a record."""
        effects = self
        while effects:
            turn = self.browse(
                alike[:1].id
                for alike in effects.grouped(lambda effect: records[effect] or effect).values()
            )
            yield turn
            effects -= turn

    def _queue_sms(self, bodies, records):
        """Put the texts into the queue of Odoo's SMS and into the chatter, which shows whether they
        were delivered, as of any SMS.

        :param dict bodies: effect → text
        :param dict records: effect → record with a chatter, or None
        """
        author = self.env['ir.model.data']._xmlid_to_res_id('base.partner_root')
        messages = self._log_sms(author, bodies, records)
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

    def _log_sms(self, author, bodies, records):
        """Write the texts into the chatter of their records, and return dict effect →
        mail.message."""
        messages = {}
        with_chatter = self.filtered(lambda effect: records[effect])
        for model, effects in with_chatter.grouped(lambda effect: records[effect]._name).items():
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
        return messages

    @api.model
    def _note_sms(self, texts):
        """Store on the effects whether the gateway took these sms.sms."""
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
        """Return when SMS may go to the customer: `moment`, or the next morning where the customer
        is (both naive UTC)."""
        first, last = self.company_id.telephony_sms_from, self.company_id.telephony_sms_to
        zone = self._customer_zone()
        local = pytz.utc.localize(moment).astimezone(zone)
        hour = local.hour + local.minute / 60
        if first <= hour < last or first >= last:
            return moment
        day = local.date() + timedelta(days=hour >= last)
        morning = zone.localize(datetime.combine(day, time()) + timedelta(hours=first))
        return morning.astimezone(pytz.utc).replace(tzinfo=None)
