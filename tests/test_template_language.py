"""The language of templates: what paths and operations give, what is refused and why, and that no
template and no body does harm."""

import copy
import json
import time
import tracemalloc
from datetime import datetime, timezone

from hypothesis import given
from hypothesis import strategies as st

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_telephony.providers.base import (
    Account,
    ProviderError,
    Refused,
    WebhookRequest,
    dump,
)
from odoo.addons.crm_telephony.providers.custom import documents
from odoo.addons.crm_telephony.providers.custom.adapter import Custom
from odoo.addons.crm_telephony.providers.custom.errors import BadTemplate
from odoo.addons.crm_telephony.providers.custom.evaluation import Reading, evaluate
from odoo.addons.crm_telephony.providers.custom.language import load
from odoo.addons.crm_telephony.providers.custom.operations import Compiler, Reader
from odoo.addons.crm_telephony.providers.custom.paths import Scope, parse

from .provider_case import PROPERTY

ACCOUNT = Account(
    timezone='Asia/Almaty',
    country='KZ',
    extensions=frozenset({'101', '112', '12345', '123456'}),
    own_numbers=frozenset({'+77272507612'}),
)
OUTSIDE, OTHER, OWN = '+77011112233', '+77015554433', '+77272507612'
SMALL = {
    'telephony_template': 1,
    'language': 1,
    'id': 'small',
    'version': '1.0.0',
    'label': 'Small',
    'auth': {'address_only': True},
    'call': '$.id',
    'all': {'direction': '$.way', 'caller': '$.from', 'called': '$.to'},
    'rules': [
        {'name': 'rings', 'when': [{'path': '$.e', 'is': 'r'}], 'events': [{'kind': 'ringing'}]},
        {
            'name': 'over',
            'when': [{'path': '$.e', 'is': 'o'}],
            'events': [
                {
                    'kind': 'ended',
                    'at': {'path': '$.at', 'as': 'time'},
                    'talk_seconds': {'path': '$.talk', 'as': 'seconds'},
                    'outcome': {'path': '$.word', 'map': {'yes': 'answered'}, 'else': 'empty'},
                }
            ],
        },
    ],
}
# A real call at the end of a delivery of the small template.
ENDED = {'id': 'c1', 'e': 'o', 'way': 'inbound', 'at': '2026-03-02T06:00:00Z'}


def changed(**values):
    return {**copy.deepcopy(SMALL), **values}


def with_event(**fields):
    return changed(rules=[{'name': 'x', 'when': [], 'events': [{'kind': 'ended', **fields}]}])


def read(template, body, account=ACCOUNT, **request):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return evaluate(load(template), WebhookRequest(body=raw, **request), account)


def value(expression, document, account=ACCOUNT, tables=None):
    compiled = Compiler(tables).expression(expression, 'here')
    return compiled.value(Reader(Scope(document, document, {'query': {'x': 'q'}}), account))


@tagged('post_install', '-at_install', 'crm_telephony')
class TestTemplateLanguage(BaseCase):
    # --- paths -------------------------------------------------------------------------------------------------------

    def test_paths(self):
        document = {'a': {'b c': [1, {'d': 'x'}, {'d': 'y'}], "it's": 'z'}, 'one': 'single'}
        for path, nodes in {
            '$.a': [document['a']],
            "$.a['b c'][1].d": ['x'],
            '$.a["b c"][*].d': ['x', 'y'],
            "$.a['it\\'s']": ['z'],
            '$.one[*]': ['single'],
            '$.one[0]': [],
            '$.missing.deeper[*]': [],
            '$.a.b': [],
            '~.query.x': ['q'],
            '^.one': ['single'],
        }.items():
            with self.subTest(path):
                scope = Scope(document, document, {'query': {'x': 'q'}})
                self.assertEqual(parse(path, '').nodes(scope), nodes)

    def test_no_path(self):
        for path in (
            '',
            'a',
            '$a',
            '$..a',
            '$.a[?@.b]',
            '$.a[1:2]',
            '$.a[-1]',
            "$['a",
            '$.' + 'a.' * 1000,
            '$.a()',
            '$.a ',
            '#.a',
            '$' + '.a' * 13,
        ):
            with self.subTest(path[:30]), self.assertRaises(BadTemplate):
                parse(path, 'here')
        self.assertEqual(len(parse('$' + '.a' * 12, '').steps), 12)

    # --- operations --------------------------------------------------------------------------------------------------

    def test_texts(self):
        d = {'p': '101@pbx.example', 'n': 'Anna<101>', 'w': ' ANSWER ', 'x': 'YQ==', 'u': 'a%20b'}
        for expression, expected in [
            ({'path': '$.p', 'before': '@'}, '101'),
            ({'path': '$.p', 'after': '@'}, 'pbx.example'),
            ({'path': '$.n', 'before': '>', 'after': '<'}, '101'),
            ({'path': '$.w', 'before': '@'}, 'ANSWER'),
            ({'path': '$.p', 'split': '@', 'take': 1}, 'pbx.example'),
            ({'path': '$.p', 'split': '@', 'take': 5}, None),
            ({'path': '$.p', 'strip_prefix': ['10', '9']}, '1@pbx.example'),
            ({'path': '$.p', 'digits': True}, '101'),
            ({'path': '$.w', 'lower': True}, 'answer'),
            ({'path': '$.x', 'decode': 'base64'}, 'a'),
            ({'path': '$.u', 'decode': 'url'}, 'a b'),
            ({'path': '$.w', 'map': {'answer': 'answered'}}, 'answered'),
            ({'path': '$.w', 'map': {'no': 'x'}, 'else': 'y'}, 'y'),
            ({'path': '$.w', 'map': {'no': 'x'}, 'else': 'empty'}, None),
            ({'path': '$.w', 'absent': ['answer']}, None),
            ({'const': 'x'}, 'x'),
            ({'first': ['$.none', '$.u']}, 'a%20b'),
            ({'join': ['$.u', '$.none', '$.x'], 'with': '-'}, 'a%20b-YQ=='),
            (
                {
                    'case': [{'when': [{'path': '$.none', 'exists': True}], 'then': '$.p'}],
                    'else': '$.u',
                },
                'a%20b',
            ),
        ]:
            with self.subTest(expression):
                self.assertEqual(value(expression, d), expected)

    def test_tables(self):
        table = {'answer': 'answered'}
        self.assertEqual(
            value({'path': '$.w', 'table': 't'}, {'w': 'Answer'}, tables={'t': table}), 'answered'
        )
        with self.assertRaisesRegex(ProviderError, r'\$\.w.*vanished'):
            value({'path': '$.w', 'map': table}, {'w': 'vanished'})

    def test_times(self):
        def at(text, account=ACCOUNT, **told):
            return value({'path': '$.t', 'as': 'time', **told}, {'t': text}, account)

        six = datetime(2026, 3, 2, 6, tzinfo=timezone.utc)
        for text, told in [
            ('2026-03-02T06:00:00Z', {}),
            ('2026-03-02T11:00:00+05:00', {}),
            ('2026-03-02T11:00:00+0500', {}),
            ('2026-03-02T11:30:00+0530', {}),
            ('2026-03-02 11:00:00', {}),
            ('2026-03-02T11:00', {}),
            ('2026-03-02 09:00:00', {'zone': 'Europe/Moscow'}),
            ('2026-03-02 06:00:00', {'zone': 'UTC'}),
            ('1772431200', {'format': 'epoch_s'}),
            (1772431200, {'format': 'epoch_s'}),
            ('1772431200000', {'format': 'epoch_ms'}),
            ('1772431200000000', {'format': 'epoch_us'}),
            ('02.03.2026 11-00-00', {'format': '%d.%m.%Y %H-%M-%S'}),
            ('1772431200', {'format': ['iso', 'epoch_s']}),
        ]:
            with self.subTest(text, **told):
                self.assertEqual(at(text, **told), six)
        for digits in range(1, 10):
            fraction = '123456789'[:digits]
            moment = at(f'2026-03-02T06:00:00.{fraction}Z')
            self.assertEqual(moment.microsecond, int(f'{fraction:0<6}'[:6]))
        for nothing in ('', '0', '0000-00-00 00:00:00', '0000-00-00T00:00:00Z', None):
            self.assertIsNone(at(nothing))
        self.assertEqual(at('1000000000', format='epoch_s').year, 2001)
        self.assertEqual(at('2147483648', format='epoch_s').year, 2038)
        for bad in ('yesterday', '2026-13-02T06:00:00Z', '2026-03-02T25:00:00Z', '12' * 500):
            with self.subTest(bad[:20]), self.assertRaisesRegex(ProviderError, r'\$\.t'):
                at(bad)
        with self.assertRaisesRegex(ProviderError, 'Nowhere'):
            at('2026-03-02 11:00:00', Account(timezone='Asia/Nowhere'))

    def test_both_changes_of_summer_time(self):
        berlin = Account(timezone='Europe/Berlin')
        for local, hour in (
            ('2026-03-29 01:59:59', 0),
            ('2026-03-29 03:00:00', 1),
            ('2026-10-25 01:59:59', 23),
            ('2026-10-25 03:00:00', 2),
        ):
            moment = value({'path': '$.t', 'as': 'time'}, {'t': local}, berlin)
            self.assertEqual(moment.hour, hour, local)

    def test_durations(self):
        def seconds(text, unit='s', **more):
            return value({'path': '$.s', 'as': 'seconds', 'unit': unit, **more}, {'s': text})

        for text, unit, expected in [
            ('42', 's', 42),
            (42.5, 's', 42.5),
            ('42000', 'ms', 42),
            ('42000000', 'us', 42),
            ('2', 'min', 120),
            ('1:02:03', 'h:m:s', 3723),
            ('02:03', 'h:m:s', 123),
            ('', 's', None),
            (str(10**9), 's', None),
        ]:
            self.assertEqual(seconds(text, unit), expected, (text, unit))
        for bad in ('-1', 'long', 'nan', '-0.1'):
            with self.subTest(bad), self.assertRaisesRegex(ProviderError, r'\$\.s.*' + bad):
                seconds(bad)
        plus = {'path': '$.t', 'as': 'time', 'plus': [{'path': '$.s', 'as': 'seconds'}]}
        self.assertEqual(value(plus, {'t': '2026-03-02T06:00:00Z', 's': '50'}).second, 50)
        self.assertEqual(value(plus, {'t': '2026-03-02T06:00:00Z'}).second, 0)
        minus = {'path': '$.t', 'as': 'time', 'minus': {'path': '$.b', 'as': 'time'}}
        self.assertEqual(
            value(minus, {'t': '2026-03-02T06:00:50Z', 'b': '2026-03-02T06:00:08Z'}), 42
        )

    def test_sides(self):
        def way(caller, called):
            return value({'sides': ['$.a', '$.b']}, {'a': caller, 'b': called})

        for caller, called, expected in [
            (OUTSIDE, '101', 'inbound'),
            ('101', OUTSIDE, 'outbound'),
            ('101', '112', 'internal'),
            (OUTSIDE, OWN, 'inbound'),
            (OWN, OUTSIDE, 'outbound'),
            (OWN, '101', 'internal'),
            ('12345', OUTSIDE, 'outbound'),
            (OUTSIDE, '123456', 'inbound'),
            ('112', OUTSIDE, 'outbound'),
            (OUTSIDE, '112', 'inbound'),
            ('', OWN, 'inbound'),
            ('anonymous', '101', 'inbound'),
            (OUTSIDE, '777', 'inbound'),  # a phone that nobody has entered yet
            ('777', OUTSIDE, 'outbound'),
            ('883140779001066', OWN, 'inbound'),  # a number that no plan knows is no phone
        ]:
            self.assertEqual(way(caller, called), expected, (caller, called))
        for caller, called in ((OUTSIDE, OTHER), ('777', '778')):
            with self.assertRaisesRegex(ProviderError, caller[1:]):
                way(caller, called)

    def test_conditions(self):
        document = {'w': 'Answer', 'n': '5', 'zero': 0, 'empty': ''}

        def holds(condition):
            [compiled] = Compiler().conditions([condition], 'here')
            return compiled.holds(Reader(Scope(document), ACCOUNT))

        for condition, expected in [
            ({'path': '$.w', 'is': 'answer'}, True),
            ({'path': '$.w', 'is': 'busy'}, False),
            ({'path': '$.w', 'in': ['busy', 'answer']}, True),
            ({'path': '$.w', 'not': ['busy']}, True),
            ({'path': '$.none', 'not': ['busy']}, True),
            ({'path': '$.zero', 'exists': True}, True),
            ({'path': '$.empty', 'exists': False}, True),
            ({'path': '$.n', 'over': 4}, True),
            ({'path': '$.n', 'over': 5}, False),
            ({'path': '$.w', 'over': 0}, False),
            ({'path': '$.n', 'is': 5}, True),
            ({'path': '$.n', 'as': 'seconds', 'over': 4}, True),
        ]:
            self.assertEqual(holds(condition), expected, condition)

    # --- what comes --------------------------------------------------------------------------------------------------

    def test_bodies(self):
        form = {'request': {'body': 'form'}, 'call': "$['a b']"}
        for body, plan, request in [
            (b'\xef\xbb\xbf{"x": {"y": "1"}}', {'body': 'json'}, {}),
            (b'x[y]=1', {'body': 'form', 'brackets': True}, {}),
            (b'x={"y":1}', {'body': 'form', 'unwrap': ['$.x']}, {}),
            (b'x=eyJ5IjogMX0=', {'body': 'form', 'unwrap': [{'path': '$.x', 'as': ['base64', 'json']}]}, {}),
            (b'{"x": "y=1"}', {'body': 'json', 'unwrap': [{'path': '$.x', 'as': 'form'}]}, {}),
            (b'<x><y>1</y></x>', {'body': 'xml'}, {}),
            (b'<p:x xmlns:p="urn:q"><p:y a="2">1</p:y></p:x>', {'body': 'xml'}, {}),
            ('<?xml version="1.0"?><x><y>1</y></x>'.encode('utf-16'), {'body': 'xml'}, {}),
            (b'', {'body': 'query', 'brackets': True}, {'query': {'x[y]': ('1',)}}),
        ]:  # fmt: skip
            with self.subTest(body[:30], plan=plan):
                template = changed(
                    request=plan,
                    call='$.x.y',
                    rules=[{'name': 'x', 'events': [{'kind': 'ringing'}]}],
                    all={},
                )
                [reading] = read(template, body, **request)
                self.assertIsInstance(reading, Reading, reading)
                self.assertEqual(reading.call_ref, '1')
        self.assertIn('a b', form['call'])

    def test_attributes_and_lists_of_xml(self):
        document = documents.xml_document(
            b'<c><leg type="x:Released" n="1">a</leg><leg>b</leg><only><id>7</id></only></c>'
        )
        scope = Scope(document)
        for path, nodes in {
            "$.c.leg[0]['@type']": ['x:Released'],
            '$.c.only[*].id': ['7'],
            '$.c.leg[1]': ['b'],
        }.items():
            self.assertEqual(parse(path, '').nodes(scope), nodes)
        self.assertEqual(value('$.c.leg[0]', document), 'a')

    def test_php_brackets(self):
        self.assertEqual(
            documents.nested(
                {'a[b][0]': '1', 'a[b][1]': '2', 'c[]': ['3', '4'], 'd[': '5', 'e': '6'}
            ),
            {'a': {'b': ['1', '2']}, 'c': ['3', '4'], 'd[': '5', 'e': '6'},
        )

    def test_what_cannot_be_read_says_why(self):
        """Each a failed event of its own, that names the path and the value."""
        for body, reason in [
            (b'<html>', 'should be json'),
            (b'', 'empty'),
            (b'{"e": "pickup"}', r'\$\.e=pickup'),
            ({**ENDED, 'id': ''}, r'\$\.id'),
            ({**ENDED, 'at': 'yesterday'}, r'\$\.at.*yesterday'),
            ({**ENDED, 'talk': '-5'}, r'\$\.talk.*-5'),
            ({**ENDED, 'way': 'sideways'}, r'\$\.way.*sideways'),
            ({**ENDED, 'id': ['x']}, r'\$\.id'),
            (b'{"e": "o", "id": "\\ud800\\u0000"', 'JSON'),
            (b'[' * 100_000, 'too much work'),
            (b'[' * 10_000, 'JSON'),
        ]:
            with self.subTest(reason):
                [error] = read(SMALL, body)
                self.assertIsInstance(error, ProviderError)
                self.assertRegex(str(error), reason)

    def test_an_unknown_word_does_not_hide_the_call(self):
        [reading] = read(SMALL, {**ENDED, 'word': 'vanished'})
        self.assertEqual(reading.events[0].outcome, '')
        self.assertEqual(reading.unknown_words, (('$.word', 'vanished'),))

    def test_a_time_that_is_not_told_is_that_of_the_arrival(self):
        [reading] = read(SMALL, {**ENDED, 'at': ''})
        self.assertEqual(reading.events[0].at.year, 9999)  # UNKNOWN_ARRIVAL
        [reading] = read(with_event(received=False), ENDED)
        self.assertIsNone(reading.events[0].at)

    def test_lists(self):
        template = changed(request={'split': '$.items[*]'}, call='^.session', all={})
        items = [{'e': 'r'}, {'e': 'bad'}, 'text', {'e': 'r', 'n': 2}]
        readings = read(template, {'session': 's', 'items': items})
        self.assertEqual(
            [isinstance(reading, Reading) for reading in readings], [True, False, False, True]
        )
        self.assertNotEqual(readings[0].key, readings[3].key)
        with self.assertRaises(Refused) as refused:
            read(template, {'session': 's', 'items': [{'e': 'r'}] * 501})
        self.assertEqual(refused.exception.status, 413)
        [error] = read(template, {'session': 's' * 100_000, 'items': [{'e': 'r'}] * 100})
        self.assertIn('too much work', str(error), "it would be kept with each item")

    def test_an_event_for_each_leg(self):
        template = with_event(each='$.legs[*]', extension='%.phone', kind='leg_ended')
        [reading] = read(template, {**ENDED, 'legs': [{'phone': 1}, {'phone': 2}]})
        self.assertEqual([event.extension for event in reading.events], ['1', '2'])
        [error] = read(template, {**ENDED, 'legs': [{}] * 10_000})
        self.assertIn('too much work', str(error))

    def test_repeats(self):
        template = changed(key={'leave_out': ['$.attempt', '~.query.try']})
        keys = {
            read(template, {**ENDED, 'attempt': n}, query={'try': (str(n),)})[0].key
            for n in range(3)
        }
        self.assertEqual(len(keys), 1)
        other = read(template, {**ENDED, 'id': 'c2'})[0].key
        self.assertNotIn(other, keys)

    def test_who_ended_the_wait(self):
        """Nobody says whether the caller left the queue or the queue gave up: missed."""
        from odoo.addons.crm_telephony.providers.custom import samples

        deliveries = [
            {'json': {'id': 'c', 'e': 'r', 'way': 'inbound', 'q': 'Sales'}},
            {'json': {'id': 'c', 'e': 'o', 'way': 'inbound', 'q': 'Sales'}, 'received_after': 9},
        ]
        for flag, outcome in ((False, 'missed'), (True, 'abandoned')):
            template = load(
                changed(all={**SMALL['all'], 'queue': '$.q'}, waiting_ended_by_caller=flag)
            )
            sample = {'deliveries': deliveries}
            played = samples.play(template, samples.arrivals_of(sample), ACCOUNT)
            self.assertEqual(played.records[0].outcome, outcome)

    # --- what is refused ---------------------------------------------------------------------------------------------

    def test_refused_with_its_place(self):
        deep = {'path': '$.x'}
        for _level in range(500):
            deep = {'case': [{'when': [], 'then': deep}]}
        for template, place in [
            (changed(typo=1), '$'),
            (changed(telephony_template=2), 'newer version'),
            (changed(language=9), 'newer version'),
            (changed(language=True), 'language'),
            (changed(auth=None), 'auth'),
            (changed(auth={'hmac': 'md5', 'header': 'x'}), 'auth.hmac'),
            (changed(auth={'any': []}), 'auth'),
            (changed(auth={'address_only': False}), 'auth.address_only'),
            (changed(auth={'basic': True, 'senders': ['here']}), 'auth.senders[0]'),
            (changed(call='id'), 'call'),
            (changed(call={'path': '$.x', 'as': 'time'}), 'call'),
            (changed(rules=[]), 'rules'),
            (changed(rules=SMALL['rules'] * 31), 'rules'),
            (changed(all={'colour': '$.x'}), 'all'),
            (changed(version='1'), 'version'),
            (changed(id='a b'), 'id'),
            (changed(label={}), 'label'),
            (changed(request={'body': 'csv'}), 'request.body'),
            (changed(request={'keep_headers': ['Cookie']}), 'request.keep_headers'),
            (changed(reply={'body': 'x' * 1025}), 'reply.body'),
            (changed(reply={'body': '{echo}'}), 'reply'),
            (with_event(at='$.t'), 'rules[0].events[0].at'),
            (with_event(talk_seconds='$.t'), 'rules[0].events[0].talk_seconds'),
            (with_event(outcome={'const': 'gone'}), 'rules[0].events[0].outcome'),
            (with_event(outcome={'path': '$.x', 'map': {'a': 'gone'}}), 'outcome'),
            (with_event(kind='exploded'), 'rules[0].events[0].kind'),
            (with_event(at={'path': '$.t', 'as': 'time', 'format': '%Y' * 100}), 'format'),
            (with_event(at={'path': '$.t', 'as': 'time', 'format': '%Y %Y'}), 'format'),
            (with_event(at={'path': '$.t', 'as': 'time', 'format': '%c'}), 'format'),
            (with_event(at={'path': '$.t', 'as': 'time', 'zone': 'Asia/Nowhere'}), 'zone'),
            (with_event(at={'path': '$.t', 'as': 'time', 'zone': '../../etc/passwd'}), 'zone'),
            (with_event(caller={'path': '$.x', 'regex': '(a+)+$'}), 'regex'),
            (with_event(caller={'path': '$' + '.a' * 1000}), 'caller'),
            (with_event(caller={'path': '$.x', 'map': {str(n): 'x' for n in range(201)}}), 'map'),
            (with_event(caller=deep), 'nested'),
            (with_event(caller={'first': ['$.x'] * 21}), 'caller'),
            (changed(setup=['x' * 300_000]), 'kB'),
            (b'\xff\xfe', 'JSON'),
            ('yaml: yes', 'YAML'),
            ('[1]', 'JSON object'),
            ('{"a": 1, "a": 2}', 'twice'),
            ('{"a": NaN}', 'NaN'),
            ('[' * 50_000, 'JSON'),
        ]:  # fmt: skip
            with self.subTest(place), self.assertRaises(BadTemplate) as refused:
                load(template)
            self.assertIn(place, str(refused.exception))

    def test_too_many_expressions(self):
        events = [{'kind': 'ringing', 'caller': {'first': ['$.a'] * 20}}] * 20
        with self.assertRaisesRegex(BadTemplate, '400'):
            load(changed(rules=[{'name': 'x', 'events': events}]))

    # --- no harm -----------------------------------------------------------------------------------------------------

    def test_hostile_bodies_are_stopped(self):
        """1 MiB of whatever makes values out of little: within 50 ms and 10 MB, beside the reading of
        the body itself."""
        mib = 1024 * 1024
        lol = '<!DOCTYPE l [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><l>&b;</l>'
        bodies = {
            'json': [b'[' + b'{},' * (mib // 3 - 1) + b'{}]', b'{"a":' * (mib // 5), b'[' * mib],
            'xml': [
                b'<a/>' * (mib // 4),
                b'<a ' + b' '.join(b'b%d="1"' % n for n in range(100_000)) + b'/>',
                b'<a>' * (mib // 3),
                lol.encode(),
                b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
            ],
            'form': [b'a=1&' * (mib // 4), b'a' + b'[b]' * (mib // 3) + b'=1'],
            'jwt': [b'ey' + b'J' * (mib - 10) + b'.a.b'],
        }
        for kind, bad in bodies.items():
            template = load(changed(request={'body': kind, 'brackets': kind == 'form'}))
            for body in bad:
                with self.subTest(kind, body=body[:20]):
                    request = WebhookRequest(body=body)
                    tracemalloc.start()
                    begun = time.perf_counter()
                    [error] = evaluate(template, request, ACCOUNT)
                    spent, (_now, peak) = (
                        time.perf_counter() - begun,
                        tracemalloc.get_traced_memory(),
                    )
                    tracemalloc.stop()
                    self.assertIsInstance(error, ProviderError)
                    self.assertLess(peak, 10 * 1000**2)
                    # generous, because the machine may be busy; `make bench` measures
                    self.assertLess(spent, 1)

    @PROPERTY
    @given(st.data())
    def test_any_body_against_any_template(self, data):
        texts = [*Custom().templates()]
        template = load(texts[data.draw(st.integers(0, len(texts) - 1))])
        leaf = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20)
        names = st.sampled_from(
            ['event', 'call_id', 'data', 'id', 'type', 'msg', 'direction', 'status', 'variables']
        )
        tree = st.recursive(
            leaf,
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=5),
            max_leaves=15,
        )
        body = data.draw(
            st.binary(max_size=200)
            | tree.map(lambda value: json.dumps(value).encode())
            | st.text(max_size=200).map(lambda text: text.encode('utf-8', 'surrogatepass'))
        )
        sample = data.draw(st.sampled_from(template.samples))
        query = sample['deliveries'][0].get('query') or {}
        request = WebhookRequest(
            body=body, query={name: (str(value),) for name, value in query.items()}
        )
        for result in evaluate(template, request, ACCOUNT):
            self.assertIsInstance(result, (Reading, ProviderError))
        try:
            for payload in documents.split(template, request):
                dump(payload)
        except ProviderError:
            pass

    @PROPERTY
    @given(st.data())
    def test_any_template(self, data):
        """Parts of a real template replaced by anything: it is refused with a reason, or it is read
        and survives its way through a file."""
        texts = [*Custom().templates()]
        template = json.loads(texts[data.draw(st.integers(0, len(texts) - 1))])
        template['samples'] = []
        junk = st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(['path', 'case', 'when', 'then', 'map', 'as', 'is', 'const']),
                    inner,
                    max_size=3,
                )
            ),
            max_leaves=8,
        )
        part = template
        while True:
            names = list(part) if isinstance(part, dict) else list(range(len(part)))
            name = data.draw(st.sampled_from(names))
            deeper = part[name]
            if not isinstance(deeper, (dict, list)) or not deeper or data.draw(st.booleans()):
                break
            part = deeper
        part[name] = data.draw(junk)
        try:
            read_once = load(template)
        except BadTemplate as refusal:
            self.assertTrue(refusal.args[0])
            return
        self.assertEqual(load(json.dumps(read_once.data)).data, read_once.data)
        for result in evaluate(read_once, WebhookRequest(body=json.dumps(ENDED).encode()), ACCOUNT):
            self.assertIsInstance(result, (Reading, ProviderError))

    @PROPERTY
    @given(st.data())
    def test_any_sample(self, data):
        """A file from elsewhere may hold anything for samples: it says what is wrong with them."""
        texts = [*Custom().templates()]
        template = json.loads(texts[data.draw(st.integers(0, len(texts) - 1))])
        sample = template['samples'][0]
        junk = (
            st.none()
            | st.integers()
            | st.floats()
            | st.text(max_size=9)
            | st.just([])
            | st.just({})
        )
        template['samples'] = [sample]
        part = sample
        while True:
            names = list(part) if isinstance(part, dict) else list(range(len(part)))
            name = data.draw(st.sampled_from(names))
            deeper = part[name]
            if not isinstance(deeper, (dict, list)) or not deeper or data.draw(st.booleans()):
                break
            part = deeper
        part[name] = data.draw(junk)
        text = json.dumps(template)
        try:
            facts = Custom().template_facts(text)
        except BadTemplate as refusal:
            self.assertTrue(refusal.args[0])
            return
        self.assertIsInstance(facts.problems, tuple)
        try:
            Custom().template_to_share(text)
        except ProviderError as refusal:
            self.assertTrue(refusal.args[0])
