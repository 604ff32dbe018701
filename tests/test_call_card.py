"""Who is told of a call, and what he sees of it."""
import json
from unittest.mock import patch

from odoo.addons.bus.models.bus import BusBus

from .common import CUSTOMER, TelephonyCase


class CardCase(TelephonyCase):
    """Collects what goes over the bus, by user."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.told = []

        def sendone(_bus, target, kind, message):
            json.dumps(message)
            if kind == 'crm_telephony.call':
                cls.told.append((target, message))

        cls.startClassPatcher(patch.object(BusBus, '_sendone', sendone))

    def hear(self, *events, **options):
        """Let the PBX tell these events; what each user is told: {user: [phase, …]}."""
        del self.told[:]
        self.play(*events, **options)
        phases = {}
        for target, message in self.told:
            user = target.with_env(self.env).user_ids
            self.assertEqual(target._name, 'res.partner')
            phases.setdefault(user, []).append(message['phase'])
        return phases


class TestAudience(CardCase):

    def test_one_phone(self):
        self.assertEqual(self.hear(self.event('ringing', extension='101')), {self.anna: ['ringing']})
        message = self.told[0][1]
        self.assertEqual((message['number'], message['direction'], message['extension']), (CUSTOMER, 'inbound', '101'))
        self.assertEqual(self.hear(self.event('answered', extension='101', at=5)), {self.anna: ['talking']})
        self.assertEqual(self.hear(self.event('ended', outcome='answered', extension='101', at=60)), {self.anna: ['ended']})
