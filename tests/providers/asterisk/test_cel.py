"""What Asterisk logs of its channels (CEL) is the same call as what AMI tells of them: of a call that
nobody heard, of one that was heard in part, and of one that was heard as a whole.

The rows are those that the same Asterisk wrote in the scenarios of payloads/, as the bridge sends them.
"""

import json
import random
from datetime import timedelta
from pathlib import Path

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_telephony.providers import registry
from odoo.addons.crm_telephony.providers.base import ProviderError, Stored, WebhookRequest, in_calls
from odoo.addons.crm_telephony.providers.reading import read_call

from .test_adapter import ACCOUNT, RECEIVED, STREAMS

ROWS = json.loads((Path(__file__).parent / 'logs' / 'cel.json').read_text('utf-8'))
# As bridge/README.md tells to set them.
COLUMNS = (
    *('Timestamp', 'EventName', 'CallerIDNum', 'Exten', 'Context', 'Channel', 'Application'),
    *('AppData', 'Uniqueid', 'Linkedid', 'Peer', 'Extra'),
)
SECOND = timedelta(seconds=1)
ADAPTER = registry['asterisk']


def logged(name):
    """The events of a scenario that the bridge makes of the log."""
    return [
        {
            'Event': 'CEL',
            'Bridge': 'log',
            **{column: value for column, value in zip(COLUMNS, row, strict=True) if value},
        }
        for row in ROWS[name]
    ]


def heard(name):
    """The events of a scenario that AMI sent, as they are stored."""
    body = json.dumps({'events': STREAMS[name]['events']}).encode()
    return sorted(ADAPTER.split(WebhookRequest(body=body)), key=at)


def at(event):
    return float(event.get('Timestamp') or event['ReceivedAt'])


def calls(payloads):
    """Reference → CallRecord, or why there is none."""
    identified = [
        (identity, Stored(payload, RECEIVED))
        for payload in payloads
        if (identity := ADAPTER.identify(payload, ACCOUNT)).call_ref
    ]
    read = {ref: read_call(ADAPTER, own, ACCOUNT) for ref, own in in_calls(identified).items()}
    return {ref: record or why for ref, (record, why) in read.items()}


@tagged('post_install', '-at_install', 'crm_telephony')
class TestCel(BaseCase):
    def assert_same(self, told, wanted, message):
        """The same calls, times to a second; what is recorded is no business of CEL here."""
        self.assertEqual(told.keys(), wanted.keys(), message)
        for ref, record in wanted.items():
            other = told[ref]
            if isinstance(record, str) or isinstance(other, str):
                self.assertEqual(str(other), str(record), message)
                continue
            for name in ('direction', 'caller', 'called', 'extension', 'queue', 'outcome', 'state'):
                self.assertEqual(getattr(other, name), getattr(record, name), (message, name))
            for name in ('start_at', 'answered_at', 'ended_at'):
                self.assertAlmostEqual(
                    getattr(other, name) or RECEIVED,
                    getattr(record, name) or RECEIVED,
                    delta=SECOND,
                    msg=(message, name),
                )
            for name in ('wait_seconds', 'talk_seconds', 'menu_seconds'):
                self.assertAlmostEqual(
                    getattr(other, name), getattr(record, name), delta=1, msg=(message, name)
                )
            self.assertEqual(
                {leg.extension: leg.outcome for leg in other.legs},
                {leg.extension: leg.outcome for leg in record.legs},
                message,
            )

    def test_a_call_that_nobody_heard(self):
        for name in ROWS:
            with self.subTest(name):
                self.assert_same(calls(logged(name)), calls(heard(name)), name)

    def test_in_any_order_and_twice(self):
        chance = random.Random(1)
        for name in ROWS:
            with self.subTest(name):
                rows = logged(name) * 2
                chance.shuffle(rows)
                self.assert_same(calls(rows), calls(heard(name)), name)

    def test_a_call_that_was_heard_as_a_whole_stays_as_it_is(self):
        for name in ROWS:
            with self.subTest(name):
                self.assertEqual(calls([*heard(name), *logged(name)]), calls(heard(name)))

    def test_a_call_that_was_heard_in_part(self):
        """Whatever part of it was missed, with what the bridge says of the gap."""
        chance = random.Random(2)
        for name in ROWS:
            events = heard(name)
            wanted = calls(events)
            for _time in range(12 if len(events) > 1 else 0):
                first, last = sorted(chance.sample(range(len(events) + 1), 2))
                with self.subTest(name, first=first, last=last):
                    told = calls([*with_a_gap(events, first, last), *logged(name)])
                    self.assert_same(told, wanted, name)

    def test_without_the_log_such_a_gap_is_told_wrong(self):
        """Or the test above would prove nothing."""
        events = heard('in-direct-answered')
        [wanted] = calls(events).values()
        [told] = calls(with_a_gap(events, 3, len(events))).values()
        self.assertNotEqual(told.outcome, wanted.outcome)

    def test_a_table_has_whole_seconds(self):
        rows = [
            {**row, 'Timestamp': row['Timestamp'].partition('.')[0], 'Id': str(number)}
            for number, row in enumerate(logged('in-queue-answered'))
        ]
        self.assert_same(calls(rows), calls(heard('in-queue-answered')), 'whole seconds')

    def test_a_log_without_the_steps_of_the_dialplan(self):
        """As some dialplans leave them out, unless somebody sets `apps`."""
        for name in ('in-direct-answered', 'in-missed-timeout', 'transfer-blind'):
            with self.subTest(name):
                rows = [
                    row
                    for row in logged(name)
                    if not row['EventName'].startswith('APP_') or row['Application'] != 'Dial'
                ]
                self.assert_same(calls(rows), calls(heard(name)), name)

    def test_rows_that_are_none(self):
        row = logged('in-busy')[0]
        self.assertTrue(ADAPTER.identify({**row, 'Bridge': ''}, ACCOUNT).ignored, "of AMI itself")
        for bad in ({'Extra': ['x']}, {'Timestamp': 'noon'}, {'Uniqueid': ''}, {'EventName': ''}):
            with self.subTest(bad), self.assertRaises(ProviderError):
                ADAPTER.identify({**row, **bad}, ACCOUNT)
        self.assertTrue(ADAPTER.identify({**row, 'Extra': '{broken'}, ACCOUNT).call_ref)


def with_a_gap(events, first, last):
    """These events without those of a gap, and what the bridge finds out after it."""
    since = at(events[first]) if first < len(events) else at(events[-1]) + 1
    until = at(events[last]) if last < len(events) else at(events[-1]) + 1
    kept = [event for event in events if at(event) < since or at(event) >= until]
    begun = {
        event['Uniqueid']: event
        for event in events
        if event['Event'] == 'Newchannel' and at(event) < until
    }
    over = {
        event['Uniqueid'] for event in events if event['Event'] == 'Hangup' and at(event) < until
    }
    for uid, event in begun.items():
        channel = {
            'Channel': event['Channel'],
            'Uniqueid': uid,
            'Linkedid': event['Linkedid'],
            'ReceivedAt': until,
        }
        if uid not in over:
            kept.append({**channel, 'Event': 'CoreShowChannel', 'Bridge': 'live'})
        elif at(event) < since and any(
            other['Event'] == 'Hangup' and other['Uniqueid'] == uid and since <= at(other) < until
            for other in events
        ):
            kept.append({**channel, 'Event': 'Hangup', 'Bridge': 'missed'})
    return kept
