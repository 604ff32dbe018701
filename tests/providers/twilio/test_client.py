import json
import logging
from pathlib import Path
from unittest.mock import patch
from urllib.parse import parse_qs

from lxml import etree

from odoo.tests import tagged

from odoo.addons.crm_telephony.providers import fetch
from odoo.addons.crm_telephony.providers.base import ProviderError
from odoo.addons.crm_telephony.providers.capabilities import Number

from ...client_case import LOGS, ClientCase, utc
from ...provider_case import form_request
from ..server import Answer
from .fake import PREFIX, SOUND, FakeTwilio

CUSTOMER, OURS = '+442079460111', '+442079460001'
CALL = 'CA00000000000000000000000000000001'
RECORDING = 'RE00000000000000000000000000000001'
SAMPLES = Path(__file__).parent / 'payloads'


def row(
    number=1,
    parent=None,
    start='05:15:00',
    end='05:16:10',
    status='completed',
    duration='70',
    **values,
) -> dict:
    """A leg of the list: the caller, or whoever the caller was put through to."""
    return {
        'sid': f'CA{number:032x}',
        'parent_call_sid': parent and f'CA{parent:032x}',
        'from': CUSTOMER,
        'to': OURS,
        'status': status,
        'start_time': f'Mon, 02 Mar 2026 {start} +0000',
        'end_time': f'Mon, 02 Mar 2026 {end} +0000',
        'date_created': f'Mon, 02 Mar 2026 {start} +0000',
        'duration': duration,
        'direction': 'inbound',
        'answered_by': None,
        'price': None,
        **values,
    }


def leg(number=2, parent=1, to='client:anna', **values) -> dict:
    return row(number, parent, to=to, direction='outbound-dial', **values)


@tagged('post_install', '-at_install', 'crm_telephony')
class TestClientTwilio(ClientCase):
    code = 'twilio'
    fake_class = FakeTwilio
    settings = {
        'api_key': FakeTwilio.key,
        'api_secret': FakeTwilio.secret,
        'country': 'GB',
        'webhook_url': 'https://odoo.example.com/telephony/webhook/twilio/token',
        'extensions': ('anna', 'boris@example.sip.twilio.com', '+447911123456'),
        'own_numbers': (OURS,),
    }
    period = (utc(2026, 3, 2), utc(2026, 3, 3))

    def history(self, *period):
        return list(self.client().history(*(period or self.period)))

    def posted(self, path):
        """The fields of the last post, repeated ones as lists."""
        found = [request for request in self.fake.asked(PREFIX + path) if request.method == 'POST']
        fields = parse_qs(found[-1].body.decode(), keep_blank_values=True)
        return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}

    # --- logging in and errors ---------------------------------------------------------------------------------------

    def test_check(self):
        self.assertEqual(self.client().check(), "Twilio answers: the account Firm is active.")
        self.fake.status = 'suspended'
        self.assert_error("suspended", False, self.client().check)

    def test_wrong_token(self):
        self.assert_error(
            "does not accept the Account SID", False, self.client(api_secret='other').check
        )
        self.assert_error("not complete", False, self.client(api_secret='').check)

    def test_errors(self):
        for answer, words, retryable in (
            (FakeTwilio.error(429, 20429, 'Too Many Requests'), "too many requests", True),
            (Answer('', 429), "to wait", True),
            (Answer('<html>', 500), "500", True),
            (
                FakeTwilio.error(400, 21215, f'{CUSTOMER} is not allowed'),
                "geographic permissions",
                False,
            ),
            (FakeTwilio.error(400, 21999, f'No {CUSTOMER} today'), "No .* today", False),
            (Answer('[]'), "does not describe", False),
            (Answer('hello'), "does not describe", False),
        ):
            # commands are not repeated
            self.fake.next_answers = [answer]
            error = self.assert_error(words, retryable, self.client().hang_up, CALL)
            self.assertNotIn(CUSTOMER[1:], str(error))

    def test_nothing_secret_in_the_log(self):
        with self.assertLogs(LOGS, logging.INFO) as logs:
            self.client().dial('anna', CUSTOMER, '')
            self.history()
        for secret in (self.fake.key, self.fake.secret, CUSTOMER[1:]):
            self.assertNotIn(secret, ''.join(logs.output))

    # --- numbers -----------------------------------------------------------------------------------------------------

    def test_numbers(self):
        self.fake.page = 1
        self.assertEqual(
            self.client().numbers(), [Number('+442079460001'), Number('+442079460002', 'Sales')]
        )

    def test_pages_lead_nowhere_else(self):
        self.fake.next_answers = [
            Answer({'incoming_phone_numbers': [], 'next_page_uri': '//evil.example.com/'})
        ]
        self.assert_error("does not describe", False, self.client().numbers)

    def test_set_webhooks(self):
        client = self.client(own_numbers=('+442079460001', '+442079460002'))
        self.assertIn("+442079460001, +442079460002", client.set_webhooks())
        self.assertEqual(
            self.posted('/IncomingPhoneNumbers/PN2.json'),
            {
                'VoiceUrl': self.settings['webhook_url'],
                'VoiceMethod': 'POST',
                'StatusCallback': self.settings['webhook_url'],
                'StatusCallbackMethod': 'POST',
            },
        )

    def test_numbers_of_others_are_left_alone(self):
        self.fake.numbers[0]['voice_url'] = 'https://ivr.example.net/voice'
        self.fake.numbers[1]['voice_url'] = (
            'https://odoo.example.com/telephony/webhook/twilio/old-token'
        )
        told = self.client(own_numbers=('+442079460001', '+442079460002')).set_webhooks()
        self.assertEqual(
            told,
            (
                "The webhooks are set for +442079460002, and not for +442079460001, which another program answers."
            ),
        )
        self.fake.numbers[1]['trunk_sid'] = 'TK1'
        self.assertIn(
            "not for +442079460002", self.client(own_numbers=('+442079460002',)).set_webhooks()
        )
        self.assert_error(
            "Import the numbers first", False, self.client(own_numbers=()).set_webhooks
        )

    # --- commands ----------------------------------------------------------------------------------------------------

    def test_dial(self):
        self.assertEqual(self.client().dial('anna', CUSTOMER, 'odoo-1'), 'CA' + 'f' * 32)
        fields = self.posted('/Calls.json')
        twiml = etree.fromstring(fields.pop('Twiml').encode())
        base = self.settings['webhook_url']
        self.assertEqual(
            fields,
            {
                'To': 'client:anna',
                'From': OURS,
                'Timeout': '20',
                'StatusCallback': f'{base}?step=status',
                'StatusCallbackEvent': ['initiated', 'ringing', 'answered', 'completed'],
            },
        )
        [dial] = twiml
        self.assertEqual((dial.get('callerId'), dial.get('action')), (OURS, f'{base}?step=end'))
        self.assertEqual((dial[0].tag, dial[0].text), ('Number', CUSTOMER))
        self.assertEqual(dial[0].get('statusCallback'), f'{base}?step=status')

    def test_dial_other_phones(self):
        for extension, address in (
            ('boris@example.sip.twilio.com', 'sip:boris@example.sip.twilio.com'),
            ('+447911123456', '+447911123456'),
        ):
            self.client().dial(extension, CUSTOMER, '')
            self.assertEqual(self.posted('/Calls.json')['To'], address)

    def test_who_calls(self):
        self.client(own_numbers=('+442079460002',)).dial('anna', CUSTOMER, '')
        self.assertEqual(self.posted('/Calls.json')['From'], '+442079460002')
        self.client(own_numbers=()).dial('anna', CUSTOMER, '')
        self.assertEqual(self.posted('/Calls.json')['From'], '+442079460001')
        self.fake.numbers.clear()
        self.assert_error(
            "no number that can call", False, self.client().dial, 'anna', CUSTOMER, ''
        )

    def test_bad_input_is_not_sent(self):
        client = self.client()
        self.assert_error("no extension of this PBX", False, client.dial, 'eve', CUSTOMER, '')
        for number in ('', 'anonymous', '+44207946</Number>', 'client:anna', 'sip:a@b'):
            self.assert_error("no phone number", False, client.dial, 'anna', number, '')
        for ref in ('', 'x', '../Calls', CALL + '/..', 'CA1'):
            self.assert_error("no call of this name", False, client.hang_up, ref)
            self.assert_error("no call of this name", False, client.transfer, ref, 'anna', False)
        self.assertFalse([request for request in self.fake.requests if request.method == 'POST'])

    def test_hang_up(self):
        self.fake.calls = [row(status='in-progress')]
        self.client().hang_up(CALL)
        self.assertEqual(self.posted(f'/Calls/{CALL}.json'), {'Status': 'completed'})
        self.fake.calls = [row()]
        self.assert_error("This call is over", False, self.client().hang_up, CALL)

    def test_transfer_of_a_caller(self):
        self.fake.calls = [row(status='in-progress'), leg(status='in-progress')]
        self.client().transfer(CALL, 'boris@example.sip.twilio.com', False)
        [dial] = etree.fromstring(self.posted(f'/Calls/{CALL}.json')['Twiml'].encode())
        self.assertEqual((dial[0].tag, dial[0].text), ('Sip', 'sip:boris@example.sip.twilio.com'))
        self.assertEqual(dial.get('action'), self.settings['webhook_url'] + '?step=team')

    def test_transfer_of_who_was_called(self):
        for parent in (
            row(direction='outbound-api', to='client:anna', status='in-progress'),
            row(**{'from': 'client:anna'}, status='in-progress'),
        ):
            self.fake.calls = [parent, leg(to=CUSTOMER, status='in-progress')]
            self.client().transfer(CALL, '+447911123456', False)
            self.assertIn(
                '+447911123456',
                self.posted('/Calls/CA00000000000000000000000000000002.json')['Twiml'],
            )
        self.fake.calls = [row(direction='outbound-api', to='client:anna', status='in-progress')]
        self.assert_error(
            "customer is not in this call", False, self.client().transfer, CALL, 'anna', False
        )
        self.assert_error("without asking", False, self.client().transfer, CALL, 'anna', True)

    def test_recording(self):
        self.fake.recordings = [{'sid': RECORDING, 'status': 'processing'}]
        self.assert_error("not finished", True, self.client().recording_url, RECORDING, CALL)
        self.fake.recordings[0]['status'] = 'completed'
        self.assertEqual(
            self.client().recording_url(RECORDING, CALL),
            f'{self.fake.url}{PREFIX}/Recordings/{RECORDING}.mp3',
        )
        self.assert_error(
            "no recording of this name", False, self.client().recording_url, '../x', CALL
        )

    def test_a_recording_is_deleted_there(self):
        self.fake.recordings = [{'sid': RECORDING, 'status': 'completed'}]
        self.client().delete_recording(RECORDING, CALL)
        self.assertEqual(self.fake.recordings, [])
        self.client().delete_recording(RECORDING, CALL)  # gone already
        self.assert_error(
            "no recording of this name", False, self.client().delete_recording, '../x', CALL
        )
        self.assert_error(
            "Account SID", False, self.client(api_secret='x').delete_recording, RECORDING, CALL
        )

    def test_media_with_and_without_a_login(self):
        self.fake.recordings = [{'sid': RECORDING, 'status': 'completed'}]
        url = self.client().recording_url(RECORDING, CALL)
        for login in (True, False):
            self.fake.media_login = login
            self.assertEqual(self.sound(url), (200, 'audio/mpeg', SOUND))
            self.assertEqual(self.sound(url, 'bytes=5-14'), (206, 'audio/mpeg', SOUND[5:15]))
            self.assertEqual(
                self.sound(url.removesuffix('.mp3')),
                (200, 'audio/wav', SOUND),
                "as callbacks tell it",
            )
        self.fake.media_login = True
        self.assert_error(
            "login of this account", False, self.client(api_secret='another').open_sound, url, ()
        )
        self.assert_error(
            "404", True, self.client().open_sound, url.replace(RECORDING, RECORDING[:-1] + '9'), ()
        )

    def test_the_login_goes_nowhere_else(self):
        self.fake.recordings = [{'sid': RECORDING, 'status': 'completed'}]
        url, there = self.client().recording_url(RECORDING, CALL), FakeTwilio()
        self.addCleanup(there.close)
        self.assert_error(
            "leads into a private network",
            False,
            self.client().open_sound,
            there.url + '/a',
            ['127.0.0.1'],
        )
        self.assert_error(
            "not among the recording hosts", False, self.client().open_sound, there.url + '/a', ()
        )
        self.assertFalse(there.requests)
        there.media_login, there.recordings = False, self.fake.recordings
        self.fake.media_at = f'{there.url}{PREFIX}/Recordings/{RECORDING}.mp3'
        self.assert_error("not among the recording hosts", False, self.client().open_sound, url, ())
        with patch.object(fetch, 'is_public', return_value=True):
            self.assertEqual(self.sound(url, hosts=['127.0.0.1']), (200, 'audio/mpeg', SOUND))
        [request] = there.requests
        self.assertNotIn('authorization', request.headers)
        self.assertIn('authorization', self.fake.requests[-1].headers)
        # neither for another scheme, port or a name that only begins alike
        for other in (
            url.replace('http:', 'https:'),
            url.replace('127.0.0.1', '127.0.0.1.example.com'),
            url.replace('http://', 'http://x@'),
        ):
            with self.subTest(other):
                self.assert_error("hosts|plain", False, self.client().open_sound, other, ())

    # --- history -----------------------------------------------------------------------------------------------------

    def record_of(self, *rows, live=(), recordings=()):
        self.fake.calls, self.fake.recordings = list(rows), list(recordings)
        return self.record(self.history(), *live)

    def test_days_and_pages(self):
        self.fake.page = 2
        self.fake.calls = [row(number, start=f'05:{number:02}:00') for number in range(1, 6)]
        found = self.history()
        self.assertEqual(
            [payload['history']['calls'][0]['sid'][-1] for payload in found],
            ['1', '2', '3', '4', '5'],
        )
        asked = self.fake.asked(PREFIX + '/Calls.json')
        self.assertEqual(len(asked), 3)
        self.assertEqual(
            (asked[0].query['StartTime>'], asked[0].query['StartTime<']),
            ('2026-03-02', '2026-03-04'),
        )
        self.assertIn('StartTime%3E=', asked[0].target)

    def test_only_what_began_in_the_period(self):
        self.fake.calls = [
            row(1),
            row(3, start='12:00:00', end='12:01:00'),
            row(5, start='18:00:00', end='18:00:09'),
        ]
        found = self.history(utc(2026, 3, 2, 6), utc(2026, 3, 2, 17))
        self.assertEqual([payload['history']['calls'][0]['sid'][-1] for payload in found], ['3'])

    def test_legs_come_with_their_call(self):
        self.fake.calls = [
            row(),
            leg(),
            leg(3, to='client:boris', status='no-answer', duration='0'),
        ]
        [payload] = self.history()
        self.assertEqual([leg['sid'][-1] for leg in payload['history']['calls']], ['1', '2', '3'])

    def test_calls_that_go_on_are_left_out(self):
        self.fake.calls = [
            row(),
            leg(status='in-progress'),
            leg(5, parent=4),
            row(6, 5, direction='outbound-dial'),
        ]
        self.assertEqual(self.history(), [])

    def test_inbound_answered(self):
        call = self.record_of(row(), leg(start='05:15:02', end='05:16:10', duration='60'))
        self.assertEqual(
            (call.direction, call.outcome, call.extension, call.talk_seconds),
            ('inbound', 'answered', 'anna', 60),
        )
        self.assertEqual(
            (call.start_at, call.answered_at, call.ended_at),
            (utc(2026, 3, 2, 5, 15), utc(2026, 3, 2, 5, 15, 10), utc(2026, 3, 2, 5, 16, 10)),
        )
        self.assertEqual((call.caller, call.called, call.external_id), (CUSTOMER, OURS, CALL))

    def test_inbound_missed(self):
        call = self.record_of(
            row(status='no-answer', duration='0'), leg(status='no-answer', duration='0')
        )
        self.assertEqual(
            (call.outcome, call.talk_seconds, [leg.outcome for leg in call.legs]),
            ('missed', 0, ['no_answer']),
        )

    def test_voicemail(self):
        recording = {
            'sid': RECORDING,
            'call_sid': CALL,
            'status': 'completed',
            'duration': '9',
            'source': 'RecordVerb',
        }
        call = self.record_of(row(), leg(status='no-answer', duration='0'), recordings=[recording])
        self.assertEqual(call.outcome, 'voicemail')
        [sound] = call.recordings
        self.assertEqual((sound.ref, sound.seconds), (RECORDING, 9))
        self.assertEqual(sound.url, f'{self.fake.url}{PREFIX}/Recordings/{RECORDING}')

    def test_click_to_call(self):
        parent = row(direction='outbound-api', to='client:anna', **{'from': OURS})
        for status, duration, outcome in (
            ('completed', '30', 'answered'),
            ('busy', '0', 'busy'),
            ('no-answer', '', 'no_answer'),
            ('failed', None, 'failed'),
        ):
            call = self.record_of(
                parent, leg(to=CUSTOMER, status=status, duration=duration, **{'from': OURS})
            )
            self.assertEqual(
                (call.direction, call.outcome, call.extension, call.called),
                ('outbound', outcome, 'anna', CUSTOMER),
            )
        self.assertIsNone(
            self.record_of(
                row(direction='outbound-api', to='client:anna', status='no-answer', duration='0')
            )
        )

    def test_machine(self):
        call = self.record_of(
            row(direction='outbound-api', to=CUSTOMER, answered_by='machine', **{'from': OURS})
        )
        self.assertEqual((call.direction, call.outcome), ('outbound', 'voicemail'))

    def test_a_call_that_never_started(self):
        call = self.record_of(row(start_time=None, end_time=None, status='canceled', duration='0'))
        self.assertEqual((call.outcome, call.start_at), ('missed', utc(2026, 3, 2, 5, 15)))

    def test_union_with_what_was_heard(self):
        """Whatever was lost of what was posted, the list does not change what is known, and
        completes the rest."""
        for name in (
            'inbound_answered',
            'inbound_missed',
            'outbound_answered',
            'inbound_manager_then_team',
        ):
            sample = json.loads((SAMPLES / f'{name}.json').read_text())
            forms = [delivery['form'] for delivery in sample['deliveries']]
            began = utc(2026, 3, 2, 5, 15)
            live = [(self.provider.split(form_request(form))[0], began) for form in forms]
            whole = self.record([], *live)
            self.fake.calls = self.rows_of(forms)
            payloads = self.history()
            self.assertEqual(len(payloads), 1, name)
            self.assertEqual(self.record(payloads, *live), whole, name)
            self.assertEqual(self.record([*payloads, *payloads], *live), whole, name)
            for missing in range(len(live)):
                with self.subTest(name, missing=missing):
                    rest = live[:missing] + live[missing + 1 :]
                    call = self.record(payloads, *rest)
                    for field in (
                        'direction',
                        'outcome',
                        'extension',
                        'caller',
                        'called',
                        'talk_seconds',
                        'state',
                        'ended_at',
                    ):
                        self.assertEqual(getattr(call, field), getattr(whole, field), field)
            call = self.record(payloads)
            self.assertEqual(
                (call.outcome, call.extension, call.state),
                (whole.outcome, whole.extension, 'ended'),
            )

    def rows_of(self, forms):
        """The list as Twilio would have it of a call of which it posted this."""
        rows = {}
        for form in forms:
            found = rows.setdefault(
                form['CallSid'],
                row(sid=form['CallSid'], start_time=None, end_time=None, duration='0'),
            )
            found['parent_call_sid'] = form.get('ParentCallSid') or None
            found.update({'from': form['From'], 'to': form['To'], 'direction': form['Direction']})
            found['status'] = (
                'completed' if form['CallStatus'] == 'in-progress' else form['CallStatus']
            )
            found['start_time'] = found['start_time'] or form.get('Timestamp')
            found['end_time'] = form.get('Timestamp') or found['end_time']
            found['duration'] = form.get('CallDuration') or found['duration']
        return list(rows.values())

    def test_bad_rows(self):
        account = self.account()
        for calls in (
            None,
            [],
            {},
            ['x'],
            [{}],
            [row(), row(2)],
            [leg()],
            [row(status='new')],
            [row(direction='up')],
            [row(duration='x')],
            [row(start_time='x')],
            [row(sid=[])],
            [row(start_time='', end_time='', date_created='')],
        ):
            with self.subTest(calls), self.assertRaises(ProviderError):
                self.provider.identify({'history': {'calls': calls, 'recordings': []}}, account)
        with self.assertRaises(ProviderError):
            self.provider.identify({'history': {'calls': [row()], 'recordings': [{}]}}, account)
