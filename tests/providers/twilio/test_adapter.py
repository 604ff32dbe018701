import hashlib
import json
from dataclasses import replace
from datetime import datetime, timezone

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from twilio.request_validator import RequestValidator

from odoo.tests import tagged

from odoo.addons.crm_telephony.providers.base import (
    Answer,
    ProviderError,
    Refused,
    Stored,
    WebhookRequest,
)
from odoo.addons.crm_telephony.providers.fold import fold, void_reason

from ...provider_case import PROPERTY, ProviderCase, form_request

PUBLIC = 'https://odoo.example.com/telephony/webhook/twilio/token'
AC = 'AC00000000000000000000000000000001'
PARENT, CHILD = 'CA00000000000000000000000000000001', 'CA00000000000000000000000000000002'
VOICE = {
    'AccountSid': AC,
    'ApiVersion': '2010-04-01',
    'CallSid': PARENT,
    'CallStatus': 'ringing',
    'Direction': 'inbound',
    'From': '+442079460111',
    'To': '+442079460001',
}
LEG = {
    **VOICE,
    'CallSid': CHILD,
    'ParentCallSid': PARENT,
    'To': 'client:anna',
    'Direction': 'outbound-dial',
    'Timestamp': 'Mon, 02 Mar 2026 05:15:10 +0000',
    'SequenceNumber': '2',
    'CallbackSource': 'call-progress-events',
}
END = {
    **VOICE,
    'CallStatus': 'completed',
    'Timestamp': 'Mon, 02 Mar 2026 05:16:10 +0000',
    'SequenceNumber': '3',
    'CallbackSource': 'call-progress-events',
    'CallDuration': '70',
    'Duration': '2',
}
DIAL = {
    **VOICE,
    'CallStatus': 'in-progress',
    'DialCallStatus': 'no-answer',
    'QueueTime': '',
    'RecordingDuration': '',
}
# From Twilio's documentation of the signature, with its own token.
VECTOR_TOKEN = '0123456789abcdef0123456789abcdef'
VECTOR_URL = 'https://odoo.example.com/telephony/twilio/voice?account=1'
VECTOR = 'Kz3qnq3pD++pbOQtcHiE3YMpOG4='
VECTOR_JSON = 'ZTGkATy3nLJkYfhjev6TI2OfAMU='
RECEIVED = datetime(2026, 3, 2, 5, 15, tzinfo=timezone.utc)


class Params(dict):
    """A form with repeated names, as frameworks hand it to Twilio's validator."""

    def getlist(self, name):
        return self[name]


def sign(form, url=PUBLIC, token=ProviderCase.secret, algorithm=None):
    """By Twilio's own package."""
    params = Params(
        {name: value if isinstance(value, list) else [value] for name, value in form.items()}
    )
    return RequestValidator(token).compute_signature(url, params, algorithm)


def request(form, url=PUBLIC, suffix='', signed_url=None, **headers):
    headers = {'x-twilio-signature': sign(form, signed_url or url), **headers}
    return replace(form_request(form, headers), url=url, suffix=suffix)


@tagged('post_install', '-at_install', 'crm_telephony')
class TestProviderTwilio(ProviderCase):
    code = 'twilio'
    # the arrival of a voice request stands in for the time that it does not tell
    volatile = ('start_at', 'wait_seconds', 'menu_seconds')

    def account(self, **values):
        return super().account(**{'api_key': AC, 'country': 'GB', 'webhook_url': PUBLIC, **values})

    def signed(self, delivery, secret):
        return request(delivery['form'])

    def identify(self, form, **account):
        return self.provider.identify(form, self.account(**account))

    def events(self, *forms, **account):
        return self.provider.translate(
            [Stored(form, RECEIVED) for form in forms], self.account(**account)
        )

    def record(self, *forms, **account):
        return fold(self.events(*forms, **account))

    def assert_refused(self, refused, account=None, reason=''):
        with self.assertRaisesRegex(Refused, reason) as caught:
            self.provider.verify(refused, account or self.account())
        self.assertEqual(caught.exception.status, 403)
        self.assertNotIn(self.secret, str(caught.exception))

    # --- scenarios ---------------------------------------------------------------------------------------------------

    def test_payload_files(self):
        self.check_scenarios()

    def test_repeats_and_disorder(self):
        self.check_disorder()

    def test_nothing_that_is_left_out_hides_a_call(self):
        self.check_nothing_hides_a_call('RecordingSid', 'RecordingUrl', 'CallSid', 'ParentCallSid')

    def test_typography(self):
        self.check_typography()

    def test_two_calls_at_once(self):
        """The same numbers, two CallSids: two calls."""
        other = {**END, 'CallSid': 'CA00000000000000000000000000000009'}
        inbox = self.receive(
            [(request(form), RECEIVED) for form in (VOICE, other, END, LEG)], self.account()
        )
        self.assertEqual(len(self.records(inbox, self.account())), 2)

    def test_click_to_call_without_customer(self):
        form = {
            **END,
            'Direction': 'outbound-api',
            'From': VOICE['To'],
            'To': 'client:anna',
            'CallStatus': 'no-answer',
        }
        self.assertIsNone(self.record(form))
        self.assertIn('anna', void_reason(self.events(form)))

    # --- signatures --------------------------------------------------------------------------------------------------

    def test_signature_vectors(self):
        account = self.account(api_secret=VECTOR_TOKEN, webhook_url='')
        self.assertEqual(sign(VOICE, VECTOR_URL, VECTOR_TOKEN), VECTOR)
        right = replace(form_request(VOICE, {'x-twilio-signature': VECTOR}), url=VECTOR_URL)
        self.provider.verify(right, account)
        for url in (
            VECTOR_URL.replace('https', 'http'),
            VECTOR_URL + '2',
            VECTOR_URL.replace('odoo', 'other'),
        ):
            self.assert_refused(replace(right, url=url), account, 'wrong')
        body = b'{"a":1}'
        url = f'{VECTOR_URL}&bodySHA256={hashlib.sha256(body).hexdigest()}'
        json_request = WebhookRequest(
            headers={'x-twilio-signature': VECTOR_JSON}, url=url, body=body
        )
        self.provider.verify(json_request, account)
        self.assert_refused(replace(json_request, body=b'{"a":2}'), account, 'not signed')

    def test_a_body_without_signature_is_not_taken(self):
        """The signature of a form-less request covers its address alone."""
        url_only = sign({})
        self.provider.verify(
            WebhookRequest(headers={'x-twilio-signature': url_only}, url=PUBLIC), self.account()
        )
        for body in (b'{"CallSid": "CA1"}', b'CallSid=CA1', b'x'):
            forged = WebhookRequest(headers={'x-twilio-signature': url_only}, url=PUBLIC, body=body)
            self.assert_refused(forged, reason='not signed')

    def test_behind_a_proxy(self):
        """Odoo sees an inside address, Twilio signs the one that it was given, with or without its
        port."""
        inside = 'http://10.0.0.5:8069/telephony/webhook/twilio/token'
        for public in (
            'https://odoo.example.com',
            'https://odoo.example.com:443',
            'https://odoo.example.com:8443',
        ):
            account = self.account(webhook_url=f'{public}/telephony/webhook/twilio/token')
            for tail, suffix in (
                ('', ''),
                ('/status', 'status'),
                ('/a/b%20c', 'a/b c'),
                ('?x=a+b&y=%D0%B6', ''),
            ):
                for signed_by in {public, public.replace(':443', ''), 'https://odoo.example.com'}:
                    signed_url = f'{signed_by}/telephony/webhook/twilio/token{tail}'
                    with self.subTest(signed_url):
                        self.provider.verify(
                            request(VOICE, inside + tail, suffix, signed_url), account
                        )
        self.provider.verify(request(VOICE, inside), self.account(webhook_url=''))
        elsewhere = request(
            VOICE, inside, signed_url='https://other.example.com/telephony/webhook/twilio/token'
        )
        self.assert_refused(elsewhere, reason='wrong')
        self.assert_refused(request(VOICE, inside + '/x', 'x', PUBLIC), reason='wrong')

    def test_repeated_parameters(self):
        form = {**VOICE, 'Digits': ['2', '1', '2'], 'Empty': '', 'CallerName': ' Zoë  & Co '}
        self.provider.verify(request(form), self.account())
        [payload] = self.provider.split(request(form))
        self.assertEqual(payload['Digits'], '2')
        changed = request({**form, 'Digits': ['2', '3', '2']}, **{'x-twilio-signature': sign(form)})
        self.assert_refused(changed, reason='wrong')

    def test_shared_key(self):
        header = {
            'x-twilio-webhooks-signature-settings': 'key=webhooks_sharedkey_1, algorithm=HMAC_SHA256'
        }
        right = sign(VOICE, algorithm='HMAC_SHA256')
        self.provider.verify(
            request(VOICE, **header, **{'x-twilio-signature': right}), self.account()
        )
        self.assert_refused(request(VOICE, **{'x-twilio-signature': right}), reason='wrong')
        self.assert_refused(request(VOICE, **header), reason='wrong')

    def test_signature_forged(self):
        right = sign(VOICE)
        for wrong in (
            right[:-1],
            right + '=',
            right.lower(),
            'x',
            '\xff' * 28,
            'й' * 28,
            '\udcff',
            sign(LEG),
            sign(VOICE, token='another'),
            sign(VOICE, PUBLIC + '/'),
            VECTOR,
        ):
            with self.subTest(wrong=wrong.encode('utf-8', 'replace')):
                self.assert_refused(request(VOICE, **{'x-twilio-signature': wrong}), reason='wrong')
        for empty in ('', ' '):
            self.assert_refused(request(VOICE, **{'x-twilio-signature': empty}), reason='missing')
        self.assert_refused(WebhookRequest(), reason='missing')
        unsigned = request(VOICE, **{'x-twilio-signature': sign(VOICE, token='')})
        self.assert_refused(unsigned, self.account(api_secret=''), 'no secret')

    def test_another_account(self):
        other = {**VOICE, 'AccountSid': 'AC00000000000000000000000000000002'}
        self.assert_refused(request(other), reason='another Twilio account')
        self.provider.verify(request(other), self.account(api_key=other['AccountSid']))
        self.provider.verify(request({**VOICE, 'AccountSid': ''}), self.account())

    # --- bad input ---------------------------------------------------------------------------------------------------

    def test_requests_without_parameters(self):
        bodies = (WebhookRequest(body=body) for body in (b'', b'[]', b'x', b'{"CallSid":'))
        for empty in (WebhookRequest(method='GET'), *bodies):
            with self.assertRaises(ProviderError):
                self.provider.split(empty)
            self.assertEqual(self.provider.reply(empty).status, 200)

    def test_other_content(self):
        for other in (
            WebhookRequest(body=json.dumps(VOICE).encode()),
            WebhookRequest(method='GET', query={name: (value,) for name, value in VOICE.items()}),
        ):
            self.assertEqual(self.provider.split(other), [VOICE])

    def test_required_fields(self):
        for form, names in ((VOICE, ('CallSid',)), (LEG, ('CallSid', 'ParentCallSid'))):
            for name in names:
                for value in ('', ' ', None, ['a'], {'a': 1}, True):
                    with (
                        self.subTest(name=name, value=value),
                        self.assertRaisesRegex(ProviderError, name),
                    ):
                        self.identify({**form, name: value})
                with self.assertRaisesRegex(ProviderError, name):
                    self.identify({key: value for key, value in form.items() if key != name})

    def test_optional_fields(self):
        for form in (VOICE, LEG, END, DIAL):
            whole = self.identify(form)
            for name in form.keys() - {'CallSid', 'ParentCallSid'}:
                without = {key: value for key, value in form.items() if key != name}
                for told in (without, *({**form, name: value} for value in ('', ' ', None))):
                    with self.subTest(name=name, value=told.get(name, 'missing')):
                        self.assertEqual(self.identify(told).call_ref, whole.call_ref)
                        self.check_sane(self.record(VOICE, told))

    def test_values_that_are_none(self):
        for name, wrong in (
            ('CallStatus', ('teleported', 'RINGING', '"ringing"', '1')),
            ('Direction', ('sideways', '"inbound"')),
            (
                'Timestamp',
                ('yesterday', '2026-03-02T05:15:10Z', '0', 'Mon, 32 Mar 2026 05:15:10 +0000'),
            ),
            ('SequenceNumber', ('x', '1.5', 'nan')),
            ('CallDuration', ('x', '00:10')),
            ('RecordingDuration', ('x',)),
            ('DialCallStatus', ('vanished',)),
            ('QueueResult', ('vanished',)),
            ('QueueTime', ('x',)),
            ('RecordingStatus', ('vanished',)),
        ):
            for value in wrong:
                form = {**END, 'RecordingUrl': 'https://api.twilio.com/x', name: value}
                form = {**form, 'QueueResult': 'hangup'} if name == 'QueueTime' else form
                form = (
                    {**form, 'DialCallStatus': 'busy'}
                    if name.startswith('Dial') and name not in form
                    else form
                )
                with (
                    self.subTest(name=name, value=value),
                    self.assertRaisesRegex(ProviderError, name),
                ):
                    self.identify(form)

    def test_numbers_as_numbers(self):
        form = {**END, 'CallDuration': 70, 'SequenceNumber': 3, 'Duration': 2.0}
        self.assertEqual(self.record(VOICE, form).outcome, self.record(VOICE, END).outcome)

    def test_withheld_callers(self):
        for number in (
            '+266696687',
            '266696687',
            '+8656696',
            '+86282452253',
            '+7378742833',
            '+2562533',
            '',
        ):
            self.assertEqual(
                self.record({**VOICE, 'From': number, 'Caller': number}).caller, '', number
            )

    @PROPERTY
    @given(
        st.lists(
            st.dictionaries(
                st.sampled_from(
                    [
                        *END,
                        *DIAL,
                        'ParentCallSid',
                        'RecordingUrl',
                        'RecordingStatus',
                        'QueueResult',
                        'AnsweredBy',
                    ]
                ),
                st.one_of(
                    st.none(),
                    st.booleans(),
                    st.integers(),
                    st.floats(),
                    st.text(max_size=5),
                    st.lists(st.text(max_size=2)),
                    st.sampled_from(
                        sorted(
                            {
                                *END.values(),
                                *LEG.values(),
                                'hangup',
                                'bridged',
                                'machine_start',
                                'failed',
                            }
                        )
                    ),
                ),
            ),
            max_size=6,
        )
    )
    def test_anything(self, changes):
        """Whatever comes is a record or a readable reason."""
        forms = []
        for number, change in enumerate(changes):
            form = {**(VOICE, LEG, END, DIAL)[number % 4], **change}
            try:
                if self.identify(form).call_ref == PARENT:
                    forms.append(form)
            except ProviderError as error:
                self.assertTrue(str(error))
            for ask in (
                self.provider.reply,
                lambda request: self.provider.question(request, self.account()),
            ):
                try:
                    ask(WebhookRequest(body=json.dumps(form).encode()))
                except ProviderError as error:
                    self.assertTrue(str(error))
        if record := self.record(*forms):
            self.check_sane(record)
            self.assertEqual(record, self.record(*reversed(forms)))

    # --- TwiML -------------------------------------------------------------------------------------------------------

    def twiml(self, form, answer=None, step=''):
        asked = replace(
            request(
                form,
                'http://10.0.0.5:8069/telephony/webhook/twilio/token' + (step and f'?step={step}'),
            ),
            query={'step': (step,)} if step else {},
        )
        reply = self.provider.reply(asked, answer)
        self.assertEqual((reply.status, reply.content_type), (200, 'text/xml; charset=utf-8'))
        self.assertNotIn('token', reply.body)
        question = self.provider.question(asked, self.account(extensions={'anna', 'boris'}))
        return question, etree.fromstring(reply.body.encode())

    def test_manager_first(self):
        question, response = self.twiml(VOICE, Answer(manager='anna', team=('anna', 'boris')))
        self.assertEqual(
            (question.kind, question.number, question.called), ('route', VOICE['From'], VOICE['To'])
        )
        [dial] = response
        self.assertEqual(dial.get('action'), '?step=team')
        [client] = dial
        self.assertEqual((client.tag, client.text), ('Client', 'anna'))
        self.assertEqual(client.get('statusCallback'), '?step=status')
        self.assertEqual(client.get('statusCallbackEvent'), 'initiated ringing answered completed')

    def test_then_the_team(self):
        for status in ('no-answer', 'busy', 'failed', 'canceled'):
            form = {**DIAL, 'DialCallStatus': status}
            question, response = self.twiml(
                form, Answer(manager='anna', team=('anna', 'boris')), 'team'
            )
            self.assertEqual(question.kind, 'route')
            self.assertEqual(response[0].get('action'), '?step=end')
            self.assertEqual([(noun.tag, noun.text) for noun in response[0]], [('Client', 'boris')])

    def test_nothing_is_asked_or_rung_after_a_talk(self):
        for form, step in (
            ({**DIAL, 'DialCallStatus': 'completed'}, 'team'),
            ({**DIAL, 'CallStatus': 'completed'}, 'team'),
            (DIAL, 'end'),
            (DIAL, ''),
            ({**VOICE, 'From': 'client:anna'}, ''),
            ({**VOICE, 'CallStatus': 'in-progress'}, ''),
        ):
            question, response = self.twiml(form, None, step)
            self.assertIsNone(question)
            self.assertEqual(list(response), [])

    def test_nobody_to_ring(self):
        for answer in (None, Answer(), Answer(caller_name='Zoë <&> "Co"')):
            _question, response = self.twiml(VOICE, answer)
            self.assertEqual((response.tag, list(response)), ('Response', []))
        _question, response = self.twiml(VOICE, Answer(manager='anna'))
        self.assertEqual(response[0].get('action'), '?step=end')

    def test_what_is_dialled(self):
        team = (
            'client:anna',
            'boris',
            '+447911123456',
            'sip:vera@acme.sip.twilio.com',
            'vera@acme.sip.twilio.com',
            'a<b>&"c',
            'bad\0',
        )
        _question, response = self.twiml(VOICE, Answer(team=team))
        self.assertEqual(
            [(noun.tag, noun.text) for noun in response[0]],
            [
                ('Client', 'anna'),
                ('Client', 'boris'),
                ('Number', '+447911123456'),
                ('Sip', 'sip:vera@acme.sip.twilio.com'),
                ('Sip', 'sip:vera@acme.sip.twilio.com'),
                ('Client', 'a<b>&"c'),
            ],
        )
        _question, response = self.twiml(
            VOICE, Answer(team=tuple(f'c{number}' for number in range(30)))
        )
        self.assertEqual(len(response[0]), 10)

    def test_callbacks_expect_nothing(self):
        for form in (
            LEG,
            END,
            {'CallSid': PARENT, 'RecordingSid': 'RE1', 'RecordingStatus': 'completed'},
        ):
            reply = self.provider.reply(request(form))
            self.assertEqual((reply.status, reply.body), (200, ''))
