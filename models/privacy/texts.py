import json

from odoo import models
from odoo.tools import SQL

from ...tools.spellings import BLANK, Spellings
from ...tools.words import _lt
from .places import HELD

# Rows of which the texts are read in one statement.
CHUNK = 20_000
# The ledger itself.
OWN = {
    'telephony.erasure',
    'telephony.erasure.line',
    'telephony.erased.call',
    'telephony.erased.number',
}
# What administrators enter, of the company itself.
SETTINGS = {
    'telephony.account',
    'telephony.number',
    'telephony.extension',
    'telephony.rule',
    'telephony.rule.action',
    'telephony.disposition',
    'telephony.callback.reason',
    'telephony.match.weight',
}
MAIL = (
    'mail.message',
    'mail.mail',
    'mail.tracking.value',
    'mail.notification',
    'mail.activity',
    'mail.message.schedule',
    'mail.scheduled.message',
    'mail.push',
    'sms.sms',
    'bus.bus',
)
# Deleted wherever the number stands in one: they hold nothing else, or pass by themselves.
PASSING = {'telephony.event', 'telephony.rebind', 'bus.bus'}
# From a record to the company whose it is.
TO_COMPANY = (
    'company_id',
    'record_company_id',
    'account_id.company_id',
    'call_id.company_id',
    'partner_id.company_id',
    'mail_message_id.record_company_id',
)
BY_PEOPLE = _lt("People wrote them, and “In Messages Too” is not ticked.")
AS_SETTING = _lt("It stands in the settings of telephony: change it there.")
ASKED_AT_PBX = _lt("The PBX is asked to delete its copy, and until then the name is needed.")


class TelephonyErasure(models.Model):
    """Every text of telephony and of mails, in which a number may stand in any spelling: takes it out
    (:meth:`_erase_texts`), and then looks once more whether it is gone (:meth:`_erase_scan`).

    A place is [number of the table, last id that was read].
    """

    _inherit = 'telephony.erasure'

    def _erase_texts(self, place):
        """Take the numbers out of a part of the texts."""
        return self._read_texts(place, self._take_out)

    def _erase_scan(self, place):
        """Count in a part of the texts what is left."""
        if not place:
            self.line_ids.write({'left_after': 0})
            # what was kept of these was counted with its calls
            self._note_down(held=self.line_ids.filtered('kept').mapped('model'))
        return self._read_texts(place, self._note_left)

    # === READING === #

    def _text_models(self):
        """Return the models of which the texts are read."""
        return sorted(
            name
            for name, model in self.env.registry.items()
            if model._auto
            and not model._abstract
            and (name.startswith('telephony.') and name not in OWN or name in MAIL)
        )

    def _text_columns(self, model):
        """Return the columns with texts: dict name → (type, may be NULL)."""
        return {
            name: (kind, nullable == 'YES')
            for name, kind, nullable in self.env.execute_query(
                SQL(
                    """ SELECT column_name, data_type, is_nullable FROM information_schema.columns
                         WHERE table_schema = current_schema AND table_name = %s
                           AND data_type IN ('text', 'character varying', 'json', 'jsonb')
                      ORDER BY column_name """,
                    model._table,
                )
            )
        }

    def _read_texts(self, place, use):
        """Hand the rows with one of the numbers in a part of the texts to `use`.

        :param use: called with the records and dict id → dict column → text
        :return: the next place, None behind the last
        """
        names, spellings = self._text_models(), Spellings(self._numbers())
        table, last = place or (0, 0)
        if not spellings.tails or table >= len(names):
            return None
        model = self.env[names[table]]
        self.env.flush_all()
        columns = self._text_columns(model)
        upto, rows = self._rows_with(model, columns, last, spellings)
        found = {
            row_id: told
            for row_id, *texts in rows
            if (
                told := {
                    name: text
                    for name, text in zip(columns, texts, strict=True)
                    if text and spellings.is_in(text)
                }
            )
        }
        if records := self._of_company(model.browse(found)):
            use(records, {record.id: found[record.id] for record in records}, spellings)
        return [table, upto] if upto else [table + 1, 0]

    def _rows_with(self, model, columns, last, spellings):
        """Return the id up to which rows behind `last` were read, None if they were the last, and those
        that may hold a number: lists of id and texts."""
        table = SQL.identifier(model._table)
        [(upto, count)] = self.env.execute_query(
            SQL(
                "SELECT max(id), count(*) FROM (SELECT id FROM %s WHERE id > %s ORDER BY id LIMIT %s) AS part",
                table,
                last,
                CHUNK,
            )
        )
        if not upto or not columns:
            return None, []
        texts = SQL(", ").join(SQL("%s::text", SQL.identifier(name)) for name in columns)
        # what was told later is no part of the erasure
        is_dated = model._log_access and model._name != 'bus.bus'
        before = SQL("create_date <= %s", self.until) if is_dated else SQL("TRUE")
        return upto if count == CHUNK else None, self.env.execute_query(
            SQL(
                """ SELECT id, %(texts)s FROM %(table)s
                     WHERE id > %(last)s AND id <= %(upto)s AND %(before)s
                       AND concat_ws('|', %(texts)s) ~ %(roughly)s """,
                texts=texts,
                table=table,
                last=last,
                upto=upto,
                before=before,
                roughly=spellings.roughly(),
            )
        )

    def _of_company(self, records):
        """Return those of the records that are the company's, or nobody's."""
        path = next(
            (
                path
                for path in TO_COMPANY
                if (field := records._fields.get(path.split('.')[0])) and field.store
            ),
            None,
        )
        if not path:
            return records
        return records.filtered(
            lambda record: record.mapped(path) <= self.company_id  # none, or this one
        )

    # === TAKING OUT === #

    def _take_out(self, records, found, spellings):
        """Take the numbers out of these rows: delete what passes, and put a blank elsewhere."""
        records -= self._kept_texts(records)[0]
        if not records:
            return
        self._count(records._name if records._name in PASSING else 'text', records)
        if records._name in PASSING or records._transient:
            if records._name == 'telephony.event':
                # without them their calls would be folded to something else
                records.call_id.filtered(lambda call: call.state == 'ended').is_sealed = True
            records.unlink()
            return
        columns = self._text_columns(records)
        self.env.flush_all()
        for record in records:
            self._rewrite(record, found[record.id], columns, spellings)
        self.env.invalidate_all()

    def _rewrite(self, record, texts, columns, spellings):
        """Write the texts of a row without the numbers, past all that follows from a change."""
        values = {}
        for name, text in texts.items():
            kind, nullable = columns[name]
            if kind in ('json', 'jsonb'):
                values[name] = json.dumps(spellings.blank_in(json.loads(text)), ensure_ascii=False)
            else:
                blank = spellings.blank(text)
                values[name] = None if nullable and blank == BLANK else blank
        self.env.execute_query(
            SQL(
                "UPDATE %s SET %s WHERE id = %s RETURNING id",
                SQL.identifier(record._table),
                SQL(", ").join(
                    SQL("%s = %s", SQL.identifier(name), value) for name, value in values.items()
                ),
                record.id,
            )
        )

    # === LOOKING AGAIN === #

    def _note_left(self, records, _found, _spellings):
        """Add these rows to their line, as kept or as still there."""
        kept, why = self._kept_texts(records)
        line = self._line(records._name)
        if kept and records._name not in self._noted('held'):
            line.write({'kept': line.kept + len(kept), 'kept_why': why})
        line.left_after += len(records - kept)

    def _kept_texts(self, records):
        """Return those of these rows in which the number stays for now, and why."""
        if records._name in SETTINGS:
            return records, AS_SETTING
        if records._name == 'telephony.hold':
            return records.filtered(lambda hold: hold.state == 'active'), HELD
        if records._name in MAIL and records._name not in PASSING and not self.in_messages:
            return records, BY_PEOPLE
        kept, why = self._kept(records), HELD
        if records._name == 'telephony.recording':
            asked = records.filtered(lambda recording: recording.pbx_copy == 'deleting')
            kept, why = kept | asked, HELD if kept else ASKED_AT_PBX
        return kept, why
