"""What was said: a recording becomes text by an engine over real HTTP, is read by those who may listen,
found, corrected, kept and deleted."""

from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.modules.neutralize import get_neutralization_queries
from odoo.tests import new_test_user

from .common import CUSTOMER
from .keep_case import KeepCase
from .speech_case import Engines, said, talk


class SpeechCase(Engines, KeepCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sound = talk([(0.5, 3), (8, 11)], [(4, 7)])

    def setUp(self):
        super().setUp()
        self.set_up_engine()
        self.account.write({'agent_channel_in': 'first', 'country_id': self.env.ref('base.kz').id})
        self.engine = self.env['telephony.speech.engine'].create(
            {'name': "Office", 'url': self.engine_url, 'api_key': 'k', 'timeout': 5}
        )
        self.route = self.env['telephony.speech.route'].create(
            {'name': "All", 'engine_id': self.engine.id, 'language': 'ru', 'min_seconds': 5}
        )

    def heard(self, *answers, user=None, **values):
        """A recording of Anna's that was turned into text.

        :param answers: what the engine says of their side, which ends first, then of ours
        """
        self.server.answers = list(answers)
        recording = self.talk(user_id=(user or self.anna).id, **values)
        recording._store_sound(self.sound, 'audio/wav')
        self.run_cron('probe_recordings')
        self.run_cron('transcribe')
        return recording

    def both(self, ours="Добрый день", theirs="Здравствуйте", **values):
        return self.heard(said((0.3, 2.5, theirs)), said((0.3, 2.5, ours)), **values)

    def again(self, recording):
        """It is time for the next try."""
        self.engine.next_try_at = False
        recording.transcript_ids.write({'next_try_at': False})
        self.run_cron('transcribe')
        return recording.transcript_ids

    def found(self, text, field='said', user=None):
        transcripts = self.env['telephony.transcript'].with_user(user or self.env.user)
        return transcripts.search([(field, 'ilike', text), ('is_current', '=', True)]).recording_id


class TestTranscribing(SpeechCase):
    def test_a_recording_becomes_text_with_sides_and_seconds(self):
        recording = self.both("Добрый день, плюс 7 777 123 45 67", "Здравствуйте")
        transcript = recording.transcript_id
        self.assertEqual(
            transcript.lines,
            [[0.6, 2.8, 0, "Добрый день, +• ••• ••• •• 67"], [4.1, 6.3, 1, "Здравствуйте"]],
        )
        self.assertRecordValues(
            transcript,
            [
                {
                    'state': 'done',
                    'is_current': True,
                    'language': 'ru',
                    'masked': 1,
                    'is_separated': True,
                    'text_theirs': "здравствуйте",
                    'user_id': self.anna.id,
                    'engine_name': "Office",
                }
            ],
        )
        self.assertIn("0:04 Customer: Здравствуйте", recording.transcript)
        self.assertAlmostEqual(transcript.ours_seconds, 5.5, delta=0.1)
        self.assertAlmostEqual(transcript.theirs_seconds, 3, delta=0.1)
        self.assertEqual([request.form['language'] for request in self.server.asked], ['ru', 'ru'])
        self.assertEqual(self.server.asked[0].key, 'Bearer k')

    def test_what_no_route_fits_stays_sound(self):
        for values in (
            {'direction': 'outbound'},
            {'min_seconds': 60},
            {'lang_ids': self.env.ref('base.lang_en').ids},
            {'active': False},
        ):
            with self.subTest(values):
                self.route.write(
                    {'direction': False, 'min_seconds': 5, 'lang_ids': False, **values}
                )
                self.assertFalse(self.both().transcript_ids)
        self.assertFalse(self.server.asked)

    def test_each_piece_is_asked_once(self):
        """The process dies after the first piece: the second alone is left."""
        recording = self.heard(said((0, 2, "Раз")), (503, b'', {}))
        [transcript] = recording.transcript_ids
        self.assertEqual(transcript.state, 'queued')
        self.assertEqual(list(transcript.progress['done']), ['1'])
        self.server.answers = [said((0, 2, "Два"))]
        self.again(recording)
        self.assertEqual(transcript.state, 'done')
        self.assertEqual(len(self.server.asked), 3)
        self.assertEqual([line[3] for line in transcript.lines], ["Два", "Раз"])
        self.assertFalse(transcript.progress)

    def test_an_engine_that_is_away_for_a_week_fails_nothing(self):
        recording = self.heard(*[(503, b'', {})] * 50)
        for _hour in range(12):
            self.again(recording)
        self.assertEqual(recording.transcript_ids.state, 'queued')
        self.assertEqual(recording.transcript_ids.attempts, 0)
        self.assertEqual(self.engine.state, 'away')
        pause = self.engine.next_try_at - fields.Datetime.now()
        self.assertAlmostEqual(pause.total_seconds(), 3600, delta=20)
        self.engine.away_since = fields.Datetime.now() - timedelta(days=7)
        self.again(recording)
        self.assertTrue(self.engine.activity_ids)
        self.server.answers = []
        later = self.talk(user_id=self.anna.id)
        later.call_id.start_at = fields.Datetime.now() + timedelta(minutes=1)
        later._store_sound(self.sound, 'audio/wav')
        self.run_cron('probe_recordings')
        self.again(recording | later)
        self.assertEqual(set((recording | later).transcript_ids.mapped('state')), {'done'})
        self.assertEqual(self.engine.state, 'ready')

    def test_while_it_is_away_it_is_asked_once_for_all(self):
        first, second = (self.talk(user_id=self.anna.id) for _talk in range(2))
        self.server.answers = [(503, b'', {})] * 5
        for recording in (first, second):
            recording._store_sound(self.sound, 'audio/wav')
        self.run_cron('probe_recordings')
        self.run_cron('transcribe')
        self.assertEqual(len(self.server.asked), 1)
        self.run_cron('transcribe')  # the pause is not over
        self.assertEqual(len(self.server.asked), 1)

    def test_wrong_settings_stop_the_engine_and_keep_the_queue(self):
        recording = self.heard((401, {'error': {'message': "no such key"}}, {}))
        self.assertEqual(self.engine.state, 'stopped')
        self.assertIn("no such key", self.engine.error)
        self.assertEqual(recording.transcript_ids.state, 'queued')
        self.again(recording)
        self.assertEqual(len(self.server.asked), 1)
        self.engine.api_key = 'new'
        self.again(recording)
        self.assertEqual(recording.transcript_ids.state, 'done')

    def test_a_piece_that_is_refused_fails_and_can_be_tried_again(self):
        recording = self.heard((400, {'error': "bad sound"}, {}))
        [transcript] = recording.transcript_ids
        self.assertEqual(transcript.state, 'failed')
        self.assertIn("bad sound", transcript.error)
        self.assertEqual(self.engine.failures, 1)
        with self.assertRaises(AccessError):
            transcript.with_user(self.anna).action_try_again()
        transcript.action_try_again()
        self.run_cron('transcribe')
        self.assertEqual(transcript.state, 'done')

    def test_a_piece_that_is_too_large_is_halved(self):
        self.sound = talk([(1, 22), (26, 47)], seconds=60)
        self.account.agent_channel_in = False
        recording = self.heard((413, b'', {}), said((0, 2, "Раз")), said((0, 2, "Два")))
        [transcript] = recording.transcript_ids
        self.assertEqual([line[3] for line in transcript.lines], ["Раз", "Два"])
        self.assertEqual({line[2] for line in transcript.lines}, {2})
        self.assertFalse(transcript.is_separated)

    def test_what_kills_the_process_is_not_tried_for_ever(self):
        self.server.usual = (200, {'text': ""}, {})  # nothing heard, though somebody speaks
        self.sound = talk([(0.5, 7)], [(8, 8.2)], seconds=20)
        recording = self.heard()
        [transcript] = recording.transcript_ids
        self.assertGreater(transcript.next_try_at, fields.Datetime.now())
        self.assertEqual(transcript.state, 'queued')
        self.again(recording)
        self.assertEqual(transcript.attempts, 2)
        transcript.attempts = 7  # and the last time nothing could be written any more
        asked = len(self.server.asked)
        self.again(recording)
        self.assertEqual(transcript.state, 'failed')
        self.assertTrue(transcript.error)
        self.assertEqual(len(self.server.asked), asked)

    def test_what_the_engine_made_up_is_left_out(self):
        loop = "и ромашка минана " + "ромаш " * 16
        recording = self.heard(said((0, 2.5, loop)), said((0, 2, "Алло")))
        self.assertEqual([line[3] for line in recording.transcript_id.lines], ["Алло"])
        self.assertEqual(recording.transcript_id.dropped, 1)

    def test_a_month_costs_no_more_than_it_may(self):
        self.engine.minute_price = 10
        self.company.telephony_speech_month = 1
        first, second = self.both(), self.both()
        self.assertEqual(first.transcript_ids.state, 'done')
        self.assertGreater(first.transcript_ids.cost, 1)
        self.assertEqual(second.transcript_ids.state, 'queued')
        self.company.telephony_speech_month = 100
        self.again(second)
        self.assertEqual(second.transcript_ids.state, 'done')

    def test_a_recording_that_is_deleted_meanwhile_is_not_sent(self):
        recording = self.heard((503, b'', {}))
        recording._delete_sound("Enough", text_too=False)
        self.again(recording)
        self.assertFalse(recording.transcript_ids)
        self.assertEqual(len(self.server.asked), 1)

    def test_engines_are_checked(self):
        for url in (
            'ftp://x/',
            'nonsense',
            'http://speech.example.com/v1',
            'https://u:p@example.com/',
        ):
            with self.subTest(url), self.assertRaises(ValidationError):
                self.engine.url = url
        self.assertFalse(self.engine.leaves_house)
        self.engine.url = 'https://speech.example.com/v1/audio/transcriptions'
        self.assertTrue(self.engine.leaves_house)

    def test_a_neutralized_copy_sends_nothing(self):
        recording = self.heard((503, b'', {}))
        self.env.flush_all()
        for query in get_neutralization_queries(['crm_telephony']):
            self.env.cr.execute(query)
        self.env.invalidate_all()
        self.again(recording)
        self.assertEqual(len(self.server.asked), 1)
        self.assertFalse(self.engine.api_key or '127.0.0.1:9/' not in self.engine.url)

    def test_the_key_is_for_administrators(self):
        supervisor = new_test_user(
            self.env, 'tel_sup2', groups='base.group_user,crm_telephony.group_supervisor'
        )
        with self.assertRaises(AccessError):
            self.engine.with_user(supervisor).read(['name'])


class TestReading(SpeechCase):
    def test_who_may_listen_reads_and_it_is_logged_once_a_day(self):
        recording = self.both()
        words = recording.with_user(self.anna).get_words()
        self.assertEqual([line['text'] for line in words['lines']], ["Добрый день", "Здравствуйте"])
        recording.with_user(self.anna).get_words()
        [row] = recording.with_user(self.anna).read(['transcript'])
        self.assertIn("Здравствуйте", row['transcript'])
        lines = self.env['telephony.listen'].search([('recording_id', '=', recording.id)])
        self.assertEqual(lines.mapped('kind'), ['read'])
        self.assertEqual(lines.user_id, self.anna)

    def test_others_neither_read_nor_find(self):
        recording = self.both(theirs="скидка")
        stranger = new_test_user(
            self.env, 'tel_other', groups='base.group_user,crm_telephony.group_user'
        )
        with self.assertRaises(AccessError):
            recording.with_user(stranger).get_words()
        self.assertFalse(self.found("скидка", user=stranger))
        self.assertEqual(self.found("скидка", user=self.anna), recording)
        with self.assertRaises(AccessError):
            recording.transcript_id.with_user(self.anna).read(['lines'])
        # who finds and erases for the sake of privacy reads no texts
        with self.assertRaises(AccessError):
            recording.with_user(self.keeper).get_words()
        self.assertFalse(recording.with_user(self.keeper).read(['transcript'])[0]['transcript'])

    def test_a_correction_keeps_the_engines_text(self):
        recording = self.both()
        words = recording.with_user(self.anna).correct_words(
            4.1, 1, "Здравствуйте, Анна", "Здравствуйте"
        )
        self.assertEqual(words['lines'][1]['text'], "Здравствуйте, Анна")
        self.assertEqual(len(recording.transcript_ids), 2)
        self.assertTrue(recording.transcript_id.is_corrected)
        old = recording.transcript_ids - recording.transcript_id
        self.assertEqual(old.lines[1][3], "Здравствуйте")
        self.assertEqual(self.found("Анна"), recording)
        self.assertIn("Здравствуйте, Анна", recording.transcript)
        with self.assertRaises(UserError):  # somebody was faster
            recording.correct_words(4.1, 1, "Алло", "Здравствуйте")
        recording.correct_words(4.1, 1, "", "Здравствуйте, Анна")
        self.assertEqual(len(recording.transcript_ids), 2)
        self.assertFalse(self.found("Анна"))

    def test_a_correction_with_what_no_database_stores(self):
        recording = self.both()
        words = recording.with_user(self.anna).correct_words(4.1, 1, "Ал\0ло\ud800", "Здравствуйте")
        self.assertEqual(words['lines'][1]['text'], "Ал ло")

    def test_swapped_sides_swap_the_words_and_figures(self):
        recording = self.both(ours="скидка", theirs="возврат")
        self.assertEqual(self.found("скидка", 'said_by_us'), recording)
        self.assertFalse(self.found("скидка", 'said_by_them'))
        seconds = recording.transcript_id.ours_seconds
        recording.action_swap_sides()
        self.assertFalse(self.found("скидка", 'said_by_us'))
        self.assertEqual(self.found("скидка", 'said_by_them'), recording)
        self.assertEqual(recording.transcript_id.theirs_seconds, seconds)


class TestSaid(SpeechCase):
    def test_forms_phrases_and_sides_are_found(self):
        recording = self.both("Скидки не будет", "Қоңырау шаламын, доставку не привезли")
        for text, field, is_found in (
            ("скидка", 'said', True),
            ("СКИДКА", 'said_by_us', True),
            ("скидка", 'said_by_them', False),
            ("конырау", 'said_by_them', True),
            ("қоңырау доставка", 'said', True),
            ('"доставку не привезли"', 'said', True),
            ('"привезли доставку"', 'said', False),
            ("доставка -скидка", 'said', False),
            ("скидка возврат", 'said', False),
        ):
            with self.subTest(text=text, field=field):
                self.assertEqual(
                    self.found(text, field), recording if is_found else recording.browse()
                )

    def test_what_cannot_be_looked_for_says_why(self):
        for text in ("*", "-скидка", "и", "x" * 300):
            with self.subTest(text[:9]), self.assertRaises(UserError):
                self.found(text)

    def test_common_words_are_found_by_reading_the_latest(self):
        recording = self.both("Скидки не будет")
        self.patch(type(self.env['telephony.transcript']), '_listed', lambda *args: None)
        self.assertEqual(self.found("скидка"), recording)
        self.assertFalse(self.found("возврат"))

    def test_rare_words_are_looked_up_in_the_index(self):
        with self.assertLogs('odoo.sql_db', 'DEBUG') as log:
            self.found("скидка")
        self.assertTrue(any('enable_seqscan' in line for line in log.output))
        self.env.cr.execute("SHOW enable_seqscan")
        self.assertEqual(self.env.cr.fetchone()[0], 'on')
        self.env.cr.execute("SHOW statement_timeout")
        self.assertEqual(self.env.cr.fetchone()[0], '0')

    def test_the_list_shows_the_line_and_its_second(self):
        self.both("Добрый день", "Где <b>моя</b> доставка?")
        context = {'telephony_said': ["доставка"]}
        result = (
            self.env['telephony.transcript']
            .with_user(self.anna)
            .with_context(**context)
            .web_search_read(
                [('said', 'ilike', "доставка")], {'snippet': {}, 'said_at': {}}, limit=80
            )
        )
        [row] = result['records']
        self.assertEqual(row['said_at'], 4.1)
        self.assertEqual(row['snippet'], "Где &lt;b&gt;моя&lt;/b&gt; <mark>доставка</mark>?")
        transcript = self.env['telephony.transcript'].browse(row['id'])
        transcript = transcript.with_user(self.anna).with_context(**context)
        self.assertEqual(transcript.action_open()['context'], {'telephony_begin': 4.1})
        player = transcript.with_context(telephony_begin=4.1).player
        self.assertEqual((player['begin'], player['has_words']), (4.1, True))


class TestTextGoes(SpeechCase):
    def test_sound_and_text_have_their_own_time(self):
        recording = self.both(days=40, theirs="скидка")
        self.rule(30, keep_text_days=60)
        self.switch_on()
        self.night()
        self.assertEqual(recording.state, 'deleted')
        self.assertEqual(self.found("скидка"), recording)
        recording.call_id.ended_at -= timedelta(days=30)
        self.night()
        self.assertFalse(recording.transcript or recording.transcript_ids)
        self.assertFalse(self.found("скидка"))

    def test_a_hold_keeps_the_text(self):
        recording = self.both(days=40)
        self.rule(30, keep_text_days=30)
        self.hold(call_ids=[(6, 0, recording.call_id.ids)])
        self.switch_on()
        self.night()
        self.assertTrue(recording.transcript_ids.lines)

    def test_an_erasure_takes_the_text_too(self):
        kept = self.both(theirs="скидка", customer_number='+77019999999')
        gone = self.both(theirs="скидка")
        text_only = self.both(theirs="скидка")
        text_only._delete_sound("Its time was over", text_too=False)
        self.assertTrue(text_only.transcript)
        erasure = (
            self.env['telephony.erasure']
            .with_user(self.keeper)
            .create({'number': CUSTOMER, 'reason': "Asked", 'mode': 'anonymise'})
        )
        erasure.action_erase()
        self.run_cron('erase')
        self.assertFalse(erasure.error)
        self.assertFalse((gone | text_only).transcript_ids)
        self.assertFalse(any((gone | text_only).mapped('transcript')))
        self.assertEqual(self.found("скидка"), kept)
        line = erasure.line_ids.filtered(lambda line: line.model == 'telephony.transcript')
        self.assertEqual(line.removed, 2)
