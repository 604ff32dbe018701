from collections import defaultdict

from odoo import models
from odoo.fields import Domain
from odoo.tools import SQL

from ...tools import turns
from ...tools.fingerprint import fingerprint
from ...tools.spellings import Spellings
from ...tools.words import _lt
from .erased import ERASED

# Calls that are erased in one transaction.
BATCH = 100
# Texts of a call that say nothing of the customer: our phone, our queue, what the PBX left out.
CALL_KEEPS = {'extension', 'queue', 'doubts'}
# What leads to a person.
PERSONAL = {'res.partner', 'crm.lead', 'mail.message', 'mail.activity'}
TEXTS = {'char', 'text', 'html', 'json'}
# Where a number stands, so that it can be recognised by its fingerprint: table and column.
NUMBERS = (
    ('telephony_call', 'customer_number'),
    ('telephony_call', 'caller_number'),
    ('telephony_call', 'called_number'),
    ('telephony_callback', 'customer_number'),
    ('telephony_callback_act', 'customer_number'),
    ('telephony_decision', 'number'),
    ('telephony_contact_number', 'number'),
    ('telephony_dial', 'number'),
    ('res_partner', 'phone_sanitized'),
    ('crm_lead', 'phone_sanitized'),
)
# Deleted as a whole, because nothing is left of them without the number.
DELETED = {
    'telephony.event',
    'telephony.capture',
    'telephony.callback.act',
    'telephony.decision',
    'telephony.contact.number',
    'telephony.dial',
    'telephony.rebind',
    'telephony.completeness.line',
    'telephony.reprocess.line',
    'telephony.transcript',
}
HELD = _lt("A legal hold covers it. It is erased when the hold is released.")
PHONES_KEPT = _lt("They say which of your own phones rang, and nothing of the customer.")
AT_PBX = _lt("Delete them at the PBX by hand: the report lists them by call and time.")
SAME_BYTES = _lt("Another recording has the same bytes.")
FILE_IN_USE = _lt("Odoo was busy with other files: it deletes these within a day.")


class TelephonyErasure(models.Model):
    """Where a person's data are, and what is done with them there.

    Each table is a line of :meth:`_of_calls` or :meth:`_of_numbers`, so that preview, erasure and
    report say the same. A new model with data of customers gets a line there.
    """

    _inherit = 'telephony.erasure'

    # === WHERE === #

    def _found(self, numbers):
        """Return what there is of these numbers: dict model → records."""
        found = defaultdict(list)
        calls = self._calls(numbers)
        for part in (self._of_calls(calls), self._of_numbers(numbers)):
            for model, records in part.items():
                found[model].append(records)
        return {model: records[0].union(*records[1:]) for model, records in found.items()}

    def _calls(self, numbers, after=0):
        """Return the calls of these numbers that are not erased yet, by id. Without a limit, for
        which PostgreSQL would read the log from its begin."""
        tails = Spellings(numbers).tails
        inside = Domain.OR(
            Domain(name, '=like', f'%{tail}')
            for name in ('caller_number', 'called_number')
            for tail in tails
        )
        outside = Domain('customer_number', 'in', numbers)
        domain = Domain('company_id', '=', self.company_id.id) & (
            outside | Domain('customer_number', '=', False) & inside
        )
        if after:
            domain &= Domain('id', '>', after)
        if self.until:
            domain &= Domain('create_date', '<=', self.until) | Domain('start_at', '<=', self.until)
        return self.env['telephony.call'].search(domain, order='id')

    def _of_calls(self, calls):
        """Return what belongs to these calls: dict model → records."""
        effects = calls.effect_ids
        uuids = [uuid for uuid in effects.mapped('sms_uuid') if uuid]
        texts = self.env['sms.sms'].search([('uuid', 'in', uuids)])
        sent = self.env['sms.tracker'].search([('sms_uuid', 'in', uuids)]).mail_notification_id
        return {
            'telephony.call': calls,
            'telephony.call.leg': calls.leg_ids,
            'telephony.event': self._events_of(calls),
            'telephony.recording': calls.recording_ids.filtered(
                lambda recording: recording.state != 'deleted' or recording.transcript
            ),
            'telephony.transcript': calls.recording_ids.transcript_ids,
            'telephony.effect': effects,
            'sms.sms': texts,
            'mail.message': calls.message_id | texts.mail_message_id | sent.mail_message_id,
            'mail.activity': effects.activity_id,
            'telephony.completeness.line': self.env['telephony.completeness.line'].search(
                [('call_id', 'in', calls.ids)]
            ),
            'telephony.reprocess.line': self.env['telephony.reprocess.line'].search(
                [('call_id', 'in', calls.ids)]
            ),
        }

    def _events_of(self, calls):
        """Return the PBX's events of these calls. An event of two calls is the one's to whose
        reference it belongs."""
        events = self.env['telephony.event']
        return events.union(
            *(
                events.search(
                    [('account_id', '=', account.id), ('call_ref', 'in', refs)], order='id'
                )
                for account, refs in self._refs_of(calls).items()
            )
        )

    def _refs_of(self, calls):
        """Return by which references the PBX knows these calls: dict account → list."""
        refs = {
            account: [ref for ref in mine.mapped('external_id') if ref]
            for account, mine in calls.filtered('account_id').grouped('account_id').items()
        }
        for account, known in refs.items():
            dials = self.env['telephony.dial'].search(
                [('account_id', '=', account.id), ('call_ref', 'in', known)]
            )
            known += [ref for ref in dials.mapped('pbx_ref') if ref and ref not in known]
        return refs

    def _of_numbers(self, numbers):
        """Return what belongs to these numbers, whatever the call: dict model → records."""
        env, company = self.env(context={**self.env.context, 'active_test': False}), self.company_id
        mine = Domain('company_id', '=', company.id)
        before = Domain('create_date', '<=', self.until) if self.until else Domain.TRUE
        customer, number = Domain('customer_number', 'in', numbers), Domain('number', 'in', numbers)
        callbacks = env['telephony.callback'].search(mine & customer & before)
        callbacks -= self._kept(callbacks)
        on_callbacks = Domain('res_id', 'in', callbacks.ids)
        partners = Domain('partner_id.company_id', 'in', [False, company.id])
        marked = Domain('telephony_check_number', 'in', numbers)
        shared = Domain('company_id', 'in', [False, company.id])
        return {
            'telephony.callback': callbacks,
            'telephony.callback.act': env['telephony.callback.act'].search(
                mine & customer & before
            ),
            'telephony.decision': env['telephony.decision'].search(mine & number & before),
            'telephony.contact.number': env['telephony.contact.number'].search(
                partners & number & before
            ),
            'telephony.dial': env['telephony.dial'].search(
                Domain('account_id.company_id', '=', company.id) & number & before
            ),
            'telephony.rebind': env['telephony.rebind'].search(number),
            'telephony.capture': env['telephony.capture']
            .sudo()  # whoever erases need not be allowed to read what a PBX sent
            ._with_numbers(self.company_id, numbers),
            'mail.message': env['mail.message'].search(
                Domain('model', '=', callbacks._name) & on_callbacks
            ),
            'mail.activity': callbacks.activity_id
            | env['mail.activity'].search(Domain('res_model', '=', callbacks._name) & on_callbacks),
            'res.partner': env['res.partner'].search(shared & marked),
            'crm.lead': env['crm.lead'].search(shared & marked),
        }

    def _held(self, calls):
        """Return those of these calls that an active legal hold covers."""
        return self.env['telephony.hold']._held(calls)

    def _kept(self, records):
        """Return those of these records that belong to calls which a legal hold keeps."""
        if records._name == 'telephony.call':
            return self._held(records)
        if records._name == 'mail.message':
            calls = self.env['telephony.call'].search([('message_id', 'in', records.ids)])
            return self._held(calls).message_id
        names = [
            name
            for name, field in records._fields.items()
            if field.store and field.type == 'many2one' and field.comodel_name == 'telephony.call'
        ]
        held = self._held(self.env['telephony.call'].union(*(records[name] for name in names)))
        return records.filtered(lambda record: any(record[name] in held for name in names))

    def _recognised(self):
        """Return the numbers that have the fingerprints of this erasure, as far as they stand
        anywhere in the database."""
        wanted, numbers = set(self.subject_hash.split(',')), set()
        self.env.flush_all()
        for table, column in NUMBERS:
            for (number,) in self.env.execute_query(
                SQL(
                    "SELECT DISTINCT %(column)s FROM %(table)s WHERE %(column)s LIKE '+%%'",
                    column=SQL.identifier(column),
                    table=SQL.identifier(table),
                )
            ):
                if number not in numbers and fingerprint(self.env, 'number', number) in wanted:
                    numbers.add(number)
        return sorted(numbers)

    # === CALLS === #

    def _erase_calls(self, after):
        """Erase a batch of the calls. The calls of a PBX are not filed meanwhile, so that none is
        folded of events that are about to go.

        :param int after: id of the last call of the batch before
        :return: the same of this one, None if no call is left
        """
        numbers = self._numbers()
        if not after:
            self.line_ids.unlink()
            self.hold_ids = self.env['telephony.hold'].search(
                [('state', '=', 'active'), ('customer_number', 'in', numbers)]
            )
            for model in self._found([]):
                self._line(model)
        calls = self._calls(numbers, after or 0)[:BATCH]
        if not calls:
            return None
        last, by_account = calls[-1].id, calls.grouped('account_id')
        for account, mine in by_account.items():
            if not account:
                self._erase_some_calls(mine)
                continue
            with turns.held(self.env, turns.Lock.FILING, account.id, wait=True):
                self._erase_some_calls(mine.exists())
                self.env.cr.commit()  # pylint: disable=invalid-commit
        return last

    def _erase_some_calls(self, calls):
        """Erase these calls of one account, but those that are held."""
        held = self._held(calls)
        self.hold_ids |= self.hold_ids.union(*self.hold_ids._holding(held).values())
        for model, records in self._of_calls(held).items():
            self._count(model, records, kept_why=HELD)
        calls -= held
        if not calls:
            return
        for account, refs in self._refs_of(calls).items():
            self.env['telephony.erased.call']._remember(account, refs)
        found = self._of_calls(calls)
        self._seal_sharers(found['telephony.event'])
        self._note_recordings(found['telephony.recording'])
        if running := calls.filtered(lambda call: call.state != 'ended'):
            running._close_without_end()
        for model in (
            'telephony.event',
            'telephony.transcript',
            'telephony.recording',
            'sms.sms',
            'mail.message',
            'mail.activity',
            'telephony.effect',
        ):
            self._erase_records(found[model])
        if self.mode == 'anonymise':
            self._count('telephony.call.leg', found['telephony.call.leg'], kept_why=PHONES_KEPT)
        else:
            self._count('telephony.call.leg', found['telephony.call.leg'])
        self._count('telephony.call', calls)
        self._empty(
            calls,
            CALL_KEEPS,
            match_state='none',
            is_sealed=True,
            is_not_called_back=False,
            follow_up='done',
            follow_up_next_at=None,
            erasure_id=self.id,
        )
        if self.mode == 'delete':
            self._delete_calls(calls)

    def _seal_sharers(self, events):
        """Make other calls final that some of these events tell of too, because without them they
        would be folded to something else."""
        for account, mine in events.filtered('leg_ref').grouped('account_id').items():
            refs = set(mine.mapped('leg_ref')) - set(mine.mapped('call_ref'))
            self.env['telephony.call'].search(
                [
                    ('account_id', '=', account.id),
                    ('external_id', 'in', list(refs)),
                    ('state', '=', 'ended'),
                ]
            ).is_sealed = True

    def _note_recordings(self, recordings):
        """Note which recordings the PBX may still have, while their calls have a name, and which files
        have to go."""
        spellings, files = Spellings(self._numbers()), recordings.attachment_id.sudo()
        listed = [
            {
                'id': recording.id,
                'pbx': recording.call_id.account_id.name,
                'call': spellings.blank(recording.call_id.external_id or ''),
                'at': recording.call_id.start_at.isoformat() if recording.call_id.start_at else '',
            }
            for recording in recordings
        ]
        self._note_down(
            pbx=self._noted('pbx') + listed,
            files=self._noted('files') + list(filter(None, files.mapped('store_fname'))),
        )

    def _delete_calls(self, calls):
        """Delete these emptied calls. One whose recording is still to be deleted at the PBX goes
        later, because its recording knows the name there."""
        calls.filtered(
            lambda call: 'deleting' not in call.recording_ids.mapped('pbx_copy')
        ).unlink()

    def _delete_left_calls(self):
        self._delete_calls(
            self.env['telephony.call'].search(
                [('erasure_id.mode', '=', 'delete'), ('erasure_id.state', '=', 'done')], limit=1000
            )
        )

    # === NUMBERS === #

    def _erase_numbers(self, _place):
        """Erase what belongs to the numbers, whatever the call."""
        if numbers := self._numbers():
            found = self._of_numbers(numbers)
            for model in ('mail.message', 'telephony.callback', 'mail.activity'):
                self._erase_records(found.pop(model).exists())
            # deciding otherwise queues a number, so that queue comes last
            queue = found.pop('telephony.rebind')
            for records in found.values():
                self._erase_records(records)
            self._erase_records(queue | queue.search([('number', 'in', numbers)]))
        return None

    # === WHAT IS DONE === #

    def _erase_records(self, records):
        """Erase these records of one model in its own way, and count them."""
        if not records:
            return
        model = records._name
        self._count(model, records)
        if model in DELETED:
            records.sudo().unlink()
        else:
            getattr(self, f'_erase_{model.replace(".", "_")}')(records)

    def _erase_telephony_recording(self, recordings):
        # the text may be kept for longer than the sound
        recordings.filtered(lambda recording: recording.state == 'deleted')._delete_text()
        # sudo: whoever asked need not be allowed to listen
        recordings.with_user(self.requested_by_id).sudo()._delete_sound(
            _lt("Erased on request (%(erasure)s)", erasure=self.name), pbx_too=True
        )

    def _erase_telephony_effect(self, effects):
        effects.filtered(lambda effect: effect.state == 'planned').state = 'skipped'
        self._empty(effects, {'priority'})

    def _erase_telephony_callback(self, callbacks):
        callbacks.filtered(lambda callback: callback.state == 'open')._close(
            'cancelled', _lt("Erased on request"), kind='cancelled'
        )
        if self.mode == 'delete':
            callbacks.unlink()
        else:
            self._empty(callbacks, ())

    def _erase_mail_message(self, messages):
        mails = self.env['mail.mail'].search([('mail_message_id', 'in', messages.ids)])
        if mails:
            self._count('mail.mail', mails)
            mails.filtered(lambda mail: mail.state == 'outgoing').state = 'cancel'
            mails.write({'body_html': self._instead(), 'email_to': False, 'failure_reason': False})
        messages.tracking_value_ids.unlink()
        messages.notification_ids.filtered('sms_number').sms_number = False
        messages.write({'body': self._instead(), 'subject': False})

    def _erase_mail_activity(self, activities):
        activities.with_context(mail_activity_quick_update=True).write(
            {'summary': self._instead(), 'note': False, 'feedback': False}
        )

    def _erase_sms_sms(self, texts):
        texts.filtered(lambda sms: sms.state == 'outgoing').state = 'canceled'
        texts.write({'body': self._instead(), 'number': False})

    def _erase_res_partner(self, records):
        records.sudo().telephony_check_number = False

    _erase_crm_lead = _erase_res_partner

    def _instead(self):
        """Return what stands where a text was, in the company's language."""
        return self.with_context(lang=self.company_id._telephony_lang()).env._("Erased on request")

    def _empty(self, records, keeps, **values):
        """Empty every text of these records, and their links to contacts, deals and messages, but
        those named in `keeps`. In one statement, because nothing is to follow from it: reports
        stay as they were.

        :param values: what is written besides, as the column holds it
        """
        for field in records._fields.values():
            if not (field.store and field.column_type) or field.name in keeps:
                continue
            if field.type in TEXTS or field.comodel_name in PERSONAL:
                values.setdefault(field.name, ERASED if field.required else None)
        self.env.flush_all()
        self.env.execute_query(
            SQL(
                "UPDATE %s SET %s WHERE id IN %s RETURNING id",
                SQL.identifier(records._table),
                SQL(", ").join(
                    SQL("%s = %s", SQL.identifier(name), value) for name, value in values.items()
                ),
                records._ids or (0,),
            )
        )
        self.env.invalidate_all()

    def _count(self, model, records, kept_why=False, found=True):
        """Add these records to their line, as erased or as kept.

        :param found: they were not counted yet
        """
        if not (count := len(records)):
            return
        line = self._line(model)
        name = 'kept' if kept_why else 'removed'
        line.write(
            {
                name: line[name] + count,
                'found': line.found + (count if found else 0),
                **({'kept_why': kept_why} if kept_why else {}),
            }
        )

    # === FILES === #

    def _erase_files(self, _place):
        """Have Odoo delete the files of the recordings now, which it else does once a day, and look
        whether they are gone."""
        attachments, names = self.env['ir.attachment'], set(self._noted('files'))
        if not names:
            return None
        attachments._gc_file_store()
        there = {name for name in names if attachments._is_stored(name)}
        shared = {
            name
            for (name,) in self.env.execute_query(
                SQL(
                    "SELECT store_fname FROM ir_attachment WHERE store_fname IN %s",
                    tuple(there) or (None,),
                )
            )
        }
        self._count('ir.attachment', names - there)
        self._count('ir.attachment', shared, kept_why=SAME_BYTES)
        self._count('ir.attachment', there - shared, kept_why=FILE_IN_USE)
        self._note_down(files=sorted(there - shared))
        return None
