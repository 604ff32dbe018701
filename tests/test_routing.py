"""What a PBX hears that asks who calls and who should get the call, through the real webhook."""
import base64
import hashlib
import hmac
import json
from unittest.mock import patch

from .common import CUSTOMER, DID, SECRET, TelephonyHttpCase


class TestRouting(TelephonyHttpCase):
    """In Zadarma's dialect: the answer to NOTIFY_START steers the call."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pbx = cls.new_account(cls.company, provider='zadarma')
        cls.number.account_id = cls.pbx
        cls.env['telephony.extension'].create([
            {'number': '101', 'account_id': cls.pbx.id, 'user_id': cls.anna.id},
            {'number': '102', 'account_id': cls.pbx.id, 'user_id': cls.boris.id},
        ])
        cls.lead = cls.new_lead(user_id=cls.boris.id)

    def start(self, caller=CUSTOMER, at_work=True):
        """The answer to the start of a call, as JSON, None when it is empty."""
        form = {'event': 'NOTIFY_START', 'caller_id': caller.lstrip('+'), 'called_did': DID.lstrip('+'),
                'call_start': '2026-11-02 10:15:00', 'pbx_call_id': f'in_{caller}'}
        text = form['caller_id'] + form['called_did'] + form['call_start']
        mac = hmac.new(SECRET.encode(), text.encode(), hashlib.sha1).hexdigest()
        with patch.object(type(self.env['telephony.account']), '_is_at_work', return_value=at_work):
            response = self.url_open(self.path(self.pbx, 'zadarma'), data=form, headers={
                'Signature': base64.b64encode(mac.encode()).decode()})
        self.assertEqual(response.status_code, 200)
        return json.loads(response.text) if response.text else None

    def test_the_owner_of_the_deal_is_rung_first_and_the_phone_shows_who_calls(self):
        self.assertEqual(self.start(), {'caller_name': "Customer", 'redirect': '102', 'return_timeout': 15})
        self.assertEqual(self.events(self.pbx).mapped('kind'), ['NOTIFY_START'], "the question is an event all the same")

    def test_an_owner_who_is_not_at_work_is_left_in_peace(self):
        self.assertEqual(self.start(at_work=False), {'caller_name': "Customer"})

    def test_the_admin_can_switch_it_off(self):
        self.pbx.route_to_owner = False
        self.assertEqual(self.start(), {'caller_name': "Customer"})

    def test_strangers_change_nothing(self):
        for caller in ('+77012223344', 'anonymous', DID):
            self.assertIsNone(self.start(caller))

    def test_what_takes_too_long_or_breaks_is_not_answered_but_kept(self):
        matcher = type(self.env['telephony.matcher'])
        with patch('odoo.addons.crm_telephony.models.telephony_account.ANSWER_MILLISECONDS', 50), \
                patch.object(matcher, '_match', lambda self, *args: self.env.cr.execute("SELECT pg_sleep(5)")), \
                self.assertLogs('odoo.addons.crm_telephony.models.telephony_account', 'WARNING'):
            self.assertIsNone(self.start())
        with patch.object(matcher, '_match', side_effect=ZeroDivisionError), \
                self.assertLogs('odoo.addons.crm_telephony.models.telephony_account', 'ERROR'):
            self.assertIsNone(self.start('+77012223344'))
        self.assertEqual(len(self.events(self.pbx)), 2)

    def test_working_hours_of_the_owner(self):
        for at_work, hours in ((True, [(day, 0, 24) for day in range(7)]), (False, [])):
            self.calendar.attendance_ids.unlink()
            self.calendar.attendance_ids = [(0, 0, {
                'name': str(day), 'dayofweek': str(day), 'hour_from': first, 'hour_to': last, 'day_period': 'morning',
            }) for day, first, last in hours]
            self.boris.resource_calendar_id = self.calendar
            self.assertEqual(self.pbx._is_at_work(self.boris), at_work)


class TestDialplanLookup(TelephonyHttpCase):
    """In Asterisk's dialect: the dialplan asks with CURL() before it dials."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pbx = cls.new_account(cls.company, provider='asterisk', api_key='crm')
        cls.number.account_id = cls.pbx
        cls.env['telephony.extension'].create({'number': '102', 'account_id': cls.pbx.id, 'user_id': cls.boris.id})
        cls.partner.name = 'Zoë "${SHELL(rm)}" & Co | x'
        cls.lead = cls.new_lead(user_id=cls.boris.id)
        cls.startClassPatcher(patch.object(type(cls.env['telephony.account']), '_is_at_work', return_value=True))

    def look_up(self, number, login=('crm', SECRET)):
        headers = {'Authorization': 'Basic ' + base64.b64encode(':'.join(login).encode()).decode()} if login else {}
        return self.url_open(f"{self.path(self.pbx, 'asterisk', '/route')}?number={number}&did={DID[1:]}", headers=headers)

    def test_the_owner_and_a_name_that_a_dialplan_can_take(self):
        response = self.look_up('87771234567')
        self.assertEqual(response.text, '102|Zoë SHELL(rm) & Co x')
        self.assertEqual(self.look_up('+77012223344').text, '|')
        self.assertEqual(self.look_up('anonymous').text, '|')
        self.assertFalse(self.events(self.pbx), "a question is no event")

    def test_nobody_asks_without_the_login(self):
        for login in (None, ('crm', 'wrong'), ('', SECRET), ('crm', '')):
            with self.subTest(login=login):
                self.assertEqual(self.look_up('87771234567', login).status_code, 403)
