import itertools
import json
from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from odoo.tests import tagged

from odoo.addons.crm_telephony.providers.base import (
    Answer,
    Contact,
    ProviderError,
    Refused,
    WebhookRequest,
)
from odoo.addons.crm_telephony.providers.threecx.adapter import JOURNAL, template

from ...provider_case import PROPERTY, ProviderCase, form_request

START = datetime(2026, 3, 2, 5, 15, tzinfo=timezone.utc)
INBOUND = {
    'call_type': 'Inbound',
    'direction': 'Inbound',
    'number': '+442079460111',
    'agent': '101',
    'duration': '00:01:04',
    'agent_email': 'anna@example.com',
    'started_at': '2026-03-02T05:15:00Z',
    'established_at': '2026-03-02T05:15:10Z',
    'ended_at': '2026-03-02T05:16:14Z',
}
KEY = {'authorization': 'Bearer ' + ProviderCase.secret}


def journal(seconds=0, **values):
    started_at = f'{START + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}'
    return {
        'call_type': 'Missed',
        'number': INBOUND['number'],
        'agent': '101',
        'started_at': started_at,
        **values,
    }


def post(fields, suffix='journal', **headers):
    return WebhookRequest(
        suffix=suffix, headers={**KEY, **headers}, body=json.dumps(fields).encode()
    )


def ask(number, suffix='lookup'):
    return WebhookRequest(method='GET', suffix=suffix, headers=KEY, query={'number': (number,)})


@tagged('post_install', '-at_install', 'crm_telephony')
class TestProviderThreeCX(ProviderCase):
    code = 'threecx'

    def account(self, **values):
        return super().account(**{'country': 'GB', **values})

    def signed(self, delivery, secret):
        suffix = delivery.get('suffix', 'journal')
        if 'form' in delivery:
            request = form_request(delivery['form'], KEY)
            return WebhookRequest(
                suffix=suffix, headers=request.headers, form=request.form, body=request.body
            )
        return post(delivery['json'], suffix)

    def calls(self, *journals, **account):
        account = self.account(**account)
        inbox = self.receive(
            [(post(journal), START + timedelta(hours=1)) for journal in journals], account
        )
        self.assertEqual(inbox.failed, [])
        return sorted(self.records(inbox, account), key=lambda record: record.start_at)

    def reason(self, fields):
        inbox = self.receive([(post(fields), START)], self.account())
        self.assertEqual(len(inbox.failed), 1)
        return inbox.failed[0]

    # --- scenarios ---------------------------------------------------------------------------------------------------

    def test_payload_files(self):
        self.check_scenarios()

    def test_repeats_and_disorder(self):
        self.check_disorder()

    def test_nothing_that_is_left_out_hides_a_call(self):
        self.check_nothing_hides_a_call()

    def test_typography(self):
        self.check_typography()

    # --- one call or several -----------------------------------------------------------------------------------------

    def test_a_ring_group_at_any_second(self):
        """Wherever the windows of time lie, journals that start within seconds are one call, in any
        order."""
        for second in range(14):
            group = [
                journal(second, agent='101'),
                journal(second + 3, agent='102'),
                journal(second + 1, agent='103', call_type='Inbound', duration='00:00:50'),
            ]
            for order in itertools.permutations(group):
                [call] = self.calls(*order)
                self.assertEqual(
                    (call.outcome, call.extension, call.talk_seconds), ('answered', '103', 50)
                )
                self.assertEqual(call.start_at, START + timedelta(seconds=second))
                self.assertEqual(
                    {leg.extension: leg.outcome for leg in call.legs},
                    {'101': 'no_answer', '102': 'no_answer', '103': 'answered'},
                )

    def test_phones_that_ring_one_after_the_other(self):
        for first in range(7):
            [call] = self.calls(
                *(journal(first + 4 * place, agent=str(101 + place)) for place in range(3))
            )
            self.assertEqual(len(call.legs), 3)

    def test_every_journal_is_kept_equally_often(self):
        """Otherwise a repeat at another second would look like something new."""
        kept = {len(self.provider.split(post(journal(second)))) for second in range(60)}
        self.assertEqual(len(kept), 1)

    def test_calls_apart(self):
        """Somebody who calls again is not the same call, however soon after."""
        for first in range(13):
            for pause in (6, 7, 11, 12, 30, 300):
                calls = self.calls(
                    journal(first), journal(first + pause, call_type='Inbound', duration='40')
                )
                self.assertEqual([call.outcome for call in calls], ['missed', 'answered'])
                self.assertEqual(len({call.external_id for call in calls}), 2)

    def test_other_callers_at_the_same_moment(self):
        self.assertEqual(
            len(self.calls(journal(), journal(number='+442079460112'), journal(number=''))), 3
        )

    def test_two_employees_call_one_customer_at_once(self):
        out = [
            journal(agent=agent, call_type='Outbound', duration='10') for agent in ('101', '102')
        ]
        self.assertEqual([call.extension for call in self.calls(*out, *out)], ['101', '102'])

    def test_whose_call_a_journal_is_can_be_read(self):
        inbox = self.receive([(post(journal(3)), START)], self.account())
        notes = [
            event.note
            for (_ref, _key), stored in inbox.stored.items()
            for event in self.provider.translate([stored], self.account())
            if event.kind == 'void'
        ]
        self.assertTrue(notes)
        self.assertTrue(all('Another phone rang first' in note for note in notes))

    @PROPERTY
    @given(
        st.lists(
            st.tuples(
                st.integers(0, 40),
                st.sampled_from(['101', '102']),
                st.sampled_from(['Inbound', 'Missed']),
            ),
            min_size=1,
            max_size=6,
        )
    )
    def test_calls_by_their_distance(self, starts):
        """As many calls as there are gaps of more than five seconds, whatever the order."""
        journals = [
            journal(second, agent=agent, call_type=kind, duration='9')
            for second, agent, kind in starts
        ]
        seconds = sorted(second for second, _agent, _kind in starts)
        gaps = sum(later - earlier > 5 for earlier, later in zip(seconds, seconds[1:]))
        calls = self.calls(*journals)
        self.assertEqual(len(calls), gaps + 1)
        self.assertEqual(calls, self.calls(*reversed(journals)))

    # --- the key -----------------------------------------------------------------------------------------------------

    def test_key(self):
        for right in (f'Bearer {self.secret}', f'bearer  {self.secret} '):
            self.provider.verify(post(INBOUND, authorization=right), self.account())
        for wrong in (
            '',
            'Bearer',
            'Bearer ',
            'Bearer x',
            f'Bearer {self.secret}x',
            f'Bearer {self.secret[:-1]}',
            f'Basic {self.secret}',
            self.secret,
            'Bearer \xff',
            f'Bearer {self.secret.upper()}',
        ):
            for request in (
                post(INBOUND, authorization=wrong),
                post({}, 'contacts', authorization=wrong),
            ):
                with self.subTest(wrong), self.assertRaises(Refused) as caught:
                    self.provider.verify(request, self.account())
                self.assertEqual(caught.exception.status, 403)
                self.assertNotIn(self.secret, str(caught.exception))
        for request in (WebhookRequest(), post(INBOUND, authorization='Bearer ')):
            with self.assertRaises(Refused):
                self.provider.verify(request, self.account(api_secret=''))

    # --- questions ---------------------------------------------------------------------------------------------------

    def test_lookup(self):
        for sent, number in (
            ('+442079460111', '+442079460111'),
            (' 442079460111', '+442079460111'),
            ('02079460111', '02079460111'),
            ('"02079460111"', '02079460111'),
        ):
            question = self.provider.question(ask(sent), self.account())
            self.assertEqual((question.kind, question.number), ('lookup', number))
            self.assertEqual(self.provider.split(ask(sent)), [])
        for sent in ('', '  ', '[Number]'):
            self.assertIsNone(self.provider.question(ask(sent), self.account()))

    def test_lookup_reply(self):
        contact = Contact(
            id=7,
            first_name='Zoë "Z"',
            last_name='Ng',
            url='https://odoo.example.com/odoo/res.partner/7',
        )
        reply = self.provider.reply(ask('1'), Answer(contacts=(contact,)))
        self.assertEqual(
            (reply.status, reply.content_type), (200, 'application/json; charset=utf-8')
        )
        [told] = json.loads(reply.body)['contacts']
        self.assertEqual(
            set(told),
            {
                'id',
                'first_name',
                'last_name',
                'company',
                'email',
                'phone_business',
                'phone_mobile',
                'url',
            },
        )
        self.assertEqual((told['id'], told['first_name']), (7, 'Zoë "Z"'))
        for nothing in (None, Answer()):
            self.assertEqual(
                json.loads(self.provider.reply(ask('1'), nothing).body), {'contacts': []}
            )

    def test_create(self):
        fields = {
            'number': '+442079460111',
            'first_name': 'Zoë',
            'last_name': '[LastName]',
            'email': 'zoe@example.com',
        }
        as_form = form_request(fields, KEY)
        for request in (
            post(fields, 'contacts'),
            post(fields, 'contacts/'),
            WebhookRequest(suffix='contacts', headers=KEY, form=as_form.form, body=as_form.body),
        ):
            question = self.provider.question(request, self.account())
            self.assertEqual((question.kind, question.number), ('create', '+442079460111'))
            self.assertEqual(question.contact, Contact(first_name='Zoë', email='zoe@example.com'))
            self.assertEqual(self.provider.split(request), [])
        only_mobile = post({'phone_mobile': '+447911123456'}, 'contacts')
        self.assertEqual(
            self.provider.question(only_mobile, self.account()).number, '+447911123456'
        )

    def test_create_bad(self):
        for body, said in (
            (b'{}', 'number'),
            (b'[]', 'JSON'),
            (b'', 'number'),
            (b'{"number": [1]}', 'number'),
            (b'{"number": 1, "email": {}}', 'email'),
            (b'\xff', 'JSON'),
        ):
            request = WebhookRequest(suffix='contacts', headers=KEY, body=body)
            with self.subTest(body), self.assertRaisesRegex(ProviderError, said):
                self.provider.question(request, self.account())
            self.assertEqual(json.loads(self.provider.reply(request).body), {'contacts': []})

    def test_journal_asks_nothing(self):
        self.assertIsNone(self.provider.question(post(INBOUND), self.account()))
        self.assertEqual(json.loads(self.provider.reply(post(INBOUND)).body), {})
        self.assertEqual(self.provider.split(WebhookRequest(method='GET', suffix='journal')), [])

    # --- bad input ---------------------------------------------------------------------------------------------------

    def test_bodies_that_are_none(self):
        for body in (b'{"call_type": "Inbound",', b'[]', b'"x"', b'1', b'null', b'\xff\xfe', b'x'):
            with self.subTest(body), self.assertRaises(ProviderError):
                self.provider.split(WebhookRequest(suffix='journal', body=body))

    def test_json_called_a_form(self):
        """Odoo then finds a form in it: one field with the JSON as its name."""
        body = json.dumps(INBOUND).encode()
        request = WebhookRequest(
            suffix='journal', headers=KEY, form={body.decode(): ('',)}, body=body
        )
        self.assertEqual(self.provider.split(request)[0]['agent'], '101')

    def test_required_fields(self):
        for name in ('call_type', 'started_at'):
            for value in ([], ['a'], {'a': 1}, True):
                with self.subTest(name=name, value=value):
                    self.assertIn(name, self.reason({**INBOUND, name: value}))

    def test_optional_fields(self):
        for name in INBOUND:
            for value in ('', ' ', None, '[Variable]', '""'):
                with self.subTest(name=name, value=value):
                    [call] = self.calls({**INBOUND, name: value})
                    self.assertEqual(call.outcome, 'answered')
                    self.check_sane(call)
            self.calls({key: value for key, value in INBOUND.items() if key != name})

    def test_wrong_types(self):
        for name in ('number', 'agent', 'duration', 'established_at', 'ended_at'):
            for value in (['a'], {'a': 1}, True):
                with self.subTest(name=name, value=value):
                    self.assertIn(name, self.reason({**INBOUND, name: value}))

    def test_call_types(self):
        for told, direction, outcome in (
            ('Inbound', 'inbound', 'answered'),
            ('Missed', 'inbound', 'missed'),
            ('Outbound', 'outbound', 'answered'),
            ('Notanswered', 'outbound', 'no_answer'),
            ('NotAnswered', 'outbound', 'no_answer'),
            (' missed ', 'inbound', 'missed'),
        ):
            [call] = self.calls({**INBOUND, 'call_type': told, 'direction': 'nonsense'})
            self.assertEqual((call.direction, call.outcome), (direction, outcome))
        self.assertIn('Teleported', self.reason({**INBOUND, 'call_type': 'Teleported'}))

    def test_times(self):
        for told in (
            '2026-03-02T05:15:00Z',
            '2026-03-02 05:15:00',
            '2026-03-02T05:15:00',
            '2026-03-02t05:15:00z',
            '2026-03-02T05:15:00.1234567Z',
            '2026-03-02T10:15:00+05:00',
            '2026-03-02T10:15:00+0500',
            '03/02/2026 05:15:00',
            '3/2/2026 5:15:00',
            '"2026-03-02T05:15:00Z"',
            '3/2/2026 5:15:00 AM',
            '3/2/2026 5:15:00\u202fAM',
            '\u200e03/02/2026, 05:15:00\u00a0AM',
            '2026-03-02\u202f05:15:00',
        ):
            [call] = self.calls({**INBOUND, 'started_at': told}, timezone='Asia/Almaty')
            self.assertEqual(call.start_at, START, ascii(told))
        for told, hour in (
            ('12:15:00\u202fAM', 0),
            ('11:15:00\u202fAM', 11),
            ('12:15:00\u202fPM', 12),
            ('1:15:00 PM', 13),
        ):
            [call] = self.calls(
                {**INBOUND, 'started_at': f'3/1/2026 {told}', 'established_at': '', 'ended_at': ''}
            )
            self.assertEqual((call.start_at.hour, call.start_at.minute), (hour, 15), told)
        for wrong in (
            '2 March 2026',
            '02.03.2026 05:15:00',
            '2026-13-02T05:15:00Z',
            '2026-03-02',
            '1772428500',
            '13/32/2026 05:15:00',
            '2026-03-02T05:15:00+99:99',
            '\0',
            '3/2/2026 13:15:00 PM',
            '3/2/2026 0:15:00 AM',
            '2/03/2026 5:15:00 am',
        ):
            for name in ('started_at', 'established_at', 'ended_at'):
                with self.subTest(name=name, value=wrong):
                    self.assertIn(name, self.reason({**INBOUND, name: wrong}))
        for nothing in (
            '0001-01-01T00:00:00Z',
            '01/01/0001 00:00:00',
            '9999-12-31T23:59:59Z',
            '2026-03-02T05:14:00Z',
        ):
            [call] = self.calls({**INBOUND, 'established_at': nothing, 'ended_at': nothing})
            self.assertEqual((call.answered_at, call.ended_at, call.talk_seconds), (None, None, 64))

    def test_durations(self):
        without = {**INBOUND, 'established_at': '', 'ended_at': ''}
        for told, seconds in (
            ('00:01:04', 64),
            ('1:02:03', 3723),
            ('01:02:03', 3723),
            ('1.00:00:05', 86405),
            ('64', 64),
            (64, 64),
            (64.0, 64),
            ('00:01:04.1234567', 64),
            ('48:00:00', 172800),
        ):
            [call] = self.calls({**without, 'duration': told})
            self.assertEqual(call.talk_seconds, seconds, told)
        for absurd in ('-1', 'nan', '100:00:00', '9' * 400 + ':00:00'):
            [call] = self.calls({**without, 'duration': absurd})
            self.assertEqual(
                (call.outcome, call.talk_known, call.doubts),
                ('answered', False, ('duration',)),
                absurd,
            )
        for wrong in ('00:01', 'abc', '-00:01:04', 'PT1M4S'):
            self.assertIn('duration', self.reason({**INBOUND, 'duration': wrong}))

    @PROPERTY
    @given(
        st.dictionaries(
            st.sampled_from([*JOURNAL, 'kept_for']),
            st.one_of(
                st.none(),
                st.booleans(),
                st.integers(),
                st.floats(),
                st.text(max_size=20),
                st.lists(st.text(max_size=2)),
                st.sampled_from([*INBOUND.values(), '[Agent]', '0001-01-01T00:00:00Z']),
            ),
            max_size=5,
        )
    )
    def test_anything(self, changes):
        """Whatever comes is a record or a readable reason."""
        inbox = self.receive([(post({**INBOUND, **changes}), START)], self.account())
        for record in self.records(inbox, self.account()):
            self.check_sane(record)
        self.assertTrue(all(inbox.failed))
        self.assertNotEqual(bool(inbox.failed), bool(inbox.stored))

    def test_recordings_that_are_addresses(self):
        for told, kept in (
            ('https://pbx.example.com/recordings/1.wav', True),
            ('http://10.0.0.5/1.wav', True),
            ('Ext.101/1.wav', False),
            ('javascript:alert(1)', False),
            ('[RecordingUrl]', False),
            ('', False),
        ):
            [call] = self.calls({**INBOUND, 'recording_url': told})
            self.assertEqual(
                [recording.url for recording in call.recordings], [told] if kept else [], told
            )

    # --- the template ------------------------------------------------------------------------------------------------

    def test_template(self):
        address, key = 'https://odoo.example.com/telephony/webhook/threecx/to&ken/', 'k<e>"y\''
        root = etree.fromstring(template(address, key).encode())
        self.assertEqual(
            [child.tag for child in root],
            ['Number', 'Connection', 'Parameters', 'Authentication', 'Scenarios'],
        )
        defaults = {
            parameter.get('Name'): parameter.get('Default') for parameter in root.iter('Parameter')
        }
        self.assertEqual((defaults['OdooUrl'], defaults['OdooKey']), (address.rstrip('/'), key))
        scenarios = {scenario.get('Id'): scenario for scenario in root.iter('Scenario')}
        self.assertEqual(
            set(scenarios),
            {'', 'CreateContactRecord', 'CreateContactRecordFromClient', 'ReportCall'},
        )
        for name, scenario in scenarios.items():
            request = scenario.find('Request')
            self.assertEqual(request.findtext('Headers/Value'), 'Bearer [OdooKey]')
            self.assertTrue(request.get('Url').startswith('[OdooUrl]/'))
            self.assertEqual(scenario.find('Outputs') is None, name == 'ReportCall')
            # every variable that is put out is read from a field of the answer
            outputs = {output.get('Value') for output in scenario.iter('Output')}
            variables = {
                f"[{variable.get('Name')}]": variable.get('Path')
                for variable in scenario.iter('Variable')
            }
            self.assertEqual(outputs, set(variables))
            self.assertLessEqual(
                {path.partition('.')[2] for path in variables.values()},
                set(Contact.__annotations__),
            )

    def test_template_journal_is_understood(self):
        """What the template sends before 3CX fills it in, and filled in."""
        root = etree.fromstring(template('https://odoo.example.com', 'key').encode())
        [report] = [
            scenario for scenario in root.iter('Scenario') if scenario.get('Id') == 'ReportCall'
        ]
        sent = {value.get('Key'): value.text for value in report.find('Request/PostValues')}
        self.assertEqual(
            set(sent),
            {
                'call_type',
                'direction',
                'number',
                'agent',
                'agent_email',
                'duration',
                'started_at',
                'established_at',
                'ended_at',
                'transcription',
                'summary',
                'recording_url',
            },
        )
        [call] = self.calls({**sent, 'call_type': 'Missed', 'started_at': INBOUND['started_at']})
        self.assertEqual(
            (call.outcome, call.caller, call.legs, call.recordings), ('missed', '', (), ())
        )
