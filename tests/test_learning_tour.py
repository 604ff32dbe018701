"""The whole way on the screen: listen, four calls, accept, mend one, check, go live, a fifth call."""

from odoo import fields
from odoo.tests import new_test_user

from .common import CUSTOMER, DID, TelephonyHttpCase
from .test_learning import OTHER, TAG, LearningData


class TestLearningTour(LearningData, TelephonyHttpCase):
    def setUp(self):
        super().setUp()
        self.unknown = self.new_account(self.company, provider=OTHER, name="Unknown")
        self.env['telephony.extension'].create(
            {'number': '101', 'account_id': self.unknown.id, 'user_id': self.anna.id}
        )
        self.env['telephony.number'].browse(self.number.id).account_id = self.unknown
        new_test_user(
            self.env, 'tour_admin', groups='base.group_user,crm_telephony.group_admin', name="Adel"
        )

    def send(self, told):
        response = self.url_open(self.path(self.unknown, OTHER), data=told)
        self.assertEqual(response.status_code, 200)

    def test_the_whole_way(self):
        url = f'/odoo/telephony-pbx/{self.unknown.id}'
        self.start_tour(url, 'telephony_learn_begin', login='tour_admin')
        self.assertEqual(
            self.unknown.capture_facts, {'mobile': CUSTOMER, 'dialled': DID, 'phone': '101'}
        )
        now = fields.Datetime.now()
        for seconds, told in self.calls():
            self.send({**told, 'agent': TAG, TAG: 'a name with markup'})
            row = self.env['telephony.capture'].search([], order='id desc', limit=1)
            row.received_at = fields.Datetime.add(now, seconds=seconds)
        # a word that Odoo does not know, so that somebody has to say what it means
        for row in self.env['telephony.capture'].search([]):
            row.request = row.request.replace('NOANSWER', 'NIEMAND').replace('ANSWER', 'JEMAND')
        self.start_tour(url, 'telephony_learn_map', login='tour_admin')
        self.assertEqual(self.unknown.template_id.state, 'live')
        self.assertFalse(self.env['telephony.capture'].search([]))
        for _seconds, told in self.told('call-0005', 0):
            self.send(told)
        self.file_calls(self.unknown)
        call = self.call('call-0005', self.unknown)
        self.assertEqual(
            (call.outcome, call.partner_id, call.user_id), ('answered', self.partner, self.anna)
        )
