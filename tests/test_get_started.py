"""The first steps: each is computed from what is there, and leads to what is missing."""

from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import new_test_user

from .common import TelephonyCase


class TestGetStarted(TelephonyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = new_test_user(
            cls.env, 'tel_admin', groups='base.group_user,crm_telephony.group_admin', name="Admin"
        )

    def steps(self, user=None):
        self.env.flush_all()
        self.env.invalidate_all()
        steps = self.env['telephony.get.started'].with_user(user or self.admin).get_steps()
        return {step['code']: step for step in steps}

    def texts(self, code, state=None):
        return [
            item['text']
            for item in self.steps()[code]['items']
            if state in (None, item['state']) and "Middleware" in item['text']
        ]

    def test_the_steps_in_their_order(self):
        steps = self.steps()
        self.assertEqual(
            list(steps),
            ['stock', 'scheme', 'connect', 'map', 'hours', 'test', 'live', 'look_back'],
        )
        for step in steps.values():
            self.assertTrue(step['title'] and step['help'] and step['items'], step['code'])
            self.assertIn(step['state'], ('done', 'todo', 'later'))

    def test_a_step_says_what_is_missing_and_leads_there(self):
        [line] = self.steps()['test']['items']
        self.assertEqual(line['state'], 'todo')
        self.assertEqual(line['action']['params'], {'account_id': self.account.id})
        self.number.write({'team_id': False, 'user_id': False})
        self.assertTrue(any(self.number.name in text for text in self.texts('map', 'todo')))
        self.number.user_id = self.anna
        self.assertEqual(self.steps()['map']['state'], 'done')
        self.account.extension_ids.user_id = False
        self.assertEqual(self.steps()['map']['state'], 'todo')
        self.env.company.country_id = False
        self.assertEqual(self.steps()['stock']['state'], 'todo')

    def test_every_step_without_a_pbx(self):
        self.env['telephony.account'].search([]).active = False
        steps = self.steps()
        self.assertEqual(steps['scheme']['state'], 'todo')
        self.assertEqual(steps['scheme']['items'][0]['action']['res_id'], False)
        for code in ('connect', 'map', 'test', 'live', 'look_back'):
            self.assertEqual(steps[code]['state'], 'later', code)

    def test_two_pbxs(self):
        self.new_account(self.company, name="Second office")
        for code in ('scheme', 'connect', 'map', 'test', 'live', 'look_back'):
            texts = ' '.join(item['text'] for item in self.steps()[code]['items'])
            for name in ("Middleware", "Second office"):
                self.assertIn(name, texts, code)

    def test_live_and_the_day_after(self):
        self.assertEqual(self.steps()['live']['state'], 'later')
        self.play(self.event('ringing', extension='101'))
        self.assertEqual(self.steps()['live']['state'], 'done')
        self.assertEqual(self.steps()['look_back']['state'], 'later')
        self.call().start_at = fields.Datetime.now() - timedelta(days=2)
        self.assertEqual(self.steps()['look_back']['state'], 'done')
        self.play(
            self.event('answered', 'c2', extension='103'),
            self.event('ended', 'c2', 40, outcome='answered', talk_seconds=40, extension='103'),
        )
        [line] = self.steps()['look_back']['items']
        self.assertEqual(line['state'], 'todo')
        self.assertIn("1", line['text'])
        domain, model = line['action']['domain'], line['action']['res_model']
        self.assertEqual(self.env[model].search(domain), self.call('c2'))

    def test_test_calls_are_not_live(self):
        tests = self.env['telephony.test.call'].with_user(self.admin)
        tests.begin_test(self.account.id, self.number.id)
        self.play(self.event('ringing', extension='101'))
        self.assertEqual(self.steps()['live']['state'], 'later')

    def test_only_for_administrators(self):
        for user in (self.anna, self.supervisor):
            with self.assertRaises(AccessError):
                self.steps(user)
