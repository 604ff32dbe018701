"""Texts that are kept for people: a fact in the column, words in the language of whoever reads."""

from datetime import date, datetime

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_telephony.tools.words import Label, Name, Reader, Words, _lt, dump, load, render


class Latin(Reader):
    WORDS = {
        "Reached by %(user)s at %(time)s": "%(time)s tetigit %(user)s", "it is due": "debetur", "called today": "hodie",
        "%(reasons)s: %(score)s": "%(score)s quia %(reasons)s",
    }

    def sentence(self, msgid, values):
        return super().sentence(self.WORDS.get(msgid, msgid), values)

    def moment(self, moment):
        return f'{moment:%d.%m.%Y}'


@tagged('post_install', '-at_install', 'crm_telephony')
class TestWords(BaseCase):
    def test_is_english_where_it_is_made(self):
        words = _lt("Reached by %(user)s at %(time)s", user="Aigerim", time=datetime(2026, 3, 14, 9, 30))
        self.assertEqual(words, "Reached by Aigerim at 2026-03-14 09:30")
        self.assertEqual(render(words, Latin()), "14.03.2026 tetigit Aigerim")

    def test_comes_back_as_it_was_stored(self):
        fact = _lt(
            "%(a)s %(b)s %(c)s %(d)s %(e)s %(f)s %(g)s %(h)s %(i)s",
            a="it's «5 %»", b=7, c=_lt("it is due"), d=[_lt("called today"), 'x'],
            e=datetime(2026, 3, 14, 9, 30), f=date(2026, 3, 14), g=Label('telephony.call', 'outcome', 'missed'), h=None,
            i=Name('telephony.callback.reason', 3, "Wrong number"))
        again = load(dump(fact))
        self.assertIsInstance(again, Words)
        self.assertEqual((again, again.msgid, again.values), (fact, fact.msgid, fact.values))
        self.assertEqual(dump(again), dump(fact))

    def test_facts_inside_facts_are_read_too(self):
        fact = load(dump(_lt(
            "%(reasons)s: %(score)s", score=7,
            reasons=[_lt("%(what)s!", what=_lt("it is due")), _lt("%(what)s!", what=_lt("called today"))])))
        self.assertEqual(fact, "It is due!, called today!: 7")
        self.assertEqual(render(fact, Latin()), "7 quia debetur!, hodie!")

    def test_plain_text_stays(self):
        for text in ("Set by Aigerim", "100 %", "%(user)s", "{}", '{"a": 1}', '{"msgid": ', '{"msgid": 5}', '{"msgid": "x"}'):
            with self.subTest(text):
                self.assertEqual(load(text), text)
                self.assertEqual(load(dump(text)), text)

    def test_nobody_writes_a_fact_in_plain_text(self):
        """A text that a person or a PBX has sent may look like a fact: it is shown, not read as one."""
        text = dump(_lt("it is due"))
        self.assertEqual(render(load(dump(text)), Latin()), text)

    def test_every_text_can_be_stored(self):
        """PostgreSQL takes neither NUL nor half a character."""
        for text in ("a\0b\ud800c", _lt("%(what)s", what="a\0b\ud800c")):
            self.assertEqual(load(dump(text)), "a\ufffdb\ufffdc")
            self.assertNotIn('\0', load(dump(text)))
            dump(text).encode()

    def test_a_pattern_without_values_is_no_pattern(self):
        self.assertEqual(load(dump(_lt("100 % sure"))), "100 % sure")
