import json
import logging

from odoo.tests import tagged

from odoo.addons.crm_telephony.providers.base import ProviderError, WebhookRequest
from odoo.addons.crm_telephony.providers.capabilities import Extension
from odoo.addons.crm_telephony.providers.fold import fold
from odoo.addons.crm_telephony.providers.threecx import client as threecx

from ...client_case import LOGS, ClientCase, Stored, utc
from ..server import Answer
from .fake import SOUND, FakeThreeCx

CUSTOMER = '+442079460111'


def row(start='05:15:00', ext='101', answered=True, ring=10, talk=64, call='c1', **values) -> dict:
    """A leg of the call log: inbound, rang an extension."""
    return {
        'MainCallHistoryId': call,
        'CallHistoryId': f'{call}-{ext}',
        'CdrId': f'{call}-{ext}-{start}',
        'SegmentId': 1,
        'StartTime': f'2026-03-02T{start}.1234567Z',
        'Direction': 'Inbound',
        'CallType': 'Extension',
        'Status': 'x',
        'Answered': answered,
        'RingingDuration': f'PT{ring}.4S',
        'TalkingDuration': f'PT{talk // 60}M{talk % 60}.2S',
        'SourceDn': '10000',
        'SourceCallerId': CUSTOMER,
        'SourceDisplayName': 'Zoe',
        'DestinationDn': ext,
        'DestinationCallerId': ext,
        'DestinationDisplayName': 'Anna',
        'Reason': '',
        'RecordingUrl': None,
        **values,
    }


def out(answered=True, talk=64, **values) -> dict:
    return row(
        answered=answered,
        talk=talk,
        **{
            'Direction': 'Outbound',
            'SourceDn': '101',
            'SourceCallerId': '101',
            'DestinationDn': '10000',
            'DestinationCallerId': CUSTOMER,
            **values,
        },
    )


QUEUE = row(ext='800', talk=30, CallType='Queue', DestinationDisplayName='Sales')


def journal(
    call_type='Inbound', agent='101', start='05:15:00', answer='05:15:10', end='05:16:14', **values
) -> dict:
    return {
        'call_type': call_type,
        'number': CUSTOMER,
        'agent': agent,
        'started_at': f'2026-03-02T{start}Z',
        'established_at': answer and f'2026-03-02T{answer}Z',
        'ended_at': end and f'2026-03-02T{end}Z',
        **values,
    }


@tagged('post_install', '-at_install', 'crm_telephony')
class TestClientThreeCx(ClientCase):
    code = 'threecx'
    fake_class = FakeThreeCx
    settings = {'api_key': FakeThreeCx.key, 'api_secret': FakeThreeCx.secret, 'country': 'GB'}
    period = (utc(2026, 3, 2), utc(2026, 3, 3))

    def setUp(self):
        super().setUp()
        threecx._tokens.clear()
        self.addCleanup(threecx._tokens.clear)

    def history(self, *period):
        return list(self.client().history(*(period or self.period)))

    # --- the token ---------------------------------------------------------------------------------------------------

    def test_one_token_for_all(self):
        for _time in range(3):
            self.assertEqual(
                self.client().check(), "3CX answers: the API client may use XAPI, Call Control."
            )
        self.assertEqual(self.fake.tokens, 1)

    def test_a_token_that_another_process_has_ended_is_renewed_once(self):
        self.client().check()
        self.fake.tokens += 1
        self.client().check()
        self.assertEqual(len(self.fake.asked('/connect/token')), 2)
        self.fake.next_answers = [Answer('', 401), Answer({'access_token': 'x'}), Answer('', 401)]
        self.assert_error("the token", False, self.client().check)

    def test_a_token_is_renewed_before_its_end(self):
        self.client().check()
        [(token, _end)] = threecx._tokens.values()
        threecx._tokens[self.client()._key] = (token, 0.0)
        self.client().check()
        self.assertEqual(self.fake.tokens, 2)

    def test_wrong_secret(self):
        self.assert_error(
            "does not accept the client ID", False, self.client(api_secret='other').check
        )
        self.assert_error("not complete", False, self.client(api_key='').check)
        self.assert_error("not complete", False, self.client(api_url='').check)
        self.fake.next_answers = [Answer({'hello': 1})]
        self.assert_error("does not describe", False, self.client().check)

    def test_what_is_granted(self):
        self.fake.granted = {'callcontrol'}
        self.assertEqual(self.client().check(), "3CX answers: the API client may use Call Control.")
        self.assert_error("XAPI access", False, self.client().extensions)
        self.fake.granted = {'xapi'}
        self.assertEqual(self.client().check(), "3CX answers: the API client may use XAPI.")
        self.assert_error("Call Control access", False, self.client().dial, '101', CUSTOMER, '')
        self.fake.granted = set()
        self.assert_error("lacks", False, self.client().check)

    def test_errors(self):
        self.client().check()
        for answer, words, retryable in (
            (Answer({'error': {'code': 'X', 'message': f'No {CUSTOMER}'}}, 400), "No ", False),
            (Answer('', 429), "to wait", True),
            (Answer('', 500), "500", True),
            (Answer('<html>'), "does not describe", False),
            (Answer({'value': 1}), "does not describe", False),
            (Answer('[]'), "does not describe", False),
        ):
            self.fake.next_answers = [answer]
            error = self.assert_error(words, retryable, self.client().extensions)
            self.assertNotIn(CUSTOMER[1:], str(error))

    def test_nothing_secret_in_the_log(self):
        with self.assertLogs(LOGS, logging.INFO) as logs:
            self.client().dial('101', CUSTOMER, '')
            self.history()
        for secret in (self.fake.secret, self.fake.token, CUSTOMER[1:]):
            self.assertNotIn(secret, ''.join(logs.output))

    # --- extensions and commands -------------------------------------------------------------------------------------

    def test_extensions(self):
        self.assertEqual(
            self.client().extensions(), [Extension('101', 'Anna Ng'), Extension('102', 'Boris')]
        )
        self.fake.users = [
            {'Number': str(number), 'FirstName': 'A'} for number in range(1000, 1230)
        ]
        self.assertEqual(len(self.client().extensions()), 230)

    def test_dial_transfer_hang_up(self):
        client = self.client()
        ref = client.dial('101', CUSTOMER, 'odoo-1')
        self.assertEqual(
            self.fake.asked('/callcontrol/101/makecall')[0].json(), {'destination': CUSTOMER}
        )
        client.transfer(ref, '102', False)
        self.assertEqual(
            self.fake.asked('/callcontrol/101/participants/55/transferto')[0].json(),
            {'destination': '102'},
        )
        self.assert_error("without asking", False, client.transfer, ref, '102', True)
        client.hang_up(ref)
        self.assert_error("over", False, client.hang_up, ref)

    def test_another_call_of_the_same_participant(self):
        ref = self.client().dial('101', CUSTOMER, '')
        self.fake.participants['101', '55']['callid'] = 8
        self.assert_error("over", False, self.client().hang_up, ref)
        self.assertEqual(len(self.fake.participants), 1)

    def test_calls_of_the_journal_cannot_be_controlled(self):
        for ref in ('in:442079460111:20260302T051500Z', '', 'live:1', 'live:101:../102:7'):
            self.assert_error("after its end|over", False, self.client().hang_up, ref)

    def test_dial_is_refused(self):
        for status in (0, -1, 'Failed'):
            self.fake.result = {
                'finalstatus': status,
                'reason': 'NotRegistered',
                'reasontext': 'DN 101 is not registered',
            }
            self.assert_error(
                "DN 101 is not registered", False, self.client().dial, '101', CUSTOMER, ''
            )
        self.fake.result = {'finalstatus': 'Success'}
        self.assertTrue(self.client().dial('101', CUSTOMER, ''))

    def test_bad_input_is_not_sent(self):
        client = self.client()
        self.assert_error("no extension of this PBX", False, client.dial, '777', CUSTOMER, '')
        for number in ('', 'anonymous', '+44 20', '101/../102'):
            self.assert_error("no phone number", False, client.dial, '101', number, '')
        self.assertEqual(self.fake.requests, [])

    # --- history -----------------------------------------------------------------------------------------------------

    def calls(self, *payloads, journals=()):
        """The records of payloads that are kept for several windows, beside journals that were
        posted."""
        account = self.account()
        inbox = {}
        posted = [
            payload
            for journal in journals
            for payload in self.provider.split(
                WebhookRequest(suffix='journal', body=self.dumped(journal))
            )
        ]
        for payload in [*posted, *payloads]:
            identity = self.provider.identify(payload, account)
            inbox.setdefault(identity.call_ref, []).append(Stored(payload, utc(2026, 3, 9)))
        found = [fold(self.provider.translate(stored, account)) for stored in inbox.values()]
        return sorted(
            (call for call in found if call), key=lambda call: (call.start_at, call.external_id)
        )

    @staticmethod
    def dumped(content):
        return json.dumps(content).encode()

    def record_of(self, *rows, journals=()):
        self.fake.rows = list(rows)
        found = self.calls(*self.history(), journals=journals)
        self.assertEqual(len(found), 1)
        return found[0]

    def test_pages_and_days(self):
        self.fake.rows = [
            row(f'{number // 60:02}:{number % 60:02}:00', call=f'c{number}')
            for number in range(250)
        ]
        self.assertEqual(len(self.calls(*self.history())), 250)
        asked = [request for request in self.fake.requests if 'GetCallLogData' in request.path]
        self.assertEqual([request.query['$skip'] for request in asked], ['0', '100', '200', '0'])
        self.assertIn(
            'periodFrom=2026-03-01T20%3A00%3A00Z,periodTo=2026-03-02T20%3A00%3A00Z', asked[0].target
        )

    def test_only_what_began_in_the_period(self):
        self.fake.rows = [
            row('04:59:00', call='a'),
            row('05:01:00', ext='102', call='a'),
            row('05:10:00', call='b'),
        ]
        [call] = self.calls(*self.history(utc(2026, 3, 2, 5), utc(2026, 3, 3)))
        self.assertEqual(call.start_at, utc(2026, 3, 2, 5, 10))

    def test_inbound(self):
        call = self.record_of(row('05:15:00', ext='IVR', CallType='IVR'), row('05:15:05'))
        self.assertEqual(
            (call.direction, call.outcome, call.extension, call.caller, call.talk_seconds),
            ('inbound', 'answered', '101', CUSTOMER, 64),
        )
        self.assertEqual(
            (call.start_at, call.answered_at, call.ended_at),
            (utc(2026, 3, 2, 5, 15), utc(2026, 3, 2, 5, 15, 15), utc(2026, 3, 2, 5, 16, 19)),
        )

    def test_unanswered(self):
        for rows, outcome, queue in (
            ([row(answered=False, talk=0)], 'missed', ''),
            ([{**QUEUE, 'Reason': f'Ended by {CUSTOMER} ({CUSTOMER})'}], 'abandoned', 'Sales'),
            (
                [
                    {**QUEUE, 'Reason': f'Ended by {CUSTOMER} ({CUSTOMER})'},
                    row(answered=False, talk=0),
                ],
                'abandoned',
                'Sales',
            ),
            ([{**QUEUE, 'Answered': False}, row(answered=False, talk=0)], 'missed', 'Sales'),
            (
                [row(ext='999', CallType='Voicemail', talk=9), row(answered=False, talk=0)],
                'voicemail',
                '',
            ),
        ):
            call = self.record_of(*rows)
            self.assertEqual(
                (call.outcome, call.queue, call.extension, call.talk_seconds),
                (outcome, queue, '', 0),
            )

    def test_queue_answered(self):
        call = self.record_of(
            {**QUEUE, 'Reason': 'was replaced by Anna (101)'},
            row('05:15:08', ext='102', answered=False, talk=0),
            row('05:15:20'),
        )
        self.assertEqual(
            (call.outcome, call.queue, call.extension, call.talk_seconds),
            ('answered', 'Sales', '101', 64),
        )
        self.assertEqual(
            {leg.extension: leg.outcome for leg in call.legs},
            {'101': 'answered', '102': 'no_answer'},
        )

    def test_outbound(self):
        for values, outcome, talk in (
            ({}, 'answered', 64),
            ({'answered': False, 'talk': 0}, 'no_answer', 0),
            ({'answered': False, 'talk': 0, 'Reason': 'Busy'}, 'busy', 0),
            ({'answered': False, 'talk': 0, 'Reason': 'Not found'}, 'failed', 0),
        ):
            call = self.record_of(out(**values))
            self.assertEqual(
                (
                    call.direction,
                    call.outcome,
                    call.caller,
                    call.called,
                    call.extension,
                    call.talk_seconds,
                ),
                ('outbound', outcome, '101', CUSTOMER, '101', talk),
            )

    def test_words_of_another_language(self):
        self.assertEqual(self.record_of(row(Direction='Entrante')).direction, 'inbound')
        self.assertEqual(self.record_of(out(Direction='Saliente')).direction, 'outbound')

    def test_calls_between_colleagues_are_left_out(self):
        self.fake.rows = [
            row(Direction='Internal', SourceDn='102'),
            row(Direction='Intern', SourceDn='102', call='c2'),
        ]
        self.assertEqual(self.history(), [])

    def test_union_with_journals(self):
        """What was posted stays as it is, whichever second the log tells."""
        for start in ('05:14:59', '05:15:00', '05:15:01'):
            for rows, journals in (
                ([row(start)], [journal()]),
                (
                    [row(start), row(start, ext='102', answered=False, talk=0)],
                    [journal(), journal('Missed', '102', answer='')],
                ),
                (
                    [row(start, answered=False, talk=0)],
                    [journal('Missed', answer='', end='05:15:10')],
                ),
                ([out(StartTime=f'2026-03-02T{start}Z')], [journal('Outbound')]),
            ):
                [posted] = self.calls(journals=journals)
                call = self.record_of(*rows, journals=journals)
                self.assertEqual(call, posted)

    def test_the_log_completes_journals(self):
        rows = [
            {**QUEUE, 'Reason': f'Ended by {CUSTOMER} ({CUSTOMER})'},
            row(ext='102', answered=False, talk=0),
        ]
        call = self.record_of(*rows, journals=[journal('Missed', '101', answer='')])
        self.assertEqual((call.outcome, call.queue), ('abandoned', 'Sales'))
        self.assertEqual([leg.extension for leg in call.legs], ['101', '102'])
        call = self.record_of(
            row(),
            row(ext='102', answered=False, talk=0),
            journals=[journal('Missed', '102', answer='')],
        )
        self.assertEqual((call.outcome, call.extension, call.talk_seconds), ('answered', '101', 64))

    def test_several_calls_of_one_number(self):
        self.fake.rows = [
            row(call='a', talk=5, ring=1),
            row('05:15:09', call='b', answered=False, talk=0),
            out(call='c', start='05:15:30'),
            out(call='d', start='05:15:33', answered=False, talk=0),
        ]
        calls = self.calls(*self.history())
        self.assertEqual(
            [call.outcome for call in calls], ['answered', 'missed', 'answered', 'no_answer']
        )
        self.assertEqual(
            calls,
            self.calls(
                *self.history(),
                journals=[
                    journal(answer='05:15:01', end='05:15:06'),
                    journal('Missed', start='05:15:09', answer='', end='05:15:19'),
                ],
            ),
        )

    # --- recordings --------------------------------------------------------------------------------------------------

    def test_a_recording_is_opened_with_the_token(self):
        url = self.client().recording_url('77', 'any')
        self.assertEqual(url, f'{self.fake.url}/xapi/v1/Recordings/Pbx.DownloadRecording(recId=77)')
        for said in ('audio/wav', 'application/octet-stream', 'application/json'):
            self.fake.recordings['77'] = said
            self.assertEqual(self.sound(url), (200, 'audio/wav', SOUND))
            self.assertEqual(self.sound(url, 'bytes=5-14'), (206, 'audio/wav', SOUND[5:15]))
        self.assertEqual(self.fake.tokens, 1)
        self.fake.tokens += 1  # another process has got one
        self.assertEqual(self.sound(url)[0], 200)
        self.fake.granted = {'callcontrol'}
        self.assert_error("login of this account", False, self.client().open_sound, url, ())
        self.fake.granted = {'xapi'}
        self.assert_error(
            "404", True, self.client().open_sound, self.client().recording_url('78', 'any'), ()
        )
        for ref in ('', '../Users', '7)/x', 'Ext.101/a.wav'):
            self.assert_error(
                "no recording of this name", False, self.client().recording_url, ref, 'any'
            )

    def test_a_recording_is_deleted_there(self):
        self.fake.recordings = {'77': 'audio/wav', '78': 'audio/wav'}
        self.client().delete_recording('77', 'any')
        self.assertEqual(set(self.fake.recordings), {'78'})
        self.assert_error(
            "no recording of this name", False, self.client().delete_recording, '7)/x', 'any'
        )
        self.fake.granted = {'callcontrol'}
        self.assert_error("XAPI access", False, self.client().delete_recording, '78', 'any')

    def test_no_token_where_none_is_wanted(self):
        asked = len(self.fake.requests)
        self.assert_error(
            "the recording hosts",
            False,
            self.client().open_sound,
            'https://elsewhere.example.com/a.wav',
            (),
        )
        self.assert_error(
            "the recording hosts",
            False,
            self.client(api_key='').open_sound,
            self.fake.url + '/a.wav',
            (),
        )
        self.assertEqual(len(self.fake.requests), asked)

    def test_the_log_tells_the_numbers_of_recordings(self):
        link = 'https://pbx.example.com/recordings/a.wav'
        for told, url, ref in [
            ({'Recordings': [{'Id': 77}], 'DstRecId': 5}, '', '77'),
            ({'DstRecId': 78, 'SrcRecId': 5}, '', '78'),
            ({'SrcRecId': '79', 'RecordingUrl': 'Ext.101/a.wav'}, '', '79'),
            ({'RecordingUrl': link, 'DstRecId': 0}, link, ''),
            ({'Recordings': [], 'DstRecId': None}, '', ''),
            ({'Recordings': 'x', 'RecordingUrl': link, 'SrcRecId': 80}, link, '80'),
        ]:
            with self.subTest(told):
                found = [
                    (recording.url, recording.ref)
                    for recording in self.record_of(row(**told)).recordings
                ]
                self.assertEqual(found, [(url, ref)] if url or ref else [])
        # a journal told of the call while it was fresh
        [recording] = self.record_of(row(DstRecId=81), journals=[journal()]).recordings
        self.assertEqual((recording.url, recording.ref), ('', '81'))
        [recording] = self.record_of(
            row(DstRecId=81, RecordingUrl='x'), journals=[journal(recording_url=link)]
        ).recordings
        self.assertEqual((recording.url, recording.ref), (link, '81'))

    def test_bad_rows(self):
        account = self.account()
        for rows in (
            None,
            [],
            {},
            ['x'],
            [{}],
            [row(StartTime='')],
            [row(StartTime='x')],
            [row(TalkingDuration='64')],
            [row(SourceCallerId=[])],
            [row(Direction='Internal')],
            [out(DestinationCallerId='', DestinationDn='')],
        ):
            for kept in ({}, {'kept_for': 1}):
                with self.subTest(rows), self.assertRaises(ProviderError):
                    self.provider.identify({'history': {'rows': rows}, **kept}, account)
