"""Another PBX through the real webhook, and what people do with templates."""

import base64
import json

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form, new_test_user

from .common import CUSTOMER, SECRET, TelephonyCase, TelephonyHttpCase

ADMIN = 'base.group_user,crm_telephony.group_admin'
# One call, as the template *Your own body, unsigned* reads it.
RINGS = {
    'event': 'ringing',
    'call_id': 'a1',
    'at': '2026-03-02T06:00:00Z',
    'direction': 'inbound',
    'caller': CUSTOMER,
    'called': '77272507612',
}
ENDED = {**RINGS, 'event': 'ended', 'at': '2026-03-02T06:00:25Z', 'outcome': 'missed'}


class TemplateData:
    @classmethod
    def shipped(cls, key):
        return cls.env['telephony.template'].search([('key', '=', key), ('is_shipped', '=', True)])

    @classmethod
    def connect(cls, key, **values):
        return cls.new_account(
            cls.company,
            provider='custom',
            name="Other",
            template_id=cls.shipped(key).id if key else False,
            **values,
        )

    def text(self, key='plain-json', **values):
        """The file of a shipped template, changed."""
        return json.dumps({**json.loads(self.shipped(key).content), **values})


class TestAnotherPbx(TemplateData, TelephonyHttpCase):
    def deliver(self, account, body=None, **options):
        path = self.path(account, 'custom')
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        return self.url_open(path, data=raw, **options)

    def file_calls(self, account):
        self.env.flush_all()
        with self.enter_registry_test_mode():
            self._file_now(self.env.cr.dbname, account.id)
        self.env.invalidate_all()

    def test_a_call(self):
        account = self.connect('plain-json')
        for event in (ENDED, RINGS, ENDED):
            answer = self.deliver(account, event)
            self.assertEqual((answer.status_code, answer.text), (200, ''))
        self.assertEqual(len(self.events(account)), 2)
        self.file_calls(account)
        call = self.call('a1', account)
        self.assertEqual((call.outcome, call.wait_seconds), ('missed', 25))
        self.assertEqual(call.partner_id, self.partner)
        self.assertEqual(account.state, 'connected')
        self.assertIn('"template": "plain-json 1.0.0"', self.events(account)[0].payload)

    def test_a_form_in_the_address_and_the_exact_answer(self):
        account = self.connect('sipuni')
        answer = self.url_open(
            self.path(account, 'custom')
            + '?event=2&call_id=s1&src_type=1&src_num=77771234567&dst_type=2&short_dst_num=101&pbxdstnum=77272507612'
            '&status=NOANSWER&call_start_timestamp=1772431200&call_answer_timestamp=0&timestamp=1772431225'
        )
        self.assertEqual((answer.status_code, answer.text), (200, '{"success": true}'))
        self.file_calls(account)
        self.assertEqual(self.call('s1', account).outcome, 'missed')
        answer = self.deliver(account, b'event=unknown')
        self.assertEqual((answer.status_code, answer.text), (200, '{"success": true}'))

    def test_a_login_is_asked_for(self):
        account = self.connect('mts-vats', api_key='odoo')
        body = {'CallID': 1, 'EventType': 'Unheard'}
        self.assertEqual(self.deliver(account, body).status_code, 403)
        for password, status in (('x', 403), (SECRET, 200)):
            login = base64.b64encode(f'odoo:{password}'.encode()).decode()
            answer = self.deliver(account, body, headers={'Authorization': f'Basic {login}'})
            self.assertEqual(answer.status_code, status)
        self.assertEqual(self.events(account).state, 'failed')

    def test_the_secret_in_the_body_is_not_kept(self):
        account = self.connect('megafon-vats')
        body = f'cmd=event&type=INCOMING&callid=m1&phone=77771234567&crm_token={SECRET}'.encode()
        wrong = body.replace(SECRET.encode(), b'wrong')
        form = {'Content-Type': 'application/x-www-form-urlencoded'}
        self.assertEqual(self.deliver(account, wrong, headers=form).status_code, 403)
        self.assertEqual(self.deliver(account, body, headers=form).status_code, 200)
        self.assertEqual(self.events(account).state, 'pending')
        self.assertNotIn(SECRET, self.events(account).payload)

    def test_who_calls(self):
        account = self.connect('megafon-vats')
        form = {'Content-Type': 'application/x-www-form-urlencoded'}

        def asked(number):
            body = f'cmd=contact&phone={number}&diversion=77272507612&crm_token={SECRET}'.encode()
            return self.deliver(account, body, headers=form).json()

        self.assertEqual(asked(CUSTOMER.lstrip('+'))['contact_name'], "Customer")
        self.assertEqual(asked('77015550000'), {})

    def test_no_template_yet(self):
        """Nothing that was answered 200 is lost: it is read once there is a template."""
        account = self.connect(None)
        self.assertIn("No template", account.template_warning)
        self.assertEqual(self.deliver(account, ENDED).status_code, 200)
        event = self.events(account)
        self.assertEqual(event.state, 'failed')
        self.assertIn("no template yet", event.error)
        account.template_id = self.shipped('plain-json')
        event._reread()
        self.file_calls(account)
        self.assertEqual(self.call('a1', account).outcome, 'missed')

    def test_a_template_that_is_broken_in_the_database(self):
        account = self.connect('plain-json')
        template = account.template_id
        sound = template.content
        self.env.cr.execute(
            'UPDATE telephony_template SET content = %s WHERE id = %s',
            [json.dumps({**json.loads(sound), 'rules': []}), template.id],
        )
        self.env.invalidate_all()
        self.env.registry.clear_cache()
        self.assertEqual(self.deliver(account, ENDED).status_code, 200)
        self.env.invalidate_all()
        self.assertEqual(account.state, 'error')
        self.assertIn('rules', account.state_message)
        self.assertIn('rules', account.template_warning)
        event = self.events(account)
        self.assertEqual(event.state, 'failed')
        self.env.cr.execute(
            'UPDATE telephony_template SET content = %s WHERE id = %s', [sound, template.id]
        )
        self.env.invalidate_all()
        self.env.registry.clear_cache()
        event._reread()
        self.file_calls(account)
        self.assertEqual(self.call('a1', account).outcome, 'missed')
        self.assertEqual((account.state, account.state_message), ('connected', False))

    def test_a_new_version_in_the_middle_of_a_call(self):
        """What it cannot read any more does not hide what came after."""
        account = self.connect('plain-json')
        self.deliver(account, RINGS)
        self.file_calls(account)
        draft = account.template_id._new_draft()
        data = json.loads(draft.content)
        data['rules'] = [rule for rule in data['rules'] if rule['name'] != 'ringing']
        draft.content = json.dumps({**data, 'samples': []})
        draft.action_go_live()
        account.template_id = draft
        self.deliver(account, ENDED)
        self.file_calls(account)
        self.assertEqual(set(self.events(account).mapped('state')), {'done'})
        self.assertEqual(self.call('a1', account).outcome, 'missed')

    def test_a_number_that_is_entered_later(self):
        """What failed for want of it is read again by itself."""
        account = self.connect('mts-vats', api_key='odoo')
        login = base64.b64encode(f'odoo:{SECRET}'.encode()).decode()
        body = {
            'CallID': 7,
            'EventType': 'EndCall',
            'EventTime': '2026-03-02T06:00:25Z',
            'From': {'ANI': CUSTOMER},
            'To': {'DNIS': '+77272999999'},
        }
        self.deliver(account, body, headers={'Authorization': f'Basic {login}'})
        event = self.events(account)
        self.assertIn('one of our phones or numbers', event.error)
        early = event.copy({'payload': '{"unread": {"body": "x"}}', 'dedupe_key': 'early'})
        self.env['telephony.number'].create({'name': '+77272999999', 'account_id': account.id})
        self.assertTrue(event.next_try_at)
        self.assertFalse(early.next_try_at, "no template had checked that")
        with self.enter_registry_test_mode():
            self.env.ref('crm_telephony.ir_cron_process_events').method_direct_trigger()
        self.env.invalidate_all()
        self.assertEqual(self.call('7', account).outcome, 'missed')

    def test_bad_bodies_are_kept(self):
        account = self.connect('plain-json')
        for body, reason in [
            (b'<html>', 'should be'),
            (b'{"event": "pickup"}', r'\$\.event=pickup'),
            (b'{"event": "ended"}', r'\$\.call_id'),
            (b'\xff\xfe\x00', 'No rule fits'),
            (b'[' * 60_000, 'too much work'),
            (b'"\\ud800\\u0000"', 'No rule fits'),
        ]:
            with self.subTest(body=body[:20]):
                before = self.events(account)
                self.assertEqual(self.deliver(account, body).status_code, 200)
                event = self.events(account) - before
                self.assertEqual(event.state, 'failed')
                self.assertRegex(event.error, reason)
        self.assertEqual(self.deliver(account, b' ' * (1024 * 1024 + 1)).status_code, 413)

    def test_the_address_of_another(self):
        account = self.connect('plain-json')
        for path in (
            self.path(account),
            self.path(self.account, 'custom'),
            '/telephony/webhook/custom/unknown',
        ):
            self.assertEqual(self.url_open(path, data=b'{}').status_code, 404)

    def test_a_sender_that_is_not_on_the_list(self):
        account = self.connect('plain-json', senders='192.0.2.7, 198.51.100.0/24')
        self.assertEqual(self.deliver(account, ENDED).status_code, 403)
        account.senders = '127.0.0.0/8'
        self.assertEqual(self.deliver(account, ENDED).status_code, 200)


class TestTemplateRecords(TemplateData, TelephonyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = new_test_user(cls.env, 'tpl_admin', groups=ADMIN)
        cls.templates = cls.env['telephony.template'].with_user(cls.admin)

    def test_shipped_ones_are_there_once(self):
        before = self.templates.search([])
        self.assertGreaterEqual(len(before.filtered('is_shipped')), 16)
        self.assertEqual(set(before.filtered('is_shipped').mapped('state')), {'live'})
        self.env['telephony.template']._load_shipped()
        self.assertEqual(self.templates.search([]), before)

    def test_the_form_follows_the_template(self):
        account = self.connect(None)
        self.assertFalse(account.api_secret_label)
        with Form(account) as form:
            form.template_id = self.shipped('mts-vats')
            self.assertTrue(form.api_key_label)
            self.assertFalse(form.template_warning)
            form.template_id = self.shipped('sipuni')
            self.assertFalse(form.api_secret_label)
            self.assertIn("address alone", form.template_warning)
        self.assertIn('Sipuni', account.template_id.name)
        self.assertIn("events", account.setup_steps.lower())

    def test_senders_are_addresses(self):
        with self.assertRaisesRegex(ValidationError, 'somewhere'):
            self.connect('sipuni', senders='192.0.2.7, somewhere')

    def test_a_live_one_does_not_change(self):
        template = self.shipped('plain-json').with_user(self.admin)
        with self.assertRaisesRegex(UserError, "new draft"):
            template.content = self.text(version='1.0.1')
        draft = template._new_draft()
        self.assertEqual((draft.state, draft.version), ('draft', '1.0.1'))
        self.assertEqual(template._new_draft().version, '1.0.2')
        draft.content = self.text(version='1.1.0', setup=['Another step'])
        self.assertEqual(draft.version, '1.1.0')
        draft.action_go_live()
        self.assertEqual(template.newer_id, draft)
        with self.assertRaises(UserError):
            draft.content = self.text(version='1.1.1')

    def test_a_newer_version_is_taken_by_a_click(self):
        account = self.connect('plain-json')
        draft = account.template_id._new_draft()
        draft.action_go_live()
        self.assertEqual(account.template_id.version, '1.0.0')
        account.template_id.action_take_newer()
        self.assertEqual(account.template_id, draft)
        self.assertEqual(json.loads(account._settings().template)['version'], '1.0.1')

    def test_a_draft_reads_nothing(self):
        account = self.connect(None)
        account.template_id = self.shipped('plain-json')._new_draft()
        self.assertEqual(account._settings().template, '')
        self.assertIn("No template", account.template_warning)

    def test_going_live_needs_right_samples(self):
        data = json.loads(self.text(version='2.0.0'))
        data['samples'][0]['expected']['outcome'] = 'busy'
        draft = self.templates.create({'content': json.dumps(data)})
        self.assertIn('outcome', draft.problems)
        with self.assertRaisesRegex(UserError, 'outcome'):
            draft.action_go_live()
        with self.assertRaisesRegex(UserError, 'outcome'):
            draft.state = 'live'

    def test_what_is_refused(self):
        for content, reason in [
            ('yaml: yes', 'YAML'),
            (self.text(typo=1), 'typo'),
            (self.text(), 'already'),
            (self.text(version='3.0.0', vendor_url=SECRET), 'secret'),
            (self.text(version='3.0.0', setup=[self.account.webhook_token]), 'secret'),
        ]:
            with (
                self.subTest(reason),
                self.assertRaisesRegex(Exception, reason),
                self.env.cr.savepoint(),
            ):
                self.templates.create({'content': content})

    def test_one_in_use_stays(self):
        account = self.connect('sipuni')
        with self.assertRaisesRegex(UserError, account.name):
            account.template_id.unlink()

    def test_import(self):
        def wizard(text):
            raw = text if isinstance(text, bytes) else text.encode()
            return (
                self.env['telephony.template.import']
                .with_user(self.admin)
                .create({'file': base64.b64encode(raw)})
            )

        good = wizard('\ufeff' + self.text(id='mine', label='Mine'))
        self.assertFalse(good.problem)
        self.assertIn('address alone', good.summary)
        template = self.templates.browse(good.action_import()['res_id'])
        self.assertEqual((template.key, template.state), ('mine', 'draft'))
        self.assertEqual(wizard(template.content).action_import()['res_id'], template.id)
        few = wizard(self.text(id='few', samples=[]))
        self.assertIn('answered', few.lacks)
        self.assertFalse(few.problem)
        data = json.loads(self.text(id='wrong'))
        data['samples'][0]['expected']['talk_seconds'] = 1
        for text, reason in [
            (json.dumps(data), 'talk_seconds'),
            (self.text(language=2), 'newer version'),
            (self.text(colour='red'), 'colour'),
            (self.text(label='Other'), 'another content'),
            ('{"a": 1, "a": 2}', 'twice'),
            ('- yaml', 'YAML'),
            (b'\xff' * 9, 'JSON'),
            (self.text(setup=['x' * 2000] * 99, rules=[{'name': 'y' * 300_000}]), 'kB'),
        ]:
            with self.subTest(reason):
                refused = wizard(text)
                self.assertIn(reason, refused.problem)
                with self.assertRaises(UserError):
                    refused.action_import()

    def test_who_may(self):
        for user in (self.anna, self.supervisor):
            with self.assertRaises(AccessError):
                self.env['telephony.template'].with_user(user).search([])
            with self.assertRaises(AccessError):
                self.connect('sipuni').with_user(user).read(['template_id'])
        other = self.env['res.company'].create({'name': "Other"})
        stranger = new_test_user(
            self.env,
            'tpl_other',
            groups=ADMIN,
            company_id=other.id,
            company_ids=[(6, 0, other.ids)],
        )
        own = self.shipped('plain-json').with_user(self.admin)._new_draft()
        seen = self.env['telephony.template'].with_user(stranger).search([])
        self.assertNotIn(own, seen)
        self.assertIn(self.shipped('plain-json'), seen)

    def test_export(self):
        template = self.templates.create({'content': self.text(id='mine', label='Mine')})
        action = template.action_export()
        self.assertIn('mine-1.0.0.telephony.json', action['url'])
        data = json.loads(base64.b64decode(template.file))
        self.assertEqual(data['rules'], json.loads(template.content)['rules'])
        for text in ('77011112233', '+77272507612'):
            self.assertNotIn(text, json.dumps(data['samples']))
