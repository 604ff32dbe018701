"""Texts that are kept for people: a fact in the column, words in the language of whoever reads."""

from datetime import date, datetime

from odoo.exceptions import UserError
from odoo.tests import BaseCase, tagged

from odoo.addons.crm_telephony.models.core.words_field import in_words
from odoo.addons.crm_telephony.providers.base import ProviderError
from odoo.addons.crm_telephony.tools.records import changes
from odoo.addons.crm_telephony.tools.words import Label, Name, Reader, Words, dump, load, render

# not to be exported: no text of the addon
from odoo.addons.crm_telephony.tools.words import _lt as made

from .common import TelephonyCase


class Latin(Reader):
    WORDS = {
        "Reached by %(user)s at %(time)s": "%(time)s tetigit %(user)s",
        "it is due": "debetur",
        "called today": "hodie",
        "%(reasons)s: %(score)s": "%(score)s quia %(reasons)s",
    }

    def sentence(self, msgid, values):
        return super().sentence(self.WORDS.get(msgid, msgid), values)

    def moment(self, moment):
        return f'{moment:%d.%m.%Y}'


@tagged('post_install', '-at_install', 'crm_telephony')
class TestWords(BaseCase):
    def test_is_english_where_it_is_made(self):
        words = made(
            "Reached by %(user)s at %(time)s", user="Aigerim", time=datetime(2026, 3, 14, 9, 30)
        )
        self.assertEqual(words, "Reached by Aigerim at 2026-03-14 09:30")
        self.assertEqual(render(words, Latin()), "14.03.2026 tetigit Aigerim")

    def test_comes_back_as_it_was_stored(self):
        fact = made(
            "%(a)s %(b)s %(c)s %(d)s %(e)s %(f)s %(g)s %(h)s %(i)s",
            a="it's «5 %»",
            b=7,
            c=made("it is due"),
            d=[made("called today"), 'x'],
            e=datetime(2026, 3, 14, 9, 30),
            f=date(2026, 3, 14),
            g=Label('telephony.call', 'outcome', 'missed'),
            h=None,
            i=Name('telephony.callback.reason', 3, "Wrong number"),
        )
        again = load(dump(fact))
        self.assertIsInstance(again, Words)
        self.assertEqual((again, again.msgid, again.values), (fact, fact.msgid, fact.values))
        self.assertEqual(dump(again), dump(fact))

    def test_facts_inside_facts_are_read_too(self):
        fact = load(
            dump(
                made(
                    "%(reasons)s: %(score)s",
                    score=7,
                    reasons=[
                        made("%(what)s!", what=made("it is due")),
                        made("%(what)s!", what=made("called today")),
                    ],
                )
            )
        )
        self.assertEqual(fact, "It is due!, called today!: 7")
        self.assertEqual(render(fact, Latin()), "7 quia debetur!, hodie!")

    def test_plain_text_stays(self):
        for text in (
            "Set by Aigerim",
            "100 %",
            "%(user)s",
            "{}",
            '{"a": 1}',
            '{"msgid": ',
            '{"msgid": 5}',
            '{"msgid": "x"}',
        ):
            with self.subTest(text):
                self.assertEqual(load(text), text)
                self.assertEqual(load(dump(text)), text)

    def test_nobody_writes_a_fact_in_plain_text(self):
        """A text that a person or a PBX has sent may look like a fact: it is shown, not read as
        one."""
        text = dump(made("it is due"))
        self.assertEqual(render(load(dump(text)), Latin()), text)

    def test_every_text_can_be_stored(self):
        """PostgreSQL takes neither NUL nor half a character."""
        for text in ("a\0b\ud800c", made("%(what)s", what="a\0b\ud800c")):
            self.assertEqual(load(dump(text)), "a\ufffdb\ufffdc")
            self.assertNotIn('\0', load(dump(text)))
            dump(text).encode()

    def test_a_pattern_without_values_is_no_pattern(self):
        self.assertEqual(load(dump(made("100 % sure"))), "100 % sure")


@tagged('post_install', '-at_install', 'crm_telephony')
class TestWordsField(TelephonyCase):
    """The same row, read by people of two languages and time zones."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env['res.lang']._activate_lang('ru_RU')
        cls.env['ir.module.module'].search([('name', '=', 'crm_telephony')])._update_translations(
            ['ru_RU']
        )

    def ru(self, records):
        return records.with_context(lang='ru_RU')

    def test_why_a_call_is_where_it_is(self):
        lead, _other = self.new_lead(), self.new_lead(name="Other", user_id=self.boris.id)
        self.play(
            self.event('ringing', extension='101'),
            self.event('answered', extension='101'),
            self.event('ended', at=9, outcome='answered', extension='101', talk_seconds=60),
        )
        call = self.call()
        self.assertEqual(call.lead_id, lead)
        self.assertIn("Anna, who talks, owns it", call.match_reason)
        self.assertNotRegex(self.ru(call).match_reason, '[a-z]{4}', "a word of it is English")
        self.assertIn("Anna", self.ru(call).match_reason)
        self.assertEqual(
            type(call.read(['match_reason'])[0]['match_reason']), str, "XML-RPC takes no other"
        )

    def test_the_writers_language_is_nobodys(self):
        lead = self.new_lead()
        self.play(self.event('ringing', extension='101'), self.event('ended', outcome='missed'))
        callback = self.callbacks()
        self.ru(callback.with_user(self.anna)).action_done()
        self.assertEqual(callback.close_reason, "Closed by hand by Anna")
        self.assertNotIn("Closed", self.ru(callback).close_reason)
        self.ru(self.call().with_user(self.anna)).action_pick(lead.id)
        self.assertEqual(self.call().match_reason, "Set by Anna")

    def test_times_are_the_readers(self):
        self.new_lead()
        self.play(
            self.event('ringing', at='2026-03-16T05:00:00+00:00', extension='101'),
            self.event('ended', at='2026-03-16T05:01:00+00:00', outcome='missed'),
            self.outbound(
                'ended', at='2026-03-16T06:30:00+00:00', outcome='answered', talk_seconds=60
            ),
        )
        callback = self.callbacks()
        self.assertIn("11:30", callback.with_context(tz='Asia/Almaty').close_reason)
        self.assertIn("7:30", callback.with_context(tz='Europe/Berlin').close_reason)

    def test_a_reason_of_the_list_is_read_in_the_list_s_translation(self):
        reason = self.env['telephony.callback.reason'].search([], limit=1)
        reason.name = "Wrong number"
        self.ru(reason).name = "Не тот номер"
        self.new_lead()
        self.play(self.event('ringing', extension='101'), self.event('ended', outcome='missed'))
        self.callbacks().with_user(self.anna).action_cancel(reason.id, note="asked for a hospital")
        self.assertEqual(
            self.callbacks().close_reason, "Cancelled by Anna: Wrong number: asked for a hospital"
        )
        self.assertIn("Не тот номер: asked for a hospital", self.ru(self.callbacks()).close_reason)

    def test_old_text_is_shown_as_it_is(self):
        self.play(self.event('ringing', extension='101'))
        call = self.call()
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE telephony_call SET match_reason = 'Как раньше, 100 %%' WHERE id = %s", [call.id]
        )
        self.env.invalidate_all()
        self.assertEqual(
            (call.match_reason, self.ru(call).match_reason), ("Как раньше, 100 %",) * 2
        )
        call.match_reason = call.match_reason
        self.env.flush_all()
        self.env.invalidate_all()
        self.assertEqual(call.match_reason, "Как раньше, 100 %")

    def test_who_reads_writes_nothing_new(self):
        """What is compared with the row is the fact, in whatever language somebody looks."""
        self.play(self.event('ringing', extension='101'), self.event('ended', outcome='missed'))
        call = self.ru(self.call())
        self.assertFalse(changes(call, {'match_reason': self.call().match_reason}))
        self.assertFalse(
            changes(call, {'match_reason': made("Contact with this number; no open deal")})
        )
        self.assertTrue(changes(call, {'match_reason': made("Another")}))

    def test_groups_are_called_in_the_readers_words_and_hold_their_rows(self):
        self.play({'event': 'ringing'}, {'event': 'ringing', 'call_id': 'x', 'at': 'never'})
        events = self.ru(self.events())
        self.assertEqual(events.mapped('state'), ['failed', 'failed'])
        for group in events.web_read_group([('id', 'in', events.ids)], ['error'], ['__count'])[
            'groups'
        ]:
            held = events.search([('id', 'in', events.ids), *group['__extra_domain']])
            self.assertEqual(len(held), group['__count'])
            self.assertEqual({group['error']}, set(held.mapped('error')))
            self.assertNotIn('msgid', group['error'])

    def test_what_a_pbx_refuses_is_read_in_the_readers_language(self):
        """Its own words stay as they are; nobody reads the name of a class."""
        told = in_words(ProviderError(made("Set by %(user)s", user="Zadarma")))
        self.account.write({'state_message': told})
        self.assertEqual(
            (self.account.state_message, self.ru(self.account).state_message),
            ("Set by Zadarma", self.ru(self.account).env._("Set by %(user)s", user="Zadarma")),
        )
        for error in (KeyError(), KeyError('x'), ProviderError(''), UserError(''), ValueError()):
            self.assertNotRegex(in_words(error), r'Error\b|Exception')
            self.assertTrue(in_words(error))
        refused = UserError("told to a user")
        refused.__cause__ = ProviderError(made("Set by %(user)s", user="3CX"))
        self.assertEqual(in_words(refused), "Set by 3CX")
