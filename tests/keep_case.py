"""Calls with recordings, rules and holds, and the nights in which something is deleted."""

import os
from datetime import timedelta

from odoo import fields
from odoo.tests import new_test_user

from .common import CUSTOMER, TelephonyCase


class KeepCase(TelephonyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env['ir.config_parameter'].set_param('ir_attachment.location', 'file')
        cls.keeper = new_test_user(
            cls.env,
            'tel_keeper',
            groups='base.group_user,crm_telephony.group_privacy',
            name="Keeper",
        )

    def setUp(self):
        super().setUp()
        self.pbx = self.plug_in()
        self.calls = 0

    def talk(self, days=0, sound=b'', **values):
        """The recording of a call that ended so many days ago: a copy of ours if there is a sound,
        else a name and an address only.

        :param values: of the call
        """
        self.calls += 1
        end = values.pop('ended_at', fields.Datetime.now() - timedelta(days=days))
        name = f'k{self.calls}'
        call = self.env['telephony.call'].create(
            {
                'account_id': self.account.id,
                'external_id': name,
                'direction': 'inbound',
                'outcome': 'answered',
                'state': 'ended',
                'customer_number': CUSTOMER,
                'start_at': end - timedelta(minutes=2),
                'ended_at': end,
                'talk_seconds': 60,
                **values,
            }
        )
        recording = self.env['telephony.recording'].create(
            {
                'call_id': call.id,
                'ref': f'rec-{name}',
                'url': f'https://pbx.example.com/{name}.mp3',
                'state': 'ready',
                'duration': 60,
                'transcript': "How much is it?",
            }
        )
        if sound:
            recording._store_sound(sound, 'audio/mpeg')
        return recording

    def rule(self, days, **values):
        return self.env['telephony.retention.rule'].create(
            {
                'name': f"{days} days",
                'keep_audio_days': days,
                'sequence': 10 + self.env['telephony.retention.rule'].search_count([]),
                **values,
            }
        )

    def hold(self, **values):
        return (
            self.env['telephony.hold']
            .with_user(self.keeper)
            .create({'name': "Claim", 'reason': "The customer claims", **values})
        )

    def dry_run(self):
        trials = self.env['telephony.retention.trial'].with_user(self.keeper)
        return trials.browse(trials._open()['res_id'])

    def switch_on(self):
        self.dry_run().action_switch_on()
        self.env.invalidate_all()

    def run_cron(self, name):
        with self.enter_registry_test_mode():
            self.env.ref(f'crm_telephony.ir_cron_{name}').method_direct_trigger()
        self.env.invalidate_all()

    def night(self):
        """All that is deleted by itself."""
        for name in ('retain', 'delete_at_pbx', 'sweep_files'):
            self.run_cron(name)

    def told(self, recording):
        """How often the PBX was told to delete this recording."""
        name = f'rec-{recording.call_id.external_id}'
        return sum(what[:2] == ('delete', name) for what in self.pbx.told)

    def path(self, recording):
        attachment = recording.attachment_id.sudo()
        return attachment._full_path(attachment.store_fname)

    def assert_gone(self, recording):
        """A row without contents is left, and no file."""
        self.assertEqual(recording.state, 'deleted')
        self.assertFalse(recording.url or recording.ref or recording.sudo().attachment_id)
        self.assertFalse(recording.delete_after or recording.size or recording.sha256)
        self.assertTrue(recording.deleted_at and recording.deleted_why)
        self.assertFalse(
            self.env['ir.attachment'].search(
                [
                    ('res_model', '=', 'telephony.recording'),
                    ('res_id', '=', recording.id),
                    ('res_field', '!=', False),
                ]
            )
        )

    def assert_kept(self, recording, sound=b''):
        self.assertNotEqual(recording.state, 'deleted')
        if sound:
            self.assertEqual(recording.sudo().attachment_id.raw, sound)
            self.assertTrue(os.path.exists(self.path(recording)))
