from odoo import fields, models
from odoo.exceptions import UserError
from odoo.fields import Date
from odoo.tools import format_date, format_datetime
from odoo.tools.translate import get_translation

from ...providers.base import ProviderError
from ...tools.words import Label, Name, Reader, Words, _lt, dump, load, render


class UserReader(Reader):
    """Puts facts into the language and time zone of the user of an environment.

    :param env: the environment of the reader
    :param tz: an IANA name, where it is not the reader's own time zone
    """

    def __init__(self, env, tz=None):
        self.env, self.tz = env, tz or env.context.get('tz')

    def sentence(self, msgid, values):
        return get_translation('crm_telephony', self.env.lang or 'en_US', msgid, values)

    def moment(self, moment):
        return format_datetime(self.env, moment, tz=self.tz, dt_format='short')

    def day(self, day):
        return format_date(self.env, Date.to_date(day))

    def label(self, label: Label):
        field = self.env[label.model]._fields[label.field] if label.model in self.env else None
        return (
            dict(field._description_selection(self.env)).get(label.key, label.key)
            if field
            else label.key
        )

    def name(self, name: Name):
        record = (
            self.env[name.model].sudo().browse(name.id).exists() if name.model in self.env else None
        )
        return record.display_name if record else name.text


def told(env, text, tz=None):
    """Return a text in the language and time zone of the user of `env`; '' for none.

    :param text: a fact (see tools/words.py), or plain text, which stays as it is
    :param tz: an IANA name, where it is not the reader's own time zone
    """
    return str(render(text, UserReader(env, tz))) if text else ''


def in_words(error):
    """Return the text to store for an exception: its fact, never a class name.

    An error that tells a user of a PBX's refusal gives the refusal. What no person was meant to
    read is wrapped in a sentence that says where the details are.
    """
    if isinstance(error.__cause__, ProviderError):
        error = error.__cause__
    text = (
        error.args[0]
        if error.args and isinstance(error.args[0], Words)
        else str(error)[:500].strip()
    )
    if isinstance(error, (UserError, ProviderError)) and text:
        return text
    if not text:
        return _lt(
            "Unexpected error. The server's log has the details; send them to your administrator."
        )
    return _lt(
        "Unexpected error: %(error)s. The server's log has the details; send them to your administrator.",
        error=text,
    )


class WordsField(fields.Char):
    """A text that is stored as a fact (see tools/words.py) and read in the language and time zone of
    the reader.

    It takes :class:`Words`, or plain text that stays as it is, and gives :class:`Words` in the
    language of the record's environment. Equal facts are equal in the column, so writing the same
    fact again changes nothing. Searches see the English pattern and the values.
    """

    def convert_to_column(self, value, record, values=None, validate=True):
        """Leave a value that is searched for (`validate` is False) as it is: the domain of a group
        holds it as stored."""
        if not value:
            return None
        return dump(value) if validate or isinstance(value, Words) else value

    def convert_to_cache(self, value, record, validate=True):
        return dump(value) if value else None

    def get_column_update(self, record):
        # the cache holds it as stored: Odoo would pack it once more
        return record.env.transaction.field_data[self][record.id]

    def convert_to_record(self, value, record):
        return render(load(value), UserReader(record.env)) if value else False

    def differs(self, record, value):
        """Return whether a value is another fact than the record has. The same fact in another
        language is no difference."""
        return self.convert_to_cache(record[self.name], record) != self.convert_to_cache(
            value, record
        )

    def convert_to_read(self, value, record, use_display_name=True):
        return str(value) if value else False

    def convert_to_export(self, value, record):
        return str(value) if value else ''


class Base(models.AbstractModel):
    _inherit = 'base'

    def _web_read_group_groupby_formatter(self, groupby_spec, values):
        """Name a group of facts in the language of the reader."""
        if isinstance(self._fields.get(groupby_spec), WordsField):
            return lambda value: (
                value and told(self.env, load(value)),
                [(groupby_spec, '=', value)],
            )
        return super()._web_read_group_groupby_formatter(groupby_spec, values)
