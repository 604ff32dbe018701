"""Shared links: what somebody outside hears with one, how often, and what they learn, which is
little."""

import re
from datetime import timedelta

import psycopg2

from odoo import SUPERUSER_ID, api, fields
from odoo.exceptions import AccessError, UserError
from odoo.modules.registry import Registry
from odoo.tests import BaseCase, Form, get_db_name, tagged
from odoo.tools import mute_logger

from ..models.recordings.share import MOST_TRIES
from ..providers.numbers import masked
from .common import CUSTOMER
from .test_listening import QUIET, SOUND, WHY, ListeningCase

PIN = '4711'


class TestShares(ListeningCase):
    def setUp(self):
        super().setUp()
        self.authenticate(None, None)

    def share(self, **values):
        """A new link, and its address on this server."""
        share, url = self.recording.with_user(self.supervisor)._share(**values)
        self.env.flush_all()
        return share.sudo(), '/telephony/' + url.partition('/telephony/')[2]

    def play_it(self, url, pin=None):
        """What comes of pressing Play."""
        with mute_logger(*QUIET):
            return self.url_open(url, data={'pin': pin or ''}, method='POST')

    def sound_of(self, page):
        return re.search(r'<audio[^>]* src="([^"]+)"', page.text)[1]

    def test_a_play(self):
        share, url = self.share(note="The lawyer")
        page = self.url_open(url)
        self.assertEqual(page.status_code, 200)
        self.assertNotIn('<audio', page.text)
        self.assertNotIn('name="pin"', page.text)
        self.assertFalse(self.lines(), "looking at the page is no play")
        played = self.play_it(url)
        sound = self.sound_of(played)
        self.assertEqual(self.url_open(sound).content, SOUND)
        for byte_range in ('bytes=0-', 'bytes=10-19', 'bytes=5000-'):
            self.assertEqual(self.status(sound, Range=byte_range), 206)
        self.assertIn('<audio', self.url_open(played.url).text, "loaded again, it is the same play")
        self.assertRecordValues(
            self.lines(),
            [
                {
                    'kind': 'share',
                    'share_id': share.id,
                    'user_id': False,
                    'who': "Saule",
                    'ip': '127.0.0.1',
                    'company_id': self.company.id,
                }
            ],
        )
        self.assertEqual(share.plays, 1)
        self.assertEqual(self.recording.with_user(self.supervisor).heard_by_count, 1)

    def test_what_is_told_and_what_is_not(self):
        self.recording.call_id.partner_id = self.partner
        _share, url = self.share()
        for page in (self.url_open(url), self.play_it(url)):
            self.assertIn("+7 777 *** ** 67", page.text)
            self.assertIn("1:00", page.text)
            self.assertRegex(page.text, r"Expires in\s+(1 day|24 hours|23 hours)")
            for secret in (CUSTOMER[-7:], "123", self.partner.name, "Boris", "Saule", "Middleware"):
                self.assertNotIn(secret, re.sub(r'src="[^"]*"', '', page.text))
            self.assertEqual(page.headers['X-Robots-Tag'], 'noindex, nofollow')
            self.assertEqual(page.headers['Referrer-Policy'], 'no-referrer')
            self.assertEqual(page.headers['Cache-Control'], 'no-store')
            self.assertIn("default-src 'none'", page.headers['Content-Security-Policy'])
        self.assertEqual(self.url_open('/crm_telephony/static/shared/shared.css').status_code, 200)

    def test_whatever_language_a_browser_asks_for(self):
        _share, url = self.share()
        for language in ('kk-KZ,kk;q=0.9', 'ru', 'x', '*', ''):
            page = self.url_open(url, headers={'Accept-Language': language})
            self.assertEqual(page.status_code, 200, language)
            self.assertIn("+7 777", page.text)

    def test_a_pbx_that_fails_is_not_named(self):
        _share, url = self.share()
        self.recording.attachment_id.unlink()
        self.env.flush_all()
        sound = self.sound_of(self.play_it(url))
        with mute_logger(*QUIET):
            answer = self.url_open(sound)
        self.assertEqual((answer.status_code, answer.text), (502, ''))

    def test_so_many_plays_and_no_more(self):
        share, url = self.share(max_plays=2)
        first, second = (self.sound_of(self.play_it(url)) for _play in range(2))
        self.assertEqual(self.play_it(url).status_code, 404)
        self.assertEqual(self.status(url), 404)
        self.assertEqual((self.status(first), self.status(second)), (200, 200))
        self.assertEqual((share.plays, share.status, len(self.lines())), (2, 'used', 2))

    def test_all_that_is_over_looks_alike(self):
        """Also for those who listen at that moment."""
        answers = set()

        def over(url, sound):
            with mute_logger(*QUIET):
                for answer in (self.url_open(url), self.play_it(url), self.url_open(sound)):
                    kept = {k: v for k, v in answer.headers.items() if k not in ('Date',)}
                    answers.add((answer.status_code, answer.text, str(kept)))

        over('/telephony/shared/x', '/telephony/shared/x/sound')
        over(f'/telephony/shared/{"A" * 43}', f'/telephony/shared/{"A" * 43}/sound?t=x')
        for end in (
            lambda share: share.write({'expires_at': fields.Datetime.now()}),
            lambda share: share.with_user(self.supervisor).action_revoke(),
            lambda share: share.write({'state': 'locked'}),
            lambda share: share.write({'plays': 5, 'max_plays': 5, 'state': 'revoked'}),
            lambda share: share.recording_id._delete_sound(WHY),
        ):
            share, url = self.share()
            sound = self.sound_of(self.play_it(url))
            self.assertEqual(self.status(sound), 200)
            end(share)
            self.env.flush_all()
            over(url, sound)
        [(status, text, _headers)] = answers
        self.assertEqual(status, 404)
        self.assertIn("does not exist or is no longer good", text)
        self.assertFalse(share.exists(), "a deleted recording has no links")

    def test_the_address_of_a_play_alone_is_nothing(self):
        _one, url = self.share()
        _two, other = self.share()
        token = self.sound_of(self.play_it(url)).partition('?')[2]
        for place in (
            f'{other}/sound?{token}',
            f'{url}/sound',
            f'{url}/sound?t=x',
            f'{url}/sound?t=',
        ):
            self.assertEqual(self.status(place), 404, place)

    # --- PIN --------------------------------------------------------------------------------------

    def test_a_pin(self):
        share, url = self.share(pin=PIN)
        self.assertIn('name="pin"', self.url_open(url).text)
        self.assertIn("This PIN is wrong", self.play_it(url, '4712').text)
        self.assertEqual(self.lines().ids, [])
        self.assertEqual(self.url_open(self.sound_of(self.play_it(url, PIN))).content, SOUND)
        self.assertEqual((share.plays, share.pin_tries, len(self.lines())), (1, 0, 1))

    def test_five_wrong_pins_close_it(self):
        share, url = self.share(pin=PIN)
        answers = [
            self.play_it(url, wrong).status_code
            for wrong in ('', '0000', f'{PIN} ', PIN * 500, '4712')
        ]
        self.assertEqual(answers, [403, 403, 403, 403, 404])
        self.assertEqual(self.play_it(url, PIN).status_code, 404)
        self.assertEqual((share.state, share.plays, len(self.lines())), ('locked', 0, 0))

    def test_a_strange_form(self):
        _share, url = self.share(pin=PIN)
        with mute_logger(*QUIET):
            file = self.url_open(url, files={'pin': ('pin.txt', PIN)})
            self.assertEqual(file.status_code, 403)
            self.assertEqual(self.url_open(url, data={'pin': 'x' * 10000}).status_code, 413)

    def test_neither_token_nor_pin_is_kept(self):
        share, url = self.share(pin=PIN)
        token = url.rpartition('/')[2]
        self.assertGreaterEqual(len(token), 43)
        self.env.cr.execute("SELECT to_jsonb(share)::text FROM telephony_share share")
        text = ' '.join(row for (row,) in self.env.cr.fetchall())
        self.assertNotIn(token, text)
        self.assertNotIn(f'"{PIN}"', text)
        self.assertIn('pbkdf2', text)
        for name in ('token_hash', 'pin_hash'):
            with self.assertRaises(AccessError), mute_logger(*QUIET):
                share.with_user(self.users['alma']).read([name])

    # --- in the house -------------------------------------------------------------------------------

    def test_who_shares_and_revokes(self):
        share, _url = self.share()
        for role in ('boris', 'leila', 'pia', 'anna', 'zoe', 'sven'):
            with self.subTest(role), mute_logger(*QUIET):
                user = self.users[role]
                with self.assertRaises(AccessError):
                    self.recording.with_user(user)._share()
                if role != 'pia':
                    with self.assertRaises(AccessError):
                        share.with_user(user).action_revoke()
        share.with_user(self.users['pia']).action_revoke()
        self.assertEqual(share.state, 'revoked')
        for role in ('saule', 'pia', 'alma'):
            for vals in ({'max_plays': 50}, {'state': 'active'}):
                with self.assertRaises(AccessError), mute_logger(*QUIET):
                    share.with_user(self.users[role]).write(vals)

    def test_limits(self):
        for values in (
            {'hours': 0},
            {'hours': 721},
            {'max_plays': 0},
            {'max_plays': 51},
            {'pin': '123'},
            {'pin': '1' * 21},
        ):
            with self.subTest(values), self.assertRaises(UserError):
                self.share(**values)
        share, _url = self.share()
        self.assertEqual(share.max_plays, 5)
        self.assertAlmostEqual(
            share.expires_at, fields.Datetime.now() + timedelta(days=1), delta=timedelta(minutes=1)
        )

    def test_the_dialog(self):
        call = self.recording.call_id.with_user(self.supervisor)
        action = call.action_share_recording()
        with Form(
            self.env[action['res_model']].with_user(self.supervisor).with_context(action['context'])
        ) as form:
            form.with_pin = True
            form.note = "The lawyer"
        dialog = form.record
        shown = dialog.action_share()['context']
        share = self.env['telephony.share'].search([('recording_id', '=', self.recording.id)])
        self.assertRecordValues(
            share, [{'note': "The lawyer", 'user_id': self.supervisor.id, 'has_pin': True}]
        )
        self.env.flush_all()
        page = self.play_it(shown['default_url'], shown['default_pin'])
        self.assertIn('<audio', page.text)
        self.env.cr.execute("SELECT to_jsonb(d)::text FROM telephony_share_recording d")
        kept = ' '.join(row for (row,) in self.env.cr.fetchall())
        self.assertNotIn(shown['default_url'], kept)
        again = Form(
            self.env[action['res_model']].with_user(self.supervisor).with_context(shown),
            'crm_telephony.telephony_share_shown_view_form',
        )
        self.assertEqual((again.url, again.pin), (shown['default_url'], shown['default_pin']))

    def test_masked_numbers(self):
        for number, shown in (
            (CUSTOMER, "+7 777 *** ** 67"),
            ('+442079460188', "+44 207 *** ** 88"),
            ('101', '101'),
            ('', ''),
        ):
            self.assertEqual(masked(number), shown)


@tagged('post_install', '-at_install', 'crm_telephony')
class TestPinsAtOnce(BaseCase):
    """Several who try PINs at the same moment have no more tries than one after the other."""

    def setUp(self):
        super().setUp()
        self.registry = Registry(get_db_name())
        with self.registry.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            call = env['telephony.call'].create(
                {'company_id': env.company.id, 'direction': 'inbound', 'state': 'ended'}
            )
            recording = env['telephony.recording'].create(
                {'call_id': call.id, 'url': 'https://records.example.com/a.mp3', 'state': 'ready'}
            )
            share = env['telephony.share'].create(
                {
                    'recording_id': recording.id,
                    'token_hash': 'at once',
                    'pin_hash': env['res.users']._crypt_context().hash(PIN),
                    'has_pin': True,
                    'expires_at': fields.Datetime.now() + timedelta(hours=1),
                    'max_plays': 5,
                    'pin_tries': MOST_TRIES - 1,
                }
            )
            self.call, self.share = call.id, share.id
        self.addCleanup(self.clean)

    def clean(self):
        with self.registry.cursor() as cr:
            api.Environment(cr, SUPERUSER_ID, {})['telephony.call'].browse(self.call).unlink()

    def of(self, cr):
        return api.Environment(cr, SUPERUSER_ID, {})['telephony.share'].browse(self.share)

    def test_no_sixth_try(self):
        with self.registry.cursor() as first, self.registry.cursor() as second:
            second.execute("SELECT 1 FROM telephony_share")  # its view of the world is from now on
            self.assertFalse(self.of(first)._accepts('0000'))
            first.commit()
            # the right PIN, but there was one try left and another has taken it
            with (
                mute_logger('odoo.sql_db'),
                self.assertRaises(psycopg2.errors.SerializationFailure),
            ):
                self.of(second)._accepts(PIN)
            second.rollback()
            self.assertFalse(self.of(second)._accepts(PIN))
            self.assertEqual(self.of(second).state, 'locked')
