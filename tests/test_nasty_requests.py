"""What no database can hold, wherever it stands in a request: a bad address is not found, the rest
is kept whole."""

import json
from dataclasses import replace
from unittest.mock import patch

from odoo.tests import new_test_user

from ..providers import registry
from ..providers.base import WebhookRequest
from .common import TelephonyCase, TelephonyHttpCase, sign
from .provider_case import form_request, scenarios

NASTY = '\0\ud800'


class TestNastyAddresses(TelephonyHttpCase):
    def status(self, path, event=None, **headers):
        if not event:
            return self.url_open(path, allow_redirects=False, headers=headers).status_code
        body = json.dumps(event).encode()
        return self.url_open(
            path, data=body, headers={'X-Telephony-Signature': sign(body), **headers}
        ).status_code

    def test_a_bad_address_is_not_found(self):
        new_test_user(
            self.env,
            'nasty_admin',
            groups='base.group_user,crm_telephony.group_admin',
            password='nasty_admin',
        )
        self.authenticate('nasty_admin', 'nasty_admin')
        webhook = self.path()
        for bad in ('%00', 'a%00b', '%ED%A0%80', '%FF'):
            for path in (
                f'/telephony/webhook/generic/{bad}',
                f'{webhook}{bad}',
                f'{webhook}{bad}/calls',
                f'/telephony/webhook/{bad}/x',
                f'/telephony/webhook{bad}',
                f'/telephony/webhook/generic{bad}',
                f'/telephony/recording/{bad}',
                f'/telephony/recording/1{bad}',
                f'/telephony/recording/1/{bad}',
                f'/telephony/recording/1/open{bad}',
                f'/telephony/shared/{bad}',
                f'/telephony/shared/x/{bad}',
                f'/telephony/shared/x/sound{bad}',
                f'/telephony/template/{bad}',
                f'/telephony/template/{self.account.id}{bad}',
            ):
                with self.subTest(path.replace(webhook, '…')):
                    self.assertEqual(self.status(path), 404)
                    self.assertEqual(self.status(path, self.event('ended')), 404)
        for path in ('/telephony/recording/', '/telephony/template/'):
            for number in ('0', '2147483648', '9' * 30):
                self.assertEqual(self.status(path + number), 404, number)
        self.assertFalse(self.events())
        self.assertEqual(self.status(f'{webhook}/%00', self.event('ended')), 404)

    def test_a_good_address_with_a_bad_rest_is_served(self):
        for place, query in enumerate(
            ('a=%00', '%00=a', 'db=%ED%A0%80', 'debug=%00', 'lang=%00', 'a=%FF')
        ):
            self.assertEqual(
                self.status(f'{self.path()}?{query}', self.event('ended', f'q{place}')), 200, query
            )
        for place, name in enumerate(
            ('User-Agent', 'Accept-Language', 'Content-Type', 'Range', 'X-Forwarded-For', 'Referer')
        ):
            self.assertEqual(
                self.status(
                    self.path(), self.event('ended', f'h{place}'), **{name: b'a\xff\xed\xa0\x80%00'}
                ),
                200,
                name,
            )
        self.assertEqual(len(self.events()), 12)


class TestNastyBodies(TelephonyCase):
    def samples(self, code):
        """Of every kind of event that the samples know, one: (suffix, whether it is a form,
        fields)."""
        kinds = {}
        for _name, scenario in scenarios(code):
            for one in [
                *scenario.get('deliveries', ()),
                {'json': {'events': scenario.get('events')}},
            ]:
                suffix, is_form = one.get('suffix') or one.get('path') or '', 'form' in one
                content = one.get('form') or one.get('json') or {}
                events = content.get('events') if isinstance(content, dict) else content
                for fields in events if isinstance(events, list) else [content]:
                    if isinstance(fields, dict):
                        kinds.setdefault(
                            (suffix, is_form, fields.get('Event'), *sorted(fields)),
                            (suffix, is_form, fields),
                        )
        return kinds.values()

    def request(self, code, suffix, is_form, fields):
        if is_form:  # no lone surrogate comes out of a form
            return replace(form_request(fields), suffix=suffix)
        body = json.dumps({'events': [fields]} if code in ('asterisk', 'freepbx') else fields)
        return WebhookRequest(
            suffix=suffix,
            body=body.encode(),
            form={'json': (body,)} if code == 'mango_office' else {},
        )

    def test_whatever_a_field_holds_is_stored(self):
        for code, provider in registry.items():
            account = self.new_account(self.company, provider=code, name=code, api_key='key')
            with patch.object(type(provider), 'verify'):
                for suffix, is_form, fields in self.samples(code):
                    nasty = '\0' if is_form else NASTY
                    changes = [(nasty, nasty)]
                    for name, value in fields.items():
                        changes += [
                            (name, bad)
                            for bad in (nasty, f'{value}{nasty}', [nasty], {nasty: nasty})
                        ]
                    for name, bad in changes:
                        if not is_form or isinstance(bad, str):
                            with self.subTest(code, suffix=suffix, name=name, bad=bad):
                                account._receive(
                                    self.request(code, suffix, is_form, {**fields, name: bad})
                                )
            self.env.flush_all()
            self.assertTrue(self.events(account), code)
            self.file_calls(account)
            ours = self.events(account).filtered(
                lambda event: event.attempts or event.next_try_at or event.state == 'pending'
            )
            self.assertEqual(ours.mapped(lambda event: (event.error, event.payload)), [], code)

    def test_nothing_is_lost(self):
        event = self.event('ended', 'c1', outcome='missed', marker=NASTY)
        self.play(event)
        self.assertEqual(json.loads(self.events().payload), event)
        self.assertTrue(self.call())
