"""What is made of speech without a database: figures, pieces, what an engine answers, what it made
up, what is masked, and what is looked for."""

import io
import random
import re

from hypothesis import given
from hypothesis import strategies as st

from odoo.tests import BaseCase, tagged

from ..speech import guard
from ..speech.engine import Engine, EngineError, language_told, lines
from ..speech.fold_text import BadQuery, fold, is_heard, language_of, marked, read_query
from ..speech.guard import Line, is_invented
from ..speech.mask import is_iin, is_inn, mask
from ..speech.pieces import BOTH, Piece, cut, plan
from ..speech.talk import measure
from .provider_case import PROPERTY
from .speech_case import RATE, Engines, said, talk

# Sides that take turns: (gap before, length), in seconds, ours and theirs by turns.
EXCHANGES = st.lists(
    st.tuples(st.integers(0, 2000), st.integers(13, 1500)), min_size=2, max_size=20
)


@tagged('post_install', '-at_install', 'crm_telephony')
class TestFigures(BaseCase):
    def test_a_talk(self):
        talked = measure([(0, 6), (10, 16)], [(6.5, 9), (16.5, 20), (40, 42)], 60)
        self.assertEqual(talked.ours.seconds, 12)
        self.assertEqual(talked.theirs.seconds, 8)
        self.assertEqual(talked.share, 0.6)
        self.assertEqual(talked.silence, 40)
        self.assertEqual(talked.long_silences, 2)  # from 20 to 40, and from 42 to the end
        self.assertEqual(talked.overlap, 0)
        self.assertEqual(talked.reply, 0.5)  # 0.5, 0.5, 1.0
        self.assertEqual(talked.ours.longest, 6)

    def test_who_hardly_spoke_has_no_share(self):
        self.assertIsNone(measure([(0, 30)], [(31, 35.9)], 40).share)
        self.assertIsNotNone(measure([(0, 30)], [(31, 36)], 40).share)

    def test_an_interruption_cuts_the_other_short(self):
        def cuts(mine, other):
            return measure([mine], [other], 60).ours.interruptions

        self.assertEqual(cuts((5, 10), (0, 5.5)), 1)
        self.assertEqual(cuts((5, 10), (0, 5.2)), 0)  # hardly together
        self.assertEqual(cuts((5, 10), (0, 6.5)), 0)  # the other goes on
        self.assertEqual(cuts((5, 6), (0, 5.5)), 0)  # a word only
        self.assertEqual(cuts((5, 10), (4.5, 5.5)), 0)  # the other had just begun
        self.assertEqual(measure([(0, 5.5)], [(5, 10)], 60).theirs.interruptions, 1)

    def test_a_monologue_goes_on_over_a_yes_and_ends_with_an_answer(self):
        ours = [(0, 10), (10.5, 20)]
        self.assertEqual(measure(ours, [(5, 5.8)], 30).ours.longest, 20)
        self.assertEqual(measure(ours, [(9.8, 11)], 30).ours.longest, 10)
        self.assertEqual(measure([(0, 10), (11.5, 20)], [], 30).ours.longest, 10)

    @PROPERTY
    @given(EXCHANGES)
    def test_what_is_spoken_and_silent_is_the_whole(self, exchanges):
        sides, now, silent = ([], []), 0, 0
        for place, (gap, length) in enumerate(exchanges):
            sides[place % 2].append(((now + gap) / 100, (now + gap + length) / 100))
            now, silent = now + gap + length, silent + gap
        talked = measure(*sides, now / 100)
        self.assertAlmostEqual(talked.silence, silent / 100, delta=0.02)
        self.assertEqual(talked.overlap, 0)
        both = talked.ours.seconds + talked.theirs.seconds
        self.assertAlmostEqual(both + talked.silence, now / 100, delta=0.05)
        turned = measure(sides[1], sides[0], now / 100)
        self.assertEqual((turned.ours, turned.theirs), (talked.theirs, talked.ours))
        self.assertEqual(turned.reply, talked.reply)
        self.assertEqual((talked.ours.interruptions, talked.theirs.interruptions), (0, 0))


@tagged('post_install', '-at_install', 'crm_telephony')
class TestMask(BaseCase):
    def test_numbers_are_taken_out(self):
        for text, masked in {
            "карта 4111 1111 1111 1111 срок": "карта •••• •••• •••• •••• срок",
            "4111, 1111, 1111, 1111": "••••, ••••, ••••, ••••",
            "карта 4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1": "карта " + " ".join("•" * 16),
            "мой номер 8 777 123 45 67": "мой номер • ••• ••• •• 67",
            "плюс 7 912 345 67 89": "+• ••• ••• •• 89",
            "мой ИНН 7707083893": "мой ИНН ••••••••••",
            "ИНН 500100732259, да": "ИНН ••••••••••••, да",
        }.items():
            with self.subTest(text):
                self.assertEqual(mask(text)[0], masked)
                self.assertEqual(mask(text)[1], 1)

    def test_other_numbers_stay(self):
        for text in (
            "договор 4215 от 12.05.2026, сумма 125 000",
            "заказ 1234567890123456",
            "сорок один одиннадцать",
            "скидка 15 процентов, добавочный 101",
        ):
            with self.subTest(text):
                self.assertEqual(mask(text), (text, 0))

    def test_check_digits(self):
        digits = '88010130012'
        valid = [last for last in '0123456789' if is_iin(digits + last)]
        self.assertEqual(len(valid), 1)
        self.assertFalse(is_iin('881301300126'))  # no such month
        self.assertTrue(is_inn('7707083893'))
        self.assertFalse(is_inn('7707083894'))
        iin = digits + valid[0]
        self.assertEqual(mask(f"ИИН {iin}")[0], "ИИН " + "•" * 12)

    def test_random_numbers_are_seldom_masked(self):
        digits = random.Random(4)
        texts = [f"заказ {digits.randrange(10**15, 10**16)} готов" for _try in range(500)]
        self.assertLess(sum(mask(text)[1] for text in texts), 75)  # one of ten has Luhn's digit

    def test_a_text_that_was_masked_stays_as_it_is(self):
        text = "карта 4111 1111 1111 1111, номер +7 777 123 45 67"
        once = mask(text)[0]
        self.assertEqual(mask(once), (once, 0))


@tagged('post_install', '-at_install', 'crm_telephony')
class TestGuard(BaseCase):
    # what engines really made of poor sound
    LOOPS = (
        "и ромашка минана " + "ромаш " * 16,
        "өлі " * 18,
        "қаң " * 11,
        "грома таматль нома лигия тургеном " * 4,
        "спасибо большое " * 4,
    )
    SAID = (
        "здравствуйте компания ромашка меня зовут анна чем могу помочь",
        "да да да хорошо да понял да да",
        "нет нет нет нет не надо",
        "алло алло алло вы меня слышите алло",
        "good morning thank you for calling my name is anna how can i help you",
    )

    def line(self, text, seconds=60.0, **more):
        return Line(0.0, seconds, 0, text, **more)

    def test_loops_are_dropped_and_talk_stays(self):
        for text in self.LOOPS:
            self.assertTrue(is_invented(self.line(text), ()), text)
        for text in self.SAID:
            self.assertFalse(is_invented(self.line(text), ()), text)

    def test_what_cannot_have_been_said(self):
        text = self.SAID[0]
        self.assertTrue(is_invented(self.line(text, 1.0), ()))  # too fast
        self.assertTrue(is_invented(self.line(text, 6.0, silent=0.8, confidence=-1.4), ()))
        self.assertFalse(is_invented(self.line(text, 6.0, silent=0.8, confidence=-0.3), ()))
        self.assertTrue(is_invented(self.line(text, 6.0, packed=2.9), ()))
        self.assertTrue(is_invented(self.line(text, 10.0), [(9.0, 12.0)]))  # nobody speaks there
        self.assertFalse(is_invented(self.line(text, 10.0), [(5.0, 12.0)]))
        self.assertTrue(is_invented(self.line("..."), ()))
        self.assertTrue(is_invented(self.line("Субтитры сделал DimaTorzok"), ()))

    def test_another_language_is_no_russian_talk(self):
        welsh = "mae gennym ni lawer o bethau"
        self.assertTrue(is_invented(self.line(welsh), (), 'ru'))
        self.assertFalse(is_invented(self.line(welsh), (), 'en'))
        self.assertFalse(is_invented(self.line("Samsung Galaxy"), (), 'ru'))  # a name
        self.assertFalse(is_invented(self.line("айфон pro max, пожалуйста"), (), 'ru'))

    def test_packing_counts_in_longer_texts_only(self):
        self.assertEqual(guard.packed("да"), 1.0)


@tagged('post_install', '-at_install', 'crm_telephony')
class TestQuery(BaseCase):
    def test_kazakh_and_russian_are_folded_alike(self):
        self.assertEqual(fold("Қоңырау, ӘЛЕМ!"), "конырау алем")
        self.assertEqual(fold("Счёт — готов"), "счет готов")
        self.assertEqual(fold("и\u0306од"), fold("йод"))

    def test_what_people_type(self):
        for text, tsquery in {
            "скидка": "(скидка:*)",
            "да": "(да)",
            "скидка дорого": "(скидка:*) & (дорого:*)",
            '"не доставили"': "(не <-> доставили:*)",
            "скидка -возврат": "(скидка:*) & !(возврат:*)",
            "қабық": "((кабык:* | кабыг:*))",
            "101": "(101)",
            "20250": "(20250)",
        }.items():
            with self.subTest(text):
                self.assertEqual(read_query(text).tsquery, tsquery)
        self.assertEqual(read_query("скидка да", 'theirs').tsquery, "(скидка:*B) & (да:B)")

    def test_what_cannot_be_looked_for_says_why(self):
        for text in ("", "*", "-скидка", '""', "!!! & |", "ы" * 5000, "раз " * 13):
            with self.subTest(text[:20]), self.assertRaises(BadQuery) as caught:
                read_query(text)
            self.assertTrue(caught.exception.words)

    @PROPERTY
    @given(st.text(max_size=60))
    def test_no_text_is_a_command(self, text):
        try:
            tsquery = read_query(text).tsquery
        except BadQuery:
            return
        terms = re.sub(r'[()!]| & | \| | <-> ', ' ', tsquery).split()
        self.assertTrue(all(re.fullmatch(r'[^\W_]+(:\*?)?', term) for term in terms), tsquery)

    def test_the_words_of_a_line_are_marked(self):
        line, wanted = "Доставки сегодня не будет, қоңырау шалам", ("доставка", "конырау")
        self.assertEqual(is_heard(line, wanted), 2)
        self.assertEqual(
            [part for part, is_wanted in marked(line, wanted) if is_wanted], ["Доставки", "қоңырау"]
        )
        self.assertEqual(''.join(part for part, _wanted in marked(line, wanted)), line)
        self.assertEqual(is_heard("дом", ("доставка",)), 0)

    def test_the_language_is_seen_by_its_letters(self):
        self.assertEqual(language_of("Сәлеметсіз бе, қалайсыз", 'ru'), 'kk')
        self.assertEqual(language_of("Добрый день, скидка есть", 'ru'), 'ru')
        self.assertEqual(
            language_of("Добрый день, это компания ромашка. Рахмет, сау болыңыз, " * 3, 'ru'),
            'mixed',
        )


@tagged('post_install', '-at_install', 'crm_telephony')
class TestPieces(BaseCase):
    def test_silence_is_left_out_and_seconds_come_back(self):
        [piece] = plan([[(1, 3), (4, 6), (30, 32)]])
        self.assertEqual(piece.channel, BOTH)
        self.assertEqual(piece.stretches, ((0.8, 6.2), (29.8, 32.2)))
        self.assertEqual(piece.moment(0), 0.8)
        self.assertEqual(piece.moment(6.4), 30.8)
        self.assertEqual(piece.moment(-5), 0.8)
        self.assertEqual(piece.moment(900), 32.2)

    def test_a_long_talk_is_cut_where_nobody_speaks(self):
        turns = [(start, start + 3.5) for start in range(0, 400, 4)]
        pieces = plan([turns, [(1, 2)]])
        self.assertTrue(all(piece.seconds <= 120 for piece in pieces))
        self.assertEqual([piece.channel for piece in pieces][-1], 1)
        for piece in pieces[:3]:
            self.assertFalse(any(start < piece.stretches[-1][1] < end for start, end in turns))

    def test_one_who_never_pauses_is_cut_all_the_same(self):
        pieces = plan([[(0, 500)]])
        self.assertTrue(all(piece.seconds <= 120.1 for piece in pieces))
        self.assertAlmostEqual(sum(piece.seconds for piece in pieces), 500.2, places=3)

    def test_a_piece_that_is_too_large_is_halved_down_to_the_shortest(self):
        piece = Piece(0, ((0.0, 100.0),))
        halves = piece.halves()
        self.assertEqual([round(half.seconds) for half in halves], [50, 50])
        self.assertEqual(Piece(0, ((0.0, 30.0),)).halves(), (Piece(0, ((0.0, 30.0),)),))

    def test_the_sound_of_a_channel(self):
        recording = io.BytesIO(talk([(1, 3)], [(5, 8)], seconds=9))
        pieces = plan([[(1, 3)], [(5, 8)]])
        sounds = dict(cut(recording, pieces))
        self.assertEqual(set(sounds), {0, 1})
        for number, piece in enumerate(pieces):
            # 44 bytes of head, two bytes a sample
            self.assertAlmostEqual((len(sounds[number]) - 44) / 2 / RATE, piece.seconds, delta=0.01)
            self.assertTrue(any(sounds[number][44:]))


@tagged('post_install', '-at_install', 'crm_telephony')
class TestEngine(Engines, BaseCase):
    PIECE = Piece(0, ((10.0, 20.0), (30.0, 40.0)))

    def setUp(self):
        super().setUp()
        self.set_up_engine()

    def ask(self, *answer, **values):
        self.server.answers = [answer] if len(answer) == 3 else [answer[0]]
        engine = Engine(
            self.engine_url, **{'key': 'secret', 'model': 'whisper', 'timeout': 5, **values}
        )
        return engine.ask(talk([(0, 1)], seconds=1), 'ru')

    def refused(self, *answer):
        with self.assertRaises(EngineError) as caught:
            lines(self.ask(*answer), self.PIECE)
        return caught.exception

    def test_it_is_asked_as_all_engines_are(self):
        self.ask(said((0, 1, "Алло")), hints="Ромашка")
        [request] = self.server.asked
        self.assertEqual(request.form['model'], 'whisper')
        self.assertEqual(request.form['language'], 'ru')
        self.assertEqual(request.form['prompt'], "Ромашка")
        self.assertEqual(request.form['response_format'], 'verbose_json')
        self.assertEqual(request.key, 'Bearer secret')
        self.assertEqual(request.seconds, 1)
        self.assertNotIn('secret', repr(Engine(self.engine_url, key='secret')))

    def test_lines_get_the_second_of_the_recording(self):
        told = self.ask(
            said(
                (12, 14, " второй "),
                (1, 2, "первый"),
                (-4, 99999, "нигде"),
                {'start': 'x', 'end': True, 'text': "без времени"},
                {'text': None},
            )
        )
        found = lines(told, self.PIECE)
        at = {line.text: (line.start, line.end) for line in found}
        self.assertEqual(at["первый"], (11.0, 12.0))
        self.assertEqual(at["второй"], (32.0, 34.0))
        self.assertEqual(at["нигде"], (10.0, 40.0))
        self.assertEqual(at["без времени"], (10.0, 40.0))
        self.assertEqual([line.start for line in found], sorted(line.start for line in found))

    def test_a_text_alone_is_one_line(self):
        [line] = lines(self.ask(200, {'text': "Алло,\n да\x00\ud800"}, {}), self.PIECE)
        self.assertEqual((line.start, line.end, line.text), (10.0, 40.0, "Алло, да"))

    def test_an_engine_that_is_away_is_asked_again(self):
        for status in (408, 429, 500, 503):
            error = self.refused(status, b'busy', {'Retry-After': '30'})
            self.assertTrue(error.is_away and error.retryable)
            self.assertEqual(error.retry_after, 30)
        self.server.shutdown()
        self.server.server_close()
        with self.assertRaises(EngineError) as caught:
            Engine(self.engine_url, timeout=2).ask(b'x')
        self.assertTrue(caught.exception.is_away)

    def test_a_refusal_has_the_words_of_the_engine(self):
        error = self.refused(400, {'error': {'message': "Invalid model\n'x'."}}, {})
        self.assertFalse(error.retryable)
        self.assertIn("Invalid model 'x'", str(error))
        self.assertTrue(self.refused(413, b'', {}).is_too_large)
        # a redirect would carry the key elsewhere
        self.assertFalse(self.refused(302, b'', {'Location': 'http://127.0.0.1:1/'}).retryable)

    def test_no_text_is_no_result(self):
        for answer in (
            (200, b'<html>Welcome</html>', {}),
            (200, b'', {}),
            (200, [1], {}),
            (200, {'detail': "x"}, {}),
            (200, b'[' * 100_000, {}),
            (200, {'text': ''}, {}),
            (200, {'text': '  ', 'segments': []}, {}),
            (200, b'{"text": "' + b'x' * (11 << 20) + b'"}', {}),
        ):
            with self.subTest(str(answer[1])[:20]):
                self.refused(*answer)
        # of a second of voice an engine may say nothing
        self.assertEqual(lines(self.ask(200, {'text': ''}, {}), Piece(0, ((0.0, 1.0),))), [])

    def test_the_language_is_a_code_or_a_name(self):
        self.assertEqual(language_told({'language': 'Russian'}), 'ru')
        self.assertEqual(language_told({'language': 'kk'}), 'kk')
        self.assertEqual(language_told({'language': 'klingon'}), '')
        self.assertEqual(language_told({}), '')
