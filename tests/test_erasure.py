"""Who asks for it is erased: nothing of their number is left, nothing comes back, and the report is
true."""

import base64
import hashlib
import itertools
import json
import os
import re
from datetime import timedelta
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import BaseCase, Form, new_test_user, tagged
from odoo.tools import SQL, mute_logger

from ..models.privacy.erased import ERASED
from ..providers.numbers import masked
from ..tools.fingerprint import fingerprint
from ..tools.spellings import Spellings
from .common import CUSTOMER, DID, TelephonyCase

OTHER = '+77017654321'
SOUND = b'RIFF\x24\x00\x00\x00WAVEfmt ' + bytes(range(256)) * 8
# Tables that a number may stand in after all: whose they are is said in docs/privacy.md.
NOT_OURS = ('mail_followers',)


@tagged('post_install', '-at_install', 'crm_telephony')
class TestSpellings(BaseCase):
    def test_a_number_is_found_however_it_is_written(self):
        spellings = Spellings([CUSTOMER])
        for text in (
            '+77771234567',
            '87771234567',
            '777 123 45 67',
            'call +7 (777) 123-45-67 back',
            '8 777 123\u00a045\u00a067',
            '9,87771234567',
            '{"caller": "77771234567"}',
            'rec-20261130-87771234567-101.wav',
            '+7.777.123.45.67',
        ):
            with self.subTest(text):
                self.assertTrue(spellings.is_in(text))
                self.assertTrue(re.search(spellings.roughly(), text))
                self.assertNotRegex(re.sub(r'\D', '', spellings.blank(text)), '7771234567')
        for text in ('777123456', '77712345678', '7771234568', '777', '', '2026-11-30 10:00:00'):
            with self.subTest(text):
                self.assertFalse(spellings.is_in(text))
                self.assertEqual(spellings.blank(text), text)
        self.assertEqual(
            spellings.blank_in({'a': [77771234567, 1, True, None, 'x +7 777 123 45 67']}),
            {'a': [ERASED, 1, True, None, f'x {ERASED}']},
        )

    def test_what_is_shown_cannot_be_called(self):
        self.assertEqual(masked(CUSTOMER), '+7 777 *** ** 67')
        self.assertEqual(masked('+4721234567'), '+47 212 *** 67')


class ErasureCase(TelephonyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.officer = new_test_user(
            cls.env,
            'tel_privacy',
            groups='base.group_user,crm_telephony.group_privacy',
            name="Perizat",
        )
        cls.second = new_test_user(
            cls.env,
            'tel_second',
            groups='base.group_user,crm_telephony.group_privacy',
            name="Sanzhar",
        )
        cls.env['ir.config_parameter'].set_param('ir_attachment.location', 'file')
        # nothing but telephony knows the customer: what a contact keeps is another test's
        cls.partner.phone = False

    def told(self, number=CUSTOMER, name='c1', begin=0):
        """What a PBX tells of a talk with a recording."""
        return [
            self.event('ringing', name, begin, caller=number, extension='101'),
            self.event('answered', name, begin + 5, caller=number, extension='101'),
            self.event(
                'ended',
                name,
                begin + 90,
                caller=number,
                extension='101',
                outcome='answered',
                talk_seconds=85,
            ),
            self.event(
                'recording',
                name,
                begin + 91,
                caller=number,
                recording_url=f'https://example.com/{name}-{number}.mp3',
            ),
        ]

    def draft(self, number=CUSTOMER, user=None, **values):
        values = {'reason': "Asked by e-mail on 12 March", **values}
        if number:
            values['number'] = number
        return self.env['telephony.erasure'].with_user(user or self.officer).create(values)

    def erase(self, number=CUSTOMER, **values):
        erasure = self.draft(number, **values)
        erasure.action_erase()
        return self.run_erasures(erasure)

    def run_erasures(self, erasure):
        self.env.flush_all()
        with self.enter_registry_test_mode():
            self.env.ref('crm_telephony.ir_cron_erase').method_direct_trigger()
        self.env.invalidate_all()
        self.assertFalse(erasure.error)
        return erasure

    def line(self, erasure, model):
        return erasure.line_ids.filtered(lambda line: line.model == model)

    def report(self, erasure):
        return json.loads(erasure.sudo().report_id.raw)

    def found(self, number=CUSTOMER):
        """Tables and columns in which the number stands in any spelling, read without our code."""
        self.env.flush_all()
        digits = re.sub(r'\D', '', number)[-10:]
        columns = self.env.execute_query(
            SQL(
                """ SELECT table_name, column_name FROM information_schema.columns
                     WHERE table_schema = 'public'
                       AND data_type IN ('text', 'character varying', 'json', 'jsonb')
                       AND (table_name LIKE 'telephony%%' OR table_name LIKE 'mail_%%'
                            OR table_name IN ('sms_sms', 'bus_bus'))
                       AND table_name NOT IN %s """,
                NOT_OURS,
            )
        )
        return [
            f'{table}.{column}'
            for table, column in columns
            if self.env.execute_query(
                SQL(
                    "SELECT 1 FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace "
                    "WHERE relname = %s AND relkind = 'r' AND nspname = 'public'",
                    table,
                )
            )
            and self.env.execute_query(
                SQL(
                    r"SELECT 1 FROM %s WHERE regexp_replace(%s::text, '[\s()./-]', '', 'g') LIKE %s LIMIT 1",
                    SQL.identifier(table),
                    SQL.identifier(column),
                    f'%{digits}%',
                )
            )
        ]


class TestErasure(ErasureCase):
    def setUp(self):
        super().setUp()
        self.work_around_the_clock()
        self.lead = self.new_lead(phone=False, partner_id=False)
        self.play(*self.told(), *self.told(OTHER, 'other'))
        self.play(self.event('ended', 'lost', 200, outcome='missed'))
        self.talk, self.lost = self.call('c1'), self.call('lost')
        self.talk.with_user(self.supervisor).write({'note': f"Call {CUSTOMER} on Friday"})
        self.talk.with_user(self.anna).write({'lead_id': self.lead.id})
        self.recording = self.talk.recording_ids
        self.recording._store_sound(SOUND, 'audio/wav')

    def fill_every_place(self):
        env = self.env
        callback = self.callbacks()
        callback.with_user(self.supervisor).write({'priority': '1'})
        callback.message_post(body="The customer at 8 (777) 123-45-67 waits")
        env['telephony.contact.number'].create({'partner_id': self.partner.id, 'number': CUSTOMER})
        env['telephony.decision'].search([('number', '=', CUSTOMER)]).unlink()
        env['telephony.decision'].create({'number': CUSTOMER, 'partner_id': self.partner.id})
        env['telephony.dial'].create(
            {
                'account_id': self.account.id,
                'number': CUSTOMER,
                'user_id': self.anna.id,
                'extension': '101',
                'complaint': f"{CUSTOMER} is busy",
            }
        )
        env['telephony.rebind'].create({'number': CUSTOMER})
        env['telephony.manual.call'].create({'number': CUSTOMER, 'outcome': 'answered'})
        self.call('other').with_user(self.supervisor).write(
            {'note': "His brother: 8 777 123-45-67"}
        )
        effect = env['telephony.effect'].create(
            {'call_id': self.lost.id, 'kind': 'sms', 'state': 'done', 'note': "Dear customer"}
        )
        effect.action_id.sms_template_id = env['sms.template'].search([], limit=1)
        effect._queue_sms({effect: f"We missed {CUSTOMER}"}, {effect: self.lead})
        env['bus.bus']._sendone(self.anna.partner_id, 'crm_telephony.call', {'number': CUSTOMER})
        self.partner.telephony_check_number = CUSTOMER
        env.flush_all()
        env.cr.precommit.run()

    # === NOTHING IS LEFT === #

    def test_nothing_is_left(self):
        self.fill_every_place()
        before = self.call('other').read(
            ['customer_number', 'talk_seconds', 'partner_id', 'outcome']
        )
        measured = self.talk.read(['outcome', 'talk_seconds', 'user_id', 'number_id', 'start_at'])
        self.assertTrue(self.found())
        erasure = self.erase()
        self.assertEqual((erasure.state, erasure.error), ('done', False))
        self.assertEqual(self.found(), [])
        for call in self.talk | self.lost:
            self.assertFalse(
                call.customer_number
                or call.caller_number
                or call.note
                or call.partner_id
                or call.lead_id
                or call.external_id
            )
            self.assertTrue(call.is_sealed and call.is_erased)
        self.assertFalse(self.events().filtered(lambda event: event.call_ref in ('c1', 'lost')))
        # reports stay as they were, and so does everybody else
        self.assertEqual(
            self.talk.read(['outcome', 'talk_seconds', 'user_id', 'number_id', 'start_at']),
            measured,
        )
        self.assertEqual(
            self.call('other').read(['customer_number', 'talk_seconds', 'partner_id', 'outcome']),
            before,
        )
        self.assertEqual(self.call('other').note, f"His brother: {ERASED}")
        self.assertTrue(self.found(OTHER))

    def test_the_number_itself_is_forgotten(self):
        erasure = self.erase(partner_id=self.partner.id)
        self.assertEqual(erasure.number, False)
        self.assertFalse(erasure.partner_id)
        self.assertEqual(erasure.shown, '+7 777 *** ** 67')
        self.assertEqual(erasure.subject_hash, fingerprint(self.env, 'number', CUSTOMER))

    def test_calls_may_be_deleted_as_a_whole(self):
        self.fill_every_place()
        erasure = self.erase(mode='delete')
        self.assertEqual(erasure.state, 'done')
        self.assertFalse((self.talk | self.lost).exists() or self.recording.exists())
        self.assertFalse(self.callbacks() | self.callbacks(ERASED))
        self.assertEqual(self.found(), [])

    def test_the_sound_is_gone_from_the_disk(self):
        attachment = self.recording.attachment_id.sudo()
        path = attachment._full_path(attachment.store_fname)
        self.assertTrue(os.path.exists(path))
        erasure = self.erase()
        self.assertEqual(self.recording.state, 'deleted')
        self.assertFalse(self.recording.url or self.recording.attachment_id)
        self.assertFalse(os.path.exists(path))
        self.assertEqual(self.line(erasure, 'ir.attachment').removed, 1)

    def test_it_is_done_when_the_pbx_has_deleted_its_copy(self):
        pbx = self.plug_in()
        for mode in ('anonymise', 'delete'):
            number, name = f'+7701333{len(mode):04}', f'at the PBX {mode}'
            self.play(*self.told(number, name))
            call = self.call(name)
            with self.subTest(mode):
                erasure = self.erase(number, mode=mode)
                self.assertEqual((erasure.state, erasure.left_after), ('partial', 0))
                self.assertTrue(call.exists(), "the PBX is still to be asked by its name")
                self.assertFalse(call.customer_number)
                with self.enter_registry_test_mode():
                    self.env.ref('crm_telephony.ir_cron_delete_at_pbx').method_direct_trigger()
                self.assertIn('delete', pbx.told[-1][0])
                erasure.action_apply_again()
                self.run_erasures(erasure)
                self.assertEqual((erasure.state, erasure.number), ('done', False))
                line = self.line(erasure, 'pbx')
                self.assertEqual((line.found, line.removed, line.kept), (1, 1, 0))
                self.assertEqual(bool(call.exists()), mode == 'anonymise')
                self.assertFalse(self.report(erasure)['report']['still_at_pbx'])
                self.assertEqual(self.found(number), [])

    def test_bytes_that_another_call_shares_are_told(self):
        other = self.call('other').recording_ids
        other._store_sound(SOUND, 'audio/wav')
        line = self.line(self.erase(), 'ir.attachment')
        self.assertEqual((line.removed, line.kept), (0, 1))
        self.assertTrue(line.kept_why)
        self.assertEqual(other.attachment_id.sudo().raw, SOUND)

    def test_open_callbacks_are_closed_for_good(self):
        callback = self.callbacks()
        self.assertEqual(callback.state, 'open')
        cause = callback.cause
        self.erase()
        self.assertEqual((callback.state, callback.customer_number), ('cancelled', ERASED))
        self.assertEqual(callback.cause, cause)
        self.assertFalse(callback.activity_id or callback.partner_id or callback.lead_id)
        with self.assertRaises(UserError):
            callback.with_user(self.supervisor).action_reopen()

    def test_messages_of_people_lose_only_the_number(self):
        note = self.lead.message_post(body="I promised +7 777 123-45-67 a discount")
        self.erase()
        self.assertIn(f"I promised {ERASED} a discount", note.body)

    def test_messages_of_people_may_stay(self):
        note = self.lead.message_post(body="I promised +7 777 123-45-67 a discount")
        erasure = self.erase(in_messages=False)
        self.assertIn("123-45-67", note.body)
        line = self.line(erasure, 'mail.message')
        self.assertTrue(line.kept and line.kept_why)
        self.assertEqual((erasure.left_after, erasure.state), (0, 'done'))

    # === NOTHING COMES BACK === #

    def test_nothing_comes_back(self):
        told = self.told()
        self.assertEqual(self.erase().state, 'done')
        self.plug_in(rows=[told[2]])
        calls = self.env['telephony.call'].search_count([])
        sealed = self.talk.read()
        ways = {
            "the PBX repeats": lambda: self.play(*told),
            "a late webhook": lambda: self.play(
                self.event('recording', 'c1', 300, recording_url='https://example.com/late.mp3')
            ),
            "the PBX's own log": self.read_history,
            "another reference for the same call": lambda: self.play(
                self.event('ended', 'c1-by-another-name', -60, outcome='missed')
            ),
            "a lost end": self.close_lost,
            "replay": self.replay_everything,
        }
        for way, come_back in ways.items():
            with self.subTest(way):
                come_back()
                self.assertEqual(self.found(), [])
                self.assertEqual(self.env['telephony.call'].search_count([]), calls)
                self.assertEqual(self.talk.read(), sealed)
        # what is remembered holds for the reference too, whatever else it tells
        self.play(self.event('ended', 'c1-by-another-name', 10, caller='', outcome='missed'))
        self.assertEqual(self.env['telephony.call'].search_count([]), calls)

    def read_history(self):
        with self.enter_registry_test_mode():
            self.env.ref('crm_telephony.ir_cron_fetch_history').method_direct_trigger()
        self.env.invalidate_all()
        self.assertEqual(self.account.history_message, "PBX 0, Odoo 0, fetched 0, differing 0")

    def close_lost(self):
        with self.enter_registry_test_mode():
            self.env.ref('crm_telephony.ir_cron_close_lost').method_direct_trigger()

    def replay_everything(self):
        self.events().action_replay()
        self.file_calls()

    def test_a_delivery_that_could_not_be_read_is_no_way_back(self):
        adapter = type(self.account._adapter())
        with (
            patch.object(adapter, 'split', side_effect=ValueError),
            mute_logger('odoo.addons.crm_telephony.models.inbox.event'),
        ):
            self.play(self.event('ended', 'unread', outcome='missed'))
        self.assertTrue(self.events().filtered(lambda event: 'unread' in event.payload))
        self.erase()
        self.replay_everything()
        self.assertEqual(self.found(), [])
        self.assertFalse(self.call('unread'))

    def test_who_calls_later_is_a_customer_as_any_other(self):
        self.erase()
        self.play(self.event('ended', 'new', 250, outcome='missed'))
        self.assertEqual(self.call('new').customer_number, CUSTOMER)
        self.assertEqual(self.callbacks().state, 'open')

    def test_nobody_writes_it_back(self):
        erasure = self.erase()
        self.assertEqual(erasure.state, 'done')
        with self.assertRaises(AccessError):
            self.talk.with_user(self.supervisor).write({'note': "It was Aigerim"})
        with self.assertRaises(AccessError):
            self.talk.with_user(self.anna).write({'lead_id': self.lead.id})
        with self.assertRaises(AccessError):
            self.talk.with_user(self.anna).action_pick(self.lead.id)
        calls = self.env['telephony.call'].with_user(self.anna)
        values = {'direction': 'outbound', 'customer_number': CUSTOMER, 'outcome': 'answered'}
        with self.assertRaises(UserError):
            calls._log_by_hand(
                self.company, {**values, 'start_at': fields.Datetime.now() - timedelta(days=1)}
            )
        after = erasure.until + timedelta(seconds=1)
        self.assertTrue(
            calls._log_by_hand(
                self.company, {**values, 'start_at': after, 'ended_at': after, 'number_id': False}
            )
        )

    def test_a_contact_that_comes_later_gets_no_erased_call(self):
        self.erase()
        self.env['res.partner'].create({'name': "Again", 'phone': CUSTOMER})
        with self.enter_registry_test_mode():
            self.env.ref('crm_telephony.ir_cron_bind_late').method_direct_trigger()
        self.env.invalidate_all()
        self.assertFalse((self.talk | self.lost).partner_id)

    # === THE REPORT === #

    def test_the_report_is_true(self):
        self.fill_every_place()
        there = {
            model: self.env[model].search_count([(name, '=', CUSTOMER)])
            for model, name in (
                ('telephony.call', 'customer_number'),
                ('telephony.callback', 'customer_number'),
                ('telephony.callback.act', 'customer_number'),
                ('telephony.decision', 'number'),
                ('telephony.contact.number', 'number'),
                ('telephony.dial', 'number'),
            )
        }
        erasure = self.erase()
        for model, count in there.items():
            with self.subTest(model):
                self.assertTrue(count)
                line = self.line(erasure, model)
                self.assertEqual((line.found, line.removed, line.kept), (count, count, 0))
        whole = self.report(erasure)
        content = json.dumps(
            whole['report'], ensure_ascii=False, sort_keys=True, separators=(',', ':')
        )
        self.assertEqual(hashlib.sha256(content.encode()).hexdigest(), whole['sha256'])
        self.assertEqual(whole['sha256'], erasure.report_sha256)
        self.assertNotIn('7771234567', re.sub(r'[\s()-]', '', content))
        report = whole['report']
        self.assertEqual(report['left_after'], 0)
        self.assertEqual(
            [(listed['pbx'], listed['call']) for listed in report['still_at_pbx']],
            [("Middleware", 'c1')],
        )
        page = (
            self.env['ir.actions.report']
            ._render_qweb_html('crm_telephony.report_erasure', erasure.ids)[0]
            .decode()
        )
        self.assertIn(erasure.report_sha256, page)
        self.assertIn("Middleware", page)
        self.assertNotIn('7771234567', re.sub(r'[\s()-]', '', re.sub('<[^>]*>', '', page)))

    def test_the_preview_says_what_then_happens(self):
        self.fill_every_place()
        erasure = self.draft()
        erasure.action_preview()
        self.assertEqual(erasure.state, 'draft')
        self.assertEqual(self.talk.customer_number, CUSTOMER)
        foreseen = {line.model: line.found for line in erasure.line_ids}
        erasure.action_erase()
        self.run_erasures(erasure)
        done = {line.model: line.removed + line.kept for line in erasure.line_ids}
        for model in ('telephony.call', 'telephony.event', 'telephony.recording', 'sms.sms'):
            self.assertTrue(foreseen[model])
            self.assertEqual(foreseen[model], done[model], model)

    # === WHAT IS HELD === #

    def test_what_is_held_stays_until_it_is_released(self):
        note = self.talk.note
        hold = self.env['telephony.hold'].create(
            {'name': "Dispute 7", 'reason': "The court asked", 'call_ids': self.talk.ids}
        )
        erasure = self.erase()
        self.assertEqual((erasure.state, erasure.hold_ids), ('partial', hold))
        self.assertEqual(erasure.number, CUSTOMER)
        self.assertEqual((self.talk.customer_number, self.talk.note), (CUSTOMER, note))
        self.assertEqual(self.recording.state, 'ready')
        kept = self.events().filtered(lambda event: event.call_ref == 'c1')
        self.assertEqual(kept.call_id, self.talk)
        self.assertFalse(self.lost.customer_number)
        line = self.line(erasure, 'telephony.call')
        self.assertEqual((line.removed, line.kept), (1, 1))
        self.assertIn("hold", line.kept_why)
        self.assertEqual(erasure.left_after, 0)
        # it is still told of
        self.play(self.event('recording', 'c1', 300, recording_url='https://example.com/2.mp3'))
        self.assertEqual(len(self.talk.recording_ids), 2)
        hold.action_release()
        self.run_erasures(erasure)
        self.assertEqual((erasure.state, erasure.number), ('done', False))
        self.assertEqual(self.found(), [])
        self.play(*self.told())
        self.assertEqual(self.found(), [])

    def test_a_hold_that_names_the_number_keeps_it(self):
        hold = self.env['telephony.hold'].create(
            {'name': "Dispute 8", 'reason': "The court asked", 'customer_number': CUSTOMER}
        )
        erasure = self.erase()
        self.assertEqual((erasure.state, erasure.left_after), ('partial', 0))
        self.assertEqual(self.talk.customer_number, CUSTOMER)
        hold.action_release()
        self.run_erasures(erasure)
        self.assertEqual(erasure.state, 'done')
        self.assertEqual(self.found(), [])

    # === A BACKUP === #

    def restore(self):
        """As if a backup had brought the erased call back, and forgotten all about it."""
        self.env['telephony.erased.call'].search([]).unlink()
        call = self.env['telephony.call'].create(
            {
                'account_id': self.account.id,
                'external_id': 'restored',
                'direction': 'inbound',
                'state': 'ended',
                'outcome': 'answered',
                'caller_number': CUSTOMER,
                'customer_number': CUSTOMER,
                'start_at': fields.Datetime.now() - timedelta(days=1),
                'note': "8 777 123 45 67",
            }
        )
        self.env.flush_all()
        return call

    def test_it_is_applied_again_to_a_backup(self):
        erasure = self.erase()
        call = self.restore()
        erasure.action_apply_again()
        self.run_erasures(erasure)
        self.assertEqual((erasure.state, erasure.number), ('done', False))
        self.assertFalse(call.customer_number or call.note)
        self.assertEqual(self.found(), [])

    def test_a_report_brings_the_erasure_into_an_older_backup(self):
        erasure = self.erase()
        content = erasure.sudo().report_id.raw
        erasure.sudo().state = 'draft'
        erasure.sudo().unlink()
        self.env['telephony.erased.number'].search([]).unlink()
        call = self.restore()
        again = self.draft(False, report_upload=base64.b64encode(content))
        again.action_read_report()
        self.assertEqual(again.state, 'done')
        again.action_apply_again()
        self.run_erasures(again)
        self.assertFalse(call.customer_number)
        forged = self.draft(
            False, report_upload=base64.b64encode(content.replace(b'anonymise', b'delete'))
        )
        with self.assertRaisesRegex(UserError, "changed"):
            forged.action_read_report()

    # === WHO ASKS FOR WHAT === #

    def test_numbers_that_are_refused(self):
        for number, why in (
            ('101', "outside number"),
            (DID, "own numbers"),
            ('12 monkeys', "outside number"),
            ('+7 777 123', "complete"),
        ):
            with self.subTest(number), self.assertRaisesRegex(ValidationError, why):
                self.draft(number)
        with self.assertRaisesRegex(UserError, "Enter the person"):
            self.draft(False).action_erase()
        with self.assertRaisesRegex(UserError, "Reason"):
            self.draft(reason=False).action_erase()

    def test_a_number_of_two_contacts_asks(self):
        self.env['res.partner'].create(
            [{'name': name, 'phone': '8 777 123 45 67'} for name in ("Aigerim", "Daniyar")]
        )
        erasure = self.draft()
        self.assertTrue(erasure.is_shared)
        with self.assertRaisesRegex(UserError, "Aigerim, Daniyar"):
            erasure.action_erase()
        erasure.is_for_all = True
        erasure.action_erase()
        self.run_erasures(erasure)
        self.assertEqual(erasure.state, 'done')
        self.assertEqual(len(self.report(erasure)['report']['contacts']), 2)

    def test_a_contact_gives_all_its_numbers(self):
        self.partner.phone = '8 777 123 45 67, 8 701 765 43 21'
        self.env['telephony.contact.number'].create(
            {'partner_id': self.partner.id, 'number': '+77051112233'}
        )
        erasure = self.erase(False, partner_id=self.partner.id)
        self.assertEqual(erasure.state, 'done')
        self.assertEqual(len(erasure.subject_hash.split(',')), 3)
        self.assertFalse(self.call('other') or self.talk.customer_number)
        self.assertEqual(self.partner.phone, '8 777 123 45 67, 8 701 765 43 21')

    def test_two_persons(self):
        self.company.telephony_erase_two = True
        erasure = self.draft()
        erasure.action_erase()
        self.assertEqual(erasure.state, 'waiting')
        self.run_erasures(erasure)
        self.assertEqual(self.talk.customer_number, CUSTOMER)
        self.assertIn(self.second, erasure.sudo().activity_ids.user_id)
        self.assertNotIn(self.officer, erasure.sudo().activity_ids.user_id)
        with self.assertRaises(UserError):
            erasure.action_confirm()
        with self.assertRaises(UserError):
            erasure.number = OTHER
        erasure.with_user(self.second).action_confirm()
        self.run_erasures(erasure)
        self.assertEqual((erasure.state, erasure.confirmed_by_id), ('done', self.second))

    def test_the_form_of_those_who_only_erase(self):
        self.new_lead(phone=CUSTOMER, partner_id=False)
        with Form(self.env['telephony.erasure'].with_user(self.officer)) as form:
            form.partner_id = self.env['res.partner'].create({'name': "Dana", 'phone': CUSTOMER})
            self.assertEqual(form.number, '+7 777 123 4567')
            self.assertEqual(form.owner_names, "Dana")
            self.assertEqual(form.lead_names, "Deal")
            form.reason = "By phone"
        erasure = form.record
        erasure.action_preview()
        erasure.action_erase()
        self.run_erasures(erasure)
        arch = erasure.get_view(
            self.env.ref('crm_telephony.telephony_erasure_view_form').id, 'form'
        )
        [values] = erasure.web_read(dict.fromkeys(self.fields_of(arch['arch']), {}))
        self.assertEqual((values['state'], values['number']), ('done', False))
        shown = self.env['ir.ui.menu'].with_user(self.officer).load_menus(False)
        self.assertIn(self.env.ref('crm_telephony.telephony_erasure_menu').id, shown)
        self.assertNotIn(self.env.ref('crm_telephony.telephony_callback_menu').id, shown)

    def fields_of(self, arch):
        """The fields of a form, without those of its lists."""
        tree = etree.fromstring(arch)
        return {node.get('name') for node in tree.xpath('//field[not(ancestor::field)]')}

    def test_nobody_goes_past_the_buttons(self):
        for user in (self.anna, self.supervisor):
            with self.assertRaises(AccessError):
                self.draft(user=user)
        erasure = self.draft()
        for values in (
            {'state': 'running'},
            {'subject_hash': 'x'},
            {'confirmed_by_id': self.officer.id},
        ):
            with self.subTest(values), self.assertRaises(AccessError):
                erasure.write(values)
        with self.assertRaises(AccessError):
            self.draft(state='done')
        done = self.erase()
        with self.assertRaises(UserError):
            done.unlink()
        erasure.unlink()

    def test_another_company_keeps_its_calls(self):
        company = self.env['res.company'].create(
            {'name': "Elsewhere", 'country_id': self.env.ref('base.kz').id}
        )
        account = self.new_account(company)
        self.play(*self.told(), account=account)
        theirs = self.call('c1', account)
        theirs.note = CUSTOMER
        erasure = self.erase()
        self.assertEqual((erasure.state, erasure.left_after), ('done', 0))
        self.assertEqual((theirs.customer_number, theirs.note), (CUSTOMER, CUSTOMER))
        self.assertTrue(self.events(account))
        self.play(
            self.event('recording', 'c1', 300, recording_url='https://example.com/2.mp3'),
            account=account,
        )
        self.assertEqual(len(theirs.recording_ids), 2)


class TestAnyOrderOfErasing(ErasureCase):
    """Whatever happens in which order: once it is erased, it is gone."""

    places = itertools.count()

    @settings(
        max_examples=12,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.lists(
            st.sampled_from(['event', 'store', 'retain', 'erase', 'refold']), min_size=2, max_size=7
        )
    )
    def test_any_order(self, steps):
        place = next(self.places)
        number, name = f'+7701222{place:04}', f'call {place}'
        # all of it in the past, so that no event is of a call after the erasure
        told, erased = self.told(number, name, -300), False
        for place, step in enumerate([*steps, 'erase', 'event', 'refold']):
            recordings = self.call(name).recording_ids
            if step == 'event':
                self.play(told[place % 3], follow_up=False)
            elif step == 'store':
                for recording in recordings.filtered(lambda found: found.state == 'ready'):
                    recording._store_sound(SOUND + bytes([place]), 'audio/wav')
            elif step == 'retain':
                recordings._delete_sound("Too old")
            elif step == 'refold':
                self.play(*told, follow_up=False)
            else:
                self.assertEqual(self.erase(number).state, 'done')
                erased = True
            if erased:
                self.assertEqual(self.found(number), [], (steps, place))
                self.assertFalse(self.call(name) or self.events(), (steps, place))
                self.assertFalse(self.sounds(), (steps, place))

    def sounds(self):
        return (
            self.env['ir.attachment']
            .sudo()
            .search([('res_model', '=', 'telephony.recording'), ('res_field', '!=', False)])
        )
