"""The line of a call in the chatter: who talked, in the words of whoever reads, the recording for
who may listen."""

from odoo import fields
from odoo.fields import Command
from odoo.modules.migration import load_script
from odoo.tools import file_path

from odoo.addons.mail.tools.discuss import Store

from .common import CUSTOMER, TelephonyCase, TelephonyHttpCase


class ChatterData:
    def lines(self, record, user):
        """{call id: its line}, as the user's web client gets them with the messages of the record's
        chatter"""
        record = record.with_user(user).with_context(lang=user.lang)
        messages = record.env['mail.message']._message_fetch(None, thread=record)['messages']
        told = Store().add(messages).get_result().get('mail.message', ())
        return {line['id']: line for message in told if (line := message.get('telephony_call'))}

    def logged(self, count, place):
        """Ended calls of Anna's that wait for their line, each on a deal or contact of its own."""
        now = fields.Datetime.now()
        return self.env['telephony.call'].create(
            [
                {
                    'account_id': self.account.id,
                    'external_id': f'{place}-{number}',
                    'direction': 'inbound',
                    'outcome': 'answered',
                    'state': 'ended',
                    'start_at': now,
                    'ended_at': now,
                    'customer_number': CUSTOMER,
                    'talk_seconds': 60 + number,
                    'user_id': (self.anna, self.boris)[number % 2].id,
                    'follow_up': False,
                    'leg_ids': [
                        Command.create(
                            {'extension': '101', 'talk_seconds': 60, 'user_id': self.anna.id}
                        )
                    ],
                    **(
                        {'lead_id': self.new_lead(name=f"Deal {number}").id}
                        if number % 3
                        else {'partner_id': self.partner.id}
                    ),
                }
                for number in range(count)
            ]
        )


class TestChatter(ChatterData, TelephonyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env['res.lang']._activate_lang('ru_RU')
        cls.env['ir.module.module'].search([('name', '=', 'crm_telephony')])._update_translations(
            ['ru_RU']
        )
        cls.lead = cls.new_lead()

    def talk(self, **more):
        self.play(
            self.event('ringing', extension='101', at=-90),
            self.event('answered', extension='101', at=-80),
            self.event(
                'ended', extension='101', at=-10, outcome='answered', talk_seconds=70, **more
            ),
        )
        return self.call()

    def test_the_author_is_who_talked(self):
        call = self.talk()
        self.assertEqual(call.message_id.author_id, self.anna.partner_id)
        self.assertEqual(call.message_id.date, call.ended_at)
        self.play(
            self.event('ringing', 'lost', extension='101'),
            self.event('ended', 'lost', outcome='missed'),
        )
        self.assertEqual(self.call('lost').message_id.author_id, self.env.ref('base.partner_root'))

    def test_the_author_follows_what_turns_out(self):
        self.play(
            self.event('ringing', extension='101', at=-90),
            self.event('ended', at=-50, outcome='missed'),
        )
        call = self.call()
        self.assertEqual(call.message_id.author_id, self.env.ref('base.partner_root'))
        self.talk()
        self.assertEqual(call.message_id.author_id, self.anna.partner_id)
        self.assertIn('1:10', call.message_id.body)

    def test_in_the_language_of_whoever_reads(self):
        """The database is English, the reader is not, and the other way round."""
        call = self.talk()
        self.boris.lang = 'ru_RU'
        self.lead.user_id = self.boris
        english, russian = (
            self.lines(self.lead, reader)[call.id]
            for reader in (self.env.ref('base.user_admin'), self.boris)
        )
        self.assertEqual(
            (english['direction_label'], english['outcome_label']), ("Inbound", "Answered")
        )
        self.assertEqual(
            (russian['direction_label'], russian['outcome_label']), ("Входящий", "Отвечен")
        )
        self.assertEqual(
            (russian['number'], russian['name'], russian['user']),
            ('+7 777 123 4567', "Customer", "Anna"),
        )
        self.assertIn("Inbound +7 777 123 4567", call.message_id.body)

    def test_the_body_is_readable_without_the_web_client(self):
        """Mails, portals and other programs read the message, in the company's language whoever has
        saved the result."""
        call = self.talk()
        self.anna.lang = 'ru_RU'
        self.lead.user_id = self.anna
        disposition = self.env['telephony.disposition'].search(
            [('applies_to', '!=', 'no_talk')], limit=1
        )
        disposition.with_context(lang='ru_RU').name = "Договорились"
        call.with_user(self.anna).with_context(lang='ru_RU').save_result(
            {'disposition_id': disposition.id, 'note': "Wants <b>20</b> sets"}
        )
        body = (
            self.env['mail.message']
            .with_user(self.anna)
            .browse(call.message_id.id)
            .read(['body'])[0]['body']
        )
        for part in (
            "Inbound",
            "Answered, Anna, talk 1:10",
            disposition.with_context(lang='en_US').name,
            "&lt;b&gt;20",
        ):
            self.assertIn(part, body)
        self.assertNotIn("Договорились", body)
        line = self.lines(self.lead, self.anna)[call.id]
        self.assertEqual((line['result'], line['note']), ("Договорились", "Wants <b>20</b> sets"))

    def test_only_who_may_listen_gets_the_recording(self):
        call = self.talk(recording_url='https://pbx.example.com/1.mp3')
        self.lead.user_id = False  # everybody's
        plain = self.env['res.users'].create(
            {
                'name': "Sales without telephony",
                'login': 'sales_only',
                'group_ids': [
                    Command.set([self.env.ref('sales_team.group_sale_salesman_all_leads').id])
                ],
            }
        )
        self.assertEqual(
            [one['url'] for one in self.lines(self.lead, self.anna)[call.id]['recordings']],
            [call.recording_ids.player_url],
        )
        line = self.lines(self.lead, plain)[call.id]
        self.assertEqual((line['recordings'], line['can_open']), ([], False))
        call.recording_ids.write({'state': 'pending'})
        pending = self.lines(self.lead, self.anna)[call.id]['recordings']
        self.assertEqual([(one['state'], one['url']) for one in pending], [('pending', False)])
        self.assertEqual(line['outcome'], 'answered', "what the message says anyway")

    def test_a_contact_tells_the_calls_about_its_deals(self):
        """Those that its reader may read, each on its deal."""
        call = self.talk()
        self.assertEqual(call.message_id.model, 'crm.lead')
        self.assertIn(call.id, self.lines(self.partner, self.anna))
        self.assertNotIn(
            call.id, self.lines(self.partner, self.boris), "Anna's deal is none of Boris's business"
        )
        self.assertNotIn(
            call.id, self.lines(self.env['res.partner'].create({'name': "Other"}), self.anna)
        )

    def test_queries_do_not_grow_with_the_calls(self):
        def queries(of):
            self.env.flush_all()
            self.env.invalidate_all()
            start = self.env.cr.sql_log_count
            of()
            self.env.flush_all()
            return self.env.cr.sql_log_count - start

        few, many = self.logged(6, 'few'), self.logged(30, 'many')
        queries(few._log_in_chatter)  # what is cached for good
        few.message_id.unlink()
        self.assertEqual(queries(few._log_in_chatter), queries(many._log_in_chatter))
        self.assertEqual(len(many.message_id), 30)
        messages = [
            self.env['mail.message'].with_user(self.anna).browse(calls.message_id.ids)
            for calls in (few, few, many)
        ]
        _first, *counts = [queries(part._telephony_lines) for part in messages]
        self.assertEqual(*counts)

    def test_old_lines_get_their_authors(self):
        call = self.talk()
        bot = self.env.ref('base.partner_root')
        call.message_id.author_id = bot
        self.play(
            self.event('ringing', 'lost', extension='101'),
            self.event('ended', 'lost', outcome='missed'),
        )
        self.env.flush_all()
        script = load_script(
            file_path('crm_telephony/migrations/19.0.2.0.0/post-words.py'), 'post_words'
        )
        script.migrate(self.cr, '19.0.1.1.0')
        self.env.invalidate_all()
        self.assertEqual(
            (call.message_id.author_id, self.call('lost').message_id.author_id),
            (self.anna.partner_id, bot),
        )

    def test_what_is_planned_from_a_result_says_why(self):
        call = self.talk()
        disposition = self.env['telephony.disposition'].search(
            [('applies_to', '!=', 'no_talk')], limit=1
        )
        call.with_user(self.anna).save_result(
            {
                'disposition_id': disposition.id,
                'note': "Wants a discount\nfor 20 sets",
                'activity': {
                    'type_id': self.env.ref('mail.mail_activity_data_call').id,
                    'date': '2026-12-01',
                },
            }
        )
        activity = self.lead.activity_ids
        self.assertEqual(activity.summary, disposition.name)
        self.assertIn("Wants a discount", activity.note)


class TestChatterTour(ChatterData, TelephonyHttpCase):
    def test_a_russian_salesperson_in_an_english_database(self):
        self.env['res.lang']._activate_lang('ru_RU')
        self.env['ir.module.module'].search([('name', '=', 'crm_telephony')])._update_translations(
            ['ru_RU']
        )
        lead = self.new_lead(name="Мука")
        self.play(
            self.event('ringing', extension='101', at=-90),
            self.event('answered', extension='101', at=-80),
            self.event('recording', recording_url='https://pbx.example.com/1.mp3', at=-9),
            self.event('ended', extension='101', at=-10, outcome='answered', talk_seconds=70),
        )
        call = self.call()
        self.assertIn("Inbound", call.message_id.body)
        call.with_user(self.anna).save_result({'note': "Просит скидку"})
        self.anna.lang = 'ru_RU'
        self.start_tour(f'/odoo/crm/{lead.id}', 'telephony_chatter', login='tel_anna')
        self.start_tour(
            f'/odoo/res.partner/{self.partner.id}', 'telephony_chatter_of_contact', login='tel_anna'
        )
