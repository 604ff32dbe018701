"""What the behaviour tests share: a company in Almaty with a connected PBX, and ways to let the PBX
speak."""

import base64
import hashlib
import hmac
import json
import threading
from datetime import datetime, timedelta, timezone
from unittest.mock import patch
from zoneinfo import ZoneInfo

from odoo.tests import HttpCase, TransactionCase, new_test_user, tagged

from odoo.addons.crm_telephony.models.matching.routing import router
from odoo.addons.crm_telephony.providers.base import ProviderError, WebhookRequest
from odoo.addons.crm_telephony.providers.capabilities import Extension, Number
from odoo.addons.crm_telephony.providers.client import Client, _clients

SECRET = 'a-secret-that-nobody-guesses'
DID = '+77272507612'
CUSTOMER = '+77771234567'


def sign(body, secret=SECRET):
    """The signature of the generic scheme, written from docs/webhook.md."""
    return 'sha256=' + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class FakeClient(Client):
    """The API of the test's PBX: it can do whatever people press a button for, answers with its class
    attributes, and keeps in `told` what it was told and asked."""

    told: list[tuple] = []
    complaint, retryable = '', False
    call_id = 'o1'  # of the next call that it places
    rows: list[dict] = []  # its history

    def _note(self, *what):
        self.require_access()
        self.told.append(what)
        if self.complaint:
            raise ProviderError(self.complaint, retryable=self.retryable)

    def check(self):
        self._note('check')
        return "logged in as the test"

    def set_webhooks(self):
        self._note('set_webhooks')
        return "set"

    def history(self, start, end):
        yield from self.rows
        self._note('history', start, end)

    def recording_url(self, ref, call_ref):
        self._note('recording', ref, call_ref)
        return f'https://records.example.com/{ref}.mp3'

    def delete_recording(self, ref, call_ref):
        self._note('delete', ref, call_ref)

    def extensions(self):
        self._note('extensions')
        return [Extension('101', "Anna"), Extension('110', "boris"), Extension('111')]

    def numbers(self):
        return [Number('8 727 250 76 12'), Number('+77272507699', "Instagram")]

    def dial(self, extension, number, reference=''):
        self._note('dial', extension, number)
        return self.call_id

    def hang_up(self, call_ref, extension=''):
        self._note('hang_up', call_ref, extension)

    def transfer(self, call_ref, extension, attended):
        self._note('transfer', call_ref, extension, attended)


class TelephonyData:
    """Records that every behaviour test starts from."""

    @classmethod
    def set_up_data(cls):
        env = cls.env
        cls.company = env.company
        cls.calendar = env['resource.calendar'].create(
            {
                'name': "Almaty, Monday to Friday 9 to 18",
                'tz': 'Asia/Almaty',
                'company_id': cls.company.id,
                'attendance_ids': cls.week(),
            }
        )
        cls.company.write(
            {
                'country_id': env.ref('base.kz').id,
                'resource_calendar_id': cls.calendar.id,
                'telephony_short_seconds': 30,
                'telephony_effect_hours': 0,  # the tests' calls are of any time
            }
        )
        groups = 'base.group_user,sales_team.group_sale_salesman,crm_telephony.group_user'
        cls.anna = new_test_user(env, 'tel_anna', groups=groups, name="Anna", tz='Asia/Almaty')
        cls.boris = new_test_user(env, 'tel_boris', groups=groups, name="Boris", tz='Asia/Almaty')
        cls.supervisor = new_test_user(
            env, 'tel_super', groups='base.group_user,crm_telephony.group_supervisor', name="Saule"
        )
        cls.account = cls.new_account(cls.company)
        cls.number = env['telephony.number'].create(
            {'name': '8 (727) 250-76-12', 'account_id': cls.account.id}
        )
        env['telephony.extension'].create(
            [
                {'number': '101', 'account_id': cls.account.id, 'user_id': cls.anna.id},
                {'number': '102', 'account_id': cls.account.id, 'user_id': cls.boris.id},
                {'number': '103', 'account_id': cls.account.id},
            ]
        )
        cls.partner = env['res.partner'].create(
            {'name': "Customer", 'phone': '8 (777) 123-45-67', 'country_id': env.ref('base.kz').id}
        )

    @classmethod
    def new_account(cls, company, **values):
        return cls.env['telephony.account'].create(
            {
                'name': "Middleware",
                'provider': 'generic',
                'api_secret': SECRET,
                'timezone': 'Asia/Almaty',
                'company_id': company.id,
                'country_id': cls.env.ref('base.kz').id,
                **values,
            }
        )

    @staticmethod
    def week(days=5, first=9, last=18):
        """Commands that make a calendar open on so many days from Monday on."""
        return [(5, 0, 0)] + [
            (
                0,
                0,
                {
                    'name': str(day),
                    'dayofweek': str(day),
                    'hour_from': first,
                    'hour_to': last,
                    'day_period': 'morning',
                },
            )
            for day in range(days)
        ]

    def work_around_the_clock(self):
        self.calendar.attendance_ids = self.week(7, 0, 24)

    @classmethod
    def new_lead(cls, **values):
        return cls.env['crm.lead'].create(
            {
                'name': "Deal",
                'type': 'opportunity',
                'partner_id': cls.partner.id,
                'user_id': cls.anna.id,
                **values,
            }
        )

    def plug_in(self, client=FakeClient, provider='generic', **attributes):
        """Give this provider such an API until the test ends; its class, of this test alone."""
        pbx = type('ThisPbx', (client,), {'told': [], **attributes})
        self.startPatcher(patch.dict(_clients, {provider: pbx}))
        self.forget_clients()
        return pbx

    def unplug(self):
        """A PBX without an API, as `generic` really is."""
        del _clients['generic']
        self.forget_clients()

    def forget_clients(self):
        self.env.registry.clear_cache()
        self.env.invalidate_all()

    # --- events of the generic scheme -------------------------------------------------------------------------

    @staticmethod
    def at(seconds=0):
        """ISO time, so many seconds from now."""
        return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).isoformat()

    def event(self, event, call_id='c1', at=0, **more):
        """One event object: of an inbound call of the customer, unless said otherwise."""
        return {
            'event': event,
            'call_id': call_id,
            'at': self.at(at) if isinstance(at, (int, float)) else at,
            'direction': 'inbound',
            'caller': CUSTOMER,
            'called': DID,
            **more,
        }

    def outbound(self, event, call_id='o1', at=0, **more):
        return self.event(
            event,
            call_id,
            at,
            **{
                'direction': 'outbound',
                'caller': '101',
                'called': CUSTOMER,
                'extension': '101',
                **more,
            },
        )

    @classmethod
    def new_account_without_answers(cls):
        """A PBX that tells of outgoing calls when they begin and when they have ended, and Anna's
        phone 101 of it."""
        account = cls.new_account(cls.company, provider='zadarma', name="Cloud", api_key='key')
        cls.env['telephony.extension'].create(
            {'number': '101', 'account_id': account.id, 'user_id': cls.anna.id}
        )
        return account

    def outgoing_without_answer(self, account, event, begin, **more):
        """Deliver one event of an outgoing call of phone 101 to the customer that began then
        (aware)."""
        fields = {
            'event': event,
            'internal': '101',
            'destination': CUSTOMER.lstrip('+'),
            'pbx_call_id': 'out_1',
            'call_start': f'{begin.astimezone(ZoneInfo(account.timezone)):%Y-%m-%d %H:%M:%S}',
            **more,
        }
        mac = hmac.new(
            SECRET.encode(),
            (fields['internal'] + fields['destination'] + fields['call_start']).encode(),
            hashlib.sha1,
        ).hexdigest()
        account._receive(
            WebhookRequest(
                form={name: [value] for name, value in fields.items()},
                headers={'signature': base64.b64encode(mac.encode()).decode()},
            )
        )

    def call(self, call_id='c1', account=None):
        return self.env['telephony.call'].search(
            [('account_id', '=', (account or self.account).id), ('external_id', '=', call_id)]
        )

    def callbacks(self, number=CUSTOMER):
        return self.env['telephony.callback'].search([('customer_number', '=', number)], order='id')

    def events(self, account=None):
        return self.env['telephony.event'].search(
            [('account_id', '=', (account or self.account).id)]
        )


@tagged('post_install', '-at_install', 'crm_telephony')
class TelephonyCase(TelephonyData, TransactionCase):
    """The house without the HTTP door: events are appended and filed in the test's own
    transaction."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # no threads, no PBX on the other side
        cls.startClassPatcher(patch.object(router, 'wake'))
        cls.set_up_data()

    def play(self, *events, account=None, follow_up=True):
        """Let the PBX tell these events, one delivery each, and let everything happen that follows
        from them."""
        account = account or self.account
        for event in events:
            body = json.dumps(event).encode()
            account._receive(
                WebhookRequest(body=body, headers={'x-telephony-signature': sign(body)})
            )
        self.file_calls(account, follow_up)

    def file_calls(self, account=None, follow_up=True):
        self.env.flush_all()
        with self.enter_registry_test_mode():
            self.env['telephony.event']._process_in_new_transaction(
                self.env.cr.dbname, (account or self.account).id
            )
            if follow_up:
                self.env.ref('crm_telephony.ir_cron_follow_up').method_direct_trigger()
        self.env.invalidate_all()


@tagged('post_install', '-at_install', 'crm_telephony')
class TelephonyHttpCase(TelephonyData, HttpCase):
    """The house with its real door. Filing, which in production follows the answer, is asked for by
    the test: the test's one transaction cannot be used by two threads at once."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.startClassPatcher(patch.object(router, 'wake'))
        cls.set_up_data()
        model = type(cls.env['telephony.event'])
        cls._file_now = staticmethod(model._process_in_new_transaction)
        cls.asked_to_file = threading.Event()
        cls.startClassPatcher(
            patch.object(
                model,
                '_process_in_new_transaction',
                staticmethod(lambda database, account_id: cls.asked_to_file.set()),
            )
        )

    def path(self, account=None, provider='generic', suffix=''):
        token = (account or self.account).webhook_token
        return f'/telephony/webhook/{provider}/{token}{suffix}'

    def post(self, payload, account=None, secret=SECRET, path=None, **headers):
        """One delivery through the real webhook; the HTTP response."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        signature = {'X-Telephony-Signature': sign(body, secret)} if secret else {}
        return self.url_open(
            path or self.path(account),
            data=body,
            headers={'Content-Type': 'application/json', **signature, **headers},
        )

    def file_calls(self, account=None, follow_up=True):
        self.env.flush_all()
        self._file_now(self.env.cr.dbname, (account or self.account).id)
        if follow_up:
            self.env.ref('crm_telephony.ir_cron_follow_up').method_direct_trigger()
        self.env.invalidate_all()

    def play(self, *events, account=None, follow_up=True):
        for event in events:
            self.assertEqual(self.post(event, account).status_code, 200)
        self.file_calls(account, follow_up)
