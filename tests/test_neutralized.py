"""A neutralized copy of a database leaves the PBX, its phones and its recordings alone."""

import socket
from datetime import timedelta
from unittest.mock import patch

from requests import Session

from odoo import fields
from odoo.exceptions import UserError
from odoo.modules.neutralize import get_neutralization_queries

from ..models.calls import recording as calls_recording
from ..providers.base import ProviderError
from .common import CUSTOMER, TelephonyHttpCase


class TestNeutralized(TelephonyHttpCase):
    def setUp(self):
        super().setUp()
        self.pbx = self.plug_in()
        self.account.recording_storage = 'copy'
        self.company.telephony_effect_hours = 48
        self.new_lead()
        self.play(
            self.event('ended', outcome='answered', extension='101', talk_seconds=60),
            self.event('recording', recording_url='https://pbx.example.com/c1.mp3'),
            self.outbound('ended', at=1, outcome='busy'),
        )
        self.known = self.call().recording_ids
        self.announced = self.env['telephony.recording'].create(
            {'call_id': self.call().id, 'ref': 'rec-1'}
        )

    def neutralize(self):
        self.env.flush_all()
        for query in get_neutralization_queries(['crm_telephony']):
            self.env.cr.execute(query)
        self.forget_clients()

    def run_everything_that_is_due(self):
        self.announced.next_try_at = fields.Datetime.now() - timedelta(seconds=1)
        if self.known.copy_next_at:
            self.known.copy_next_at = self.announced.next_try_at
        self.env['telephony.effect'].search(
            [('state', '=', 'planned')]
        ).due_at = fields.Datetime.now()
        crons = (
            'fetch_history',
            'locate_recordings',
            'copy_recordings',
            'effects',
            'callback_clock',
        )
        with patch.object(
            calls_recording,
            'open_sound',
            side_effect=lambda *asked: self.pbx.told.append(['sound']),
        ):
            for cron in crons:
                self.env.ref(f'crm_telephony.ir_cron_{cron}').method_direct_trigger()

    def test_this_database_would_speak_to_the_pbx(self):
        """So that the others can fail."""
        self.run_everything_that_is_due()
        self.assertEqual(
            {what for what, *_with in self.pbx.told}, {'history', 'recording', 'sound', 'dial'}
        )
        self.assertTrue(self.anna._telephony_can_call())

    def test_the_pbx_is_left_alone(self):
        self.neutralize()
        self.run_everything_that_is_due()
        self.assertFalse(self.anna._telephony_can_call())
        with self.assertRaises(UserError):
            self.account._dial(self.account.extension_ids[0], CUSTOMER)
        self.assertFalse(self.pbx.told)

    def test_it_does_not_answer_the_monitoring_of_the_original(self):
        self.company.sudo()._new_telephony_health_token()
        path = f'/telephony/health/{self.company.sudo().telephony_health_token}'
        self.assertIn(self.url_open(path).status_code, (200, 503))
        self.neutralize()
        self.env.invalidate_all()
        self.assertEqual(self.url_open(path).status_code, 404)

    def test_its_events_are_not_taken(self):
        before = len(self.events())
        path = self.path()
        self.assertEqual(self.post(self.event('ended', 'c2', outcome='missed')).status_code, 200)
        self.neutralize()
        answer = self.post(self.event('ended', 'c3', outcome='missed'), path=path)
        self.assertEqual(answer.status_code, 404)
        self.assertEqual(len(self.events()), before + 1)

    def test_no_recording_is_fetched(self):
        self.account.recording_hosts = 'pbx.example.com'
        known = self.known
        self.neutralize()
        with (
            patch.object(socket, 'getaddrinfo', side_effect=AssertionError("asks for a host")),
            self.assertRaises(ProviderError),
        ):
            known._open('')
        self.assertFalse(known.source_url)

    def test_nothing_stays_shared(self):
        [known] = self.call().recording_ids - self.announced
        known.state = 'ready'
        share, url = known.with_user(self.supervisor)._share()
        self.env.flush_all()
        path = '/telephony/' + url.partition('/telephony/')[2]
        self.assertEqual(self.url_open(path).status_code, 200)
        self.neutralize()
        self.env.invalidate_all()
        self.assertEqual(share.sudo().state, 'revoked')
        self.assertEqual(self.url_open(path).status_code, 404)

    def test_no_scheduled_action_reaches_anybody(self):
        """Whichever of ours somebody runs by hand: no connection is made to anywhere. Those of Odoo
        that would send queued e-mails and SMS are switched off, with their servers and accounts."""
        self.neutralize()
        jobs = self.env['ir.cron'].with_context(active_test=False).search([])
        jobs = jobs.filtered(
            lambda job: str(job.get_external_id().get(job.id)).startswith('crm_telephony.')
        )
        self.assertGreater(len(jobs), 20)
        self.known.copy_state = self.announced.copy_state = 'todo'
        asked = []
        with (
            patch.object(
                socket, 'create_connection', side_effect=lambda *to, **_: asked.append(to)
            ),
            patch.object(Session, 'request', side_effect=lambda *to, **_: asked.append(to)),
        ):
            self.run_everything_that_is_due()
            for job in jobs:
                job.method_direct_trigger()
        self.assertFalse(asked or self.pbx.told)
