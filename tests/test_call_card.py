"""Who is told of a call, and what he sees of it."""

import json
from datetime import datetime, timedelta, timezone
from unittest.mock import patch

from odoo import fields, models
from odoo.exceptions import AccessError, UserError
from odoo.orm.model_classes import add_to_registry
from odoo.tests import new_test_user

from odoo.addons.bus.models.bus import BusBus
from odoo.addons.crm_telephony.models.screen.call_reason import Reason

from .common import CUSTOMER, DID, TelephonyCase


class CardCase(TelephonyCase):
    """Collects what goes over the bus, by user."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.told, cls.ticks = [], []

        def sendone(_bus, target, kind, message):
            json.dumps(message)  # as it has to pass the bus
            if kind == 'crm_telephony.call':
                cls.told.append((target._name, target.id, message))
            elif kind == 'crm_telephony.live':
                cls.ticks.append((target, message))

        cls.startClassPatcher(patch.object(BusBus, '_sendone', sendone))

    def hear(self, *events, **options):
        """Let the PBX tell these events; what each user is told: {login: [phase, …]}."""
        del self.told[:]
        self.play(*events, **options)
        phases = {}
        for model, partner, message in self.told:
            self.assertEqual(model, 'res.partner')
            user = self.env['res.partner'].browse(partner).with_context(active_test=False).user_ids
            phases.setdefault(user.login, []).append(message['phase'])
        return phases

    def new_agent(self, login, **values):
        return new_test_user(
            self.env,
            login,
            groups='base.group_user,sales_team.group_sale_salesman,crm_telephony.group_user',
            **values,
        )

    def new_team(self, *users, **values):
        """A team of theirs that has our number."""
        team = self.env['crm.team'].create(
            {'name': "Night", 'company_id': self.company.id, **values}
        )
        self.env['crm.team.member'].create(
            [{'user_id': user.id, 'crm_team_id': team.id} for user in users]
        )
        self.number.team_id = team
        return team

    def card(self, user=None, call_id='c1'):
        return self.call(call_id).with_user(user or self.anna).get_card()


class TestAudience(CardCase):
    def test_one_phone(self):
        self.assertEqual(
            self.hear(self.event('ringing', extension='101')), {'tel_anna': ['ringing']}
        )
        message = self.told[0][-1]
        self.assertEqual(
            {name: message[name] for name in ('id', 'number', 'display', 'direction', 'extension')},
            {
                'id': self.call().id,
                'number': CUSTOMER,
                'display': '+7 777 123 4567',
                'direction': 'inbound',
                'extension': '101',
            },
        )
        self.assertNotIn("Customer", json.dumps(message), "names are the card's business")
        self.assertEqual(
            self.hear(self.event('answered', extension='101', at=5)), {'tel_anna': ['talking']}
        )
        self.assertEqual(
            self.hear(self.event('ended', outcome='answered', extension='101', at=60)),
            {'tel_anna': ['ended']},
        )

    def test_two_phones_one_takes_it(self):
        self.assertEqual(
            self.hear(
                self.event('ringing', extension='101'), self.event('ringing', extension='102', at=1)
            ),
            {'tel_anna': ['ringing'], 'tel_boris': ['ringing']},
        )
        self.assertEqual(
            self.hear(self.event('answered', extension='102', at=5)),
            {'tel_anna': ['gone'], 'tel_boris': ['talking']},
        )
        gone = next(
            message for _model, partner, message in self.told if partner == self.anna.partner_id.id
        )
        self.assertEqual(
            gone,
            {'id': self.call().id, 'phase': 'gone', 'by': 'Boris', 'told_at': gone['told_at']},
            "nothing of the customer",
        )
        self.assertEqual(
            self.hear(self.event('ended', outcome='answered', at=60))['tel_boris'], ['ended']
        )

    def test_nobody_takes_it(self):
        self.hear(
            self.event('ringing', extension='101'), self.event('ringing', extension='102', at=1)
        )
        self.assertEqual(
            self.hear(self.event('ended', outcome='missed', at=30)),
            {'tel_anna': ['lost'], 'tel_boris': ['lost']},
        )

    def test_transfer(self):
        self.hear(
            self.event('ringing', extension='101'), self.event('answered', extension='101', at=1)
        )
        told = self.hear(self.event('transferred', extension='102', at=20))
        self.assertEqual(told['tel_boris'], ['ringing'])
        told = self.hear(self.event('answered', extension='102', at=25))
        self.assertEqual(
            told,
            {'tel_anna': ['ended'], 'tel_boris': ['talking']},
            "who has passed it on notes his result",
        )
        self.assertEqual(
            self.hear(self.event('ended', at=60, outcome='answered'))['tel_boris'], ['ended']
        )

    def test_group_of_a_queue(self):
        """A PBX that tells only the queue: the number's team, as far as it has phones here."""
        other = self.new_agent('tel_other')
        nophone = self.new_agent('tel_nophone')
        self.env['telephony.extension'].create(
            {'number': '104', 'account_id': self.account.id, 'user_id': other.id}
        )
        team = self.new_team(self.anna, self.boris, nophone)
        both = {'tel_anna': ['ringing'], 'tel_boris': ['ringing']}
        self.assertEqual(self.hear(self.event('ringing', queue='support')), both)
        self.assertEqual(
            self.hear(self.event('answered', extension='102', at=5)),
            {'tel_anna': ['gone'], 'tel_boris': ['talking']},
        )
        # the queue's name alone
        self.number.team_id = False
        self.assertEqual(self.hear(self.event('ringing', 'c2', queue='night')), both)
        self.assertEqual(
            self.hear(self.event('ended', 'c2', at=9, outcome='abandoned')),
            {'tel_anna': ['lost'], 'tel_boris': ['lost']},
        )
        self.assertEqual(
            self.hear(self.event('ringing', 'c3', queue='100%')), {}, "a wildcard is no name"
        )
        self.number.user_id = other
        self.assertEqual(self.hear(self.event('ringing', 'c4')), {'tel_other': ['ringing']})
        # phones are told: the group is not meant
        self.number.team_id = team
        self.assertEqual(
            self.hear(self.event('ringing', 'c5', extension='104', queue='night')),
            {'tel_other': ['ringing']},
        )

    def test_the_group_is_told_when_a_phone_rings(self):
        """A menu or queue comes first, and then one phone: who was told and is not meant has no
        card that stands on."""
        self.new_team(self.anna, self.boris)
        both = {'tel_anna': ['ringing'], 'tel_boris': ['ringing']}
        self.assertEqual(self.hear(self.event('ringing')), both)
        self.assertEqual(
            self.hear(self.event('ringing', extension='101', at=5)),
            {'tel_anna': ['ringing'], 'tel_boris': ['gone']},
        )
        self.assertEqual(
            set(self.told[-1][-1]), {'id', 'phase', 'by', 'told_at'}, "nothing of the customer"
        )
        self.assertEqual(
            self.hear(self.event('ringing', extension='102', at=9)),
            {'tel_anna': ['ringing'], 'tel_boris': ['ringing']},
            "his phone after all",
        )
        self.assertEqual(
            self.hear(self.event('ended', at=20, outcome='missed')),
            {'tel_anna': ['lost'], 'tel_boris': ['lost']},
        )
        # the phone is nobody's
        self.assertEqual(self.hear(self.event('ringing', 'c2')), both)
        self.assertEqual(
            self.hear(self.event('ringing', 'c2', extension='103', at=5)),
            {'tel_anna': ['gone'], 'tel_boris': ['gone']},
        )
        self.assertEqual(self.hear(self.event('ended', 'c2', at=20, outcome='missed')), {})

    def test_a_number_that_is_ignored_while_it_rings(self):
        self.hear(self.event('ringing', extension='101', caller='+77019999999'))
        del self.told[:]
        self.call().action_ignore_number()
        self.assertEqual(
            [(partner, message['phase']) for _model, partner, message in self.told],
            [(self.anna.partner_id.id, 'closed')],
        )
        self.assertEqual(
            self.hear(self.event('answered', extension='101', caller='+77019999999', at=5)), {}
        )

    def test_a_number_that_was_ignored_while_it_was_talked(self):
        """By a colleague, of another call: that is found when this one ends."""
        caller = '+77019999999'
        self.hear(
            self.event('ringing', extension='101', caller=caller),
            self.event('answered', extension='101', caller=caller, at=5),
        )
        self.env['telephony.decision'].create(
            {'company_id': self.company.id, 'number': caller, 'kind': 'ignore'}
        )
        self.call().is_excluded = False  # looked up before
        self.assertEqual(
            self.hear(
                self.event('ended', at=60, outcome='answered', extension='101', caller=caller)
            ),
            {'tel_anna': ['closed']},
        )

    def test_outbound_that_is_passed_on(self):
        """It rings at the colleague: to him it comes in."""
        self.hear(self.outbound('ringing'), self.outbound('answered', at=5))
        self.assertEqual([message['direction'] for _model, _id, message in self.told], ['outbound'])
        told = self.hear(self.outbound('transferred', extension='102', at=20))
        self.assertEqual(told['tel_boris'], ['ringing'])
        self.assertEqual(
            {partner: message['direction'] for _model, partner, message in self.told},
            {self.anna.partner_id.id: 'outbound', self.boris.partner_id.id: 'inbound'},
        )
        (message,) = self.env['telephony.call'].with_user(self.boris).ringing_now()
        self.assertEqual((message['phase'], message['direction']), ('ringing', 'inbound'))

    def test_outbound(self):
        self.assertEqual(self.hear(self.outbound('ringing')), {'tel_anna': ['ringing']})
        self.assertEqual(self.hear(self.outbound('answered', at=5)), {'tel_anna': ['talking']})
        self.assertEqual(
            self.hear(self.outbound('ended', at=50, outcome='answered')), {'tel_anna': ['ended']}
        )
        self.hear(self.outbound('ringing', 'o2'))
        self.assertEqual(
            self.hear(self.outbound('ended', 'o2', at=50, outcome='busy')), {'tel_anna': ['ended']}
        )
        self.assertEqual(self.told[0][-1]['outcome'], 'busy')

    def test_outbound_where_the_answer_is_not_told(self):
        """It may be dialled or talked: nobody is told that it is still dialled, and the note is
        there to be written."""
        account, begin = (
            self.new_account_without_answers(),
            datetime.now(timezone.utc) - timedelta(seconds=70),
        )
        del self.told[:]
        self.outgoing_without_answer(account, 'NOTIFY_OUT_START', begin)
        self.file_calls(account)
        message = self.told[0][-1]
        self.assertEqual((message['phase'], message['may_be_answered']), ('talking', True))
        self.assertAlmostEqual(message['seconds'], 70, delta=5)
        self.assertEqual(
            self.env['telephony.call'].with_user(self.anna).ringing_now()[0]['may_be_answered'],
            True,
        )
        del self.told[:]
        self.outgoing_without_answer(
            account, 'NOTIFY_OUT_END', begin, duration='42', disposition='answered'
        )
        self.file_calls(account)
        message = self.told[0][-1]
        self.assertEqual(
            (message['phase'], message['may_be_answered'], message['talk_seconds']),
            ('ended', False, 42),
        )
        self.hear(self.outbound('ringing'))
        self.assertEqual(
            (self.told[0][-1]['phase'], self.told[0][-1]['may_be_answered']),
            ('ringing', False),
            "this PBX will tell",
        )

    def test_nobodys_business(self):
        for name, event in {
            'internal': self.event(
                'ringing', 'i', direction='internal', caller='101', called='102', extension='102'
            ),
            'a phone of nobody': self.event('ringing', 'n', extension='103'),
            'an unknown phone': self.event('ringing', 'u', extension='999'),
        }.items():
            with self.subTest(name):
                self.assertEqual(self.hear(event), {})
        self.play(self.event('ringing', 'x', extension='101'))
        self.call('x').is_excluded = True
        self.assertEqual(
            self.call('x')._cards(), {}, "a colleague, or a number that is to be ignored"
        )

    def test_who_is_not_told(self):
        stranger = new_test_user(self.env, 'tel_nogroup', groups='base.group_user')
        other = self.env['res.company'].create({'name': "Other"})
        away = self.new_agent('tel_away', company_id=other.id, company_ids=[(6, 0, other.ids)])
        gone = self.new_agent('tel_gone')
        gone.active = False
        for number, user in enumerate((stranger, away, gone), 200):
            self.env['telephony.extension'].create(
                {'number': str(number), 'account_id': self.account.id, 'user_id': user.id}
            )
            with self.subTest(user.login):
                self.assertEqual(
                    self.hear(self.event('ringing', user.login, extension=str(number))), {}
                )
        for values in ({'telephony_pop': False}, {'telephony_pop': True, 'telephony_dnd': True}):
            with self.subTest(values):
                self.anna.write(values)
                self.assertEqual(self.hear(self.event('ringing', str(values), extension='101')), {})
                self.assertEqual(self.env['telephony.call'].with_user(self.anna).ringing_now(), [])
        self.anna.telephony_dnd = False
        self.assertEqual(
            self.hear(self.event('ringing', 'again', extension='101')), {'tel_anna': ['ringing']}
        )

    def test_user_with_two_extensions(self):
        self.env['telephony.extension'].create(
            {'number': '111', 'account_id': self.account.id, 'user_id': self.anna.id}
        )
        told = self.hear(
            self.event('ringing', extension='101'), self.event('ringing', extension='111', at=1)
        )
        self.assertEqual(told, {'tel_anna': ['ringing']}, "one card")
        self.assertEqual(
            self.hear(self.event('answered', extension='111', at=5)), {'tel_anna': ['talking']}
        )
        self.assertEqual(self.told[0][-1]['extension'], '111')

    def test_extension_of_two_users(self):
        self.account.extension_ids.filtered(
            lambda one: one.number == '101'
        ).also_user_ids = self.boris
        self.assertEqual(
            self.hear(self.event('ringing', extension='101')),
            {'tel_anna': ['ringing'], 'tel_boris': ['ringing']},
        )
        self.assertTrue(self.card(self.boris), "who shares the phone may see who rings at it")
        told = self.hear(self.event('answered', extension='101', at=5))
        self.assertEqual(
            told,
            {'tel_anna': ['talking'], 'tel_boris': ['talking']},
            "nobody knows which of them it is",
        )
        self.hear(self.event('ended', extension='101', at=60, outcome='answered'))
        self.assertEqual(
            {
                partner: (message['phase'], message['is_shared'])
                for _model, partner, message in self.told
            },
            {
                self.anna.partner_id.id: ('ended', False),
                self.boris.partner_id.id: ('ended', True),
            },
            "the call counts as Anna's, and so does its result",
        )
        # the same number at two PBXs is two phones
        other = self.new_account(self.company, name="Second")
        self.env['telephony.extension'].create(
            {'number': '101', 'account_id': other.id, 'user_id': self.supervisor.id}
        )
        self.assertEqual(
            self.hear(self.event('ringing', 's1', extension='101'), account=other),
            {'tel_super': ['ringing']},
        )

    def test_his_own_phone_comes_before_one_that_he_shares(self):
        """A colleague takes the call at a phone that Boris shares, and passes it on to Boris'
        own."""
        self.account.extension_ids.filtered(
            lambda one: one.number == '101'
        ).also_user_ids = self.boris
        self.hear(
            self.event('ringing', extension='101'), self.event('answered', extension='101', at=1)
        )
        self.assertEqual(
            self.hear(self.event('transferred', extension='102', at=20))['tel_boris'], ['ringing']
        )
        self.assertEqual(
            self.hear(self.event('answered', extension='102', at=25))['tel_boris'], ['talking']
        )
        self.assertFalse(self.call()._cards()[self.boris].is_shared)

    def test_a_shared_phone_that_is_nobodys_first(self):
        phone = self.account.extension_ids.filtered(lambda one: one.number == '103')
        phone.also_user_ids = self.anna | self.boris
        self.hear(
            self.event('ringing', extension='103'), self.event('answered', extension='103', at=1)
        )
        self.assertEqual(
            [message['is_shared'] for _model, _partner, message in self.told], [False, False]
        )

    def test_two_calls_at_once(self):
        told = self.hear(
            self.event('ringing', extension='101'),
            self.event('ringing', 'c2', caller='+77010000001', extension='101'),
        )
        self.assertEqual(told, {'tel_anna': ['ringing', 'ringing']})
        self.assertEqual(len({message['id'] for _model, _id, message in self.told}), 2)

    def test_ended_before_it_was_told(self):
        self.assertEqual(
            self.hear(
                self.event('ringing', extension='101'),
                self.event('ended', at=3, outcome='abandoned'),
            ),
            {},
            "nothing flashes up",
        )
        self.assertEqual(
            self.hear(
                self.event('ringing', 'c2', at=-40, extension='101'),
                self.event('answered', 'c2', at=-30, extension='101'),
                self.event('ended', 'c2', at=-5, outcome='answered'),
            ),
            {'tel_anna': ['ended']},
            "its result can be noted",
        )
        self.assertEqual(
            self.hear(
                self.event(
                    'ended', 'c3', at=-3600, outcome='answered', extension='101', talk_seconds=60
                )
            ),
            {},
            "history disturbs nobody",
        )

    def test_repeats_disturb_nobody(self):
        ringing = self.event('ringing', extension='101')
        self.hear(ringing)
        self.assertEqual(self.hear(ringing), {})
        self.assertEqual(
            self.hear(self.event('recording', recording_url='https://records.example.com/a.mp3')),
            {},
        )

    def test_taken_back(self):
        """A call that turns out to be none leaves the screens."""
        self.hear(self.event('ringing', extension='101'))
        del self.told[:]
        self.call()._take_back()
        self.assertEqual([message['phase'] for _model, _id, message in self.told], ['closed'])

    def test_supervisors_are_told_that_something_changed(self):
        del self.ticks[:]
        self.hear(self.event('ringing', extension='101'))
        self.assertEqual(
            self.ticks,
            [(self.env.ref('crm_telephony.group_supervisor'), {'company_id': self.company.id})],
        )

    def test_cost(self):
        """Phones, who shares them, users and legs are read once for a batch, not for each call."""
        self.play(
            *(
                self.event('ringing', f'c{n}', caller=f'+7701000001{n}', extension='101')
                for n in range(5)
            )
        )
        calls = self.env['telephony.call'].search([('account_id', '=', self.account.id)])
        cards = {call: call._cards() for call in calls}
        calls._announce(cards)
        self.env.invalidate_all()
        calls.fetch(['direction', 'state', 'account_id', 'company_id', 'is_excluded', 'user_id'])
        calls.leg_ids.fetch(['extension', 'user_id', 'outcome'])
        self.account.extension_ids.fetch(['number', 'user_id'])
        with self.assertQueryCount(5):
            calls._announce(cards)


class TestRingingNow(CardCase):
    """After a reload, or a minute without the websocket."""

    def ask(self, user):
        return [
            (message['id'], message['phase'])
            for message in self.env['telephony.call'].with_user(user).ringing_now()
        ]

    def test_mine_alone(self):
        self.play(
            self.event('ringing', 'a', extension='101'),
            self.event('ringing', 'b', caller='+77010000002', extension='102'),
            self.event('ringing', 't', caller='+77010000003', extension='101'),
            self.event('answered', 't', caller='+77010000003', extension='101', at=2),
        )
        self.assertEqual(
            sorted(self.ask(self.anna)),
            sorted([(self.call('a').id, 'ringing'), (self.call('t').id, 'talking')]),
        )
        self.assertEqual(self.ask(self.boris), [(self.call('b').id, 'ringing')])
        self.assertEqual(self.ask(self.supervisor), [], "others' calls are the live board's")
        self.play(self.event('ended', 'a', at=9, outcome='missed'))
        self.assertEqual(self.ask(self.anna), [(self.call('t').id, 'talking')])

    def test_just_ended_without_a_result(self):
        """Who loads the page anew after the talk finds what is still to be noted."""
        self.play(
            self.event('ringing', extension='101', at=-60),
            self.event('answered', extension='101', at=-50),
            self.event('ended', at=-20, outcome='answered', extension='101', talk_seconds=30),
        )
        self.assertEqual(self.ask(self.anna), [(self.call().id, 'ended')])
        self.assertEqual(self.ask(self.boris), [])
        self.call().ended_at -= timedelta(minutes=4)
        self.assertEqual(self.ask(self.anna), [])
        calls = self.env['telephony.call'].with_user(self.anna)
        self.assertEqual(
            [one['id'] for one in calls.ringing_now(begun=self.call().ids)],
            self.call().ids,
            "he writes already",
        )
        self.assertEqual(
            self.env['telephony.call'].with_user(self.boris).ringing_now(begun=self.call().ids), []
        )
        self.call().ended_at += timedelta(minutes=4)
        self.call().with_user(self.anna).save_result({})
        self.assertEqual(calls.ringing_now(begun=self.call().ids), [], "it is noted")

    def test_no_telephony(self):
        self.assertEqual(
            self.env['telephony.call'].with_user(new_test_user(self.env, 'tel_x')).ringing_now(), []
        )

    def test_the_clock_is_the_servers(self):
        self.play(self.event('ringing', extension='101', at=-70))
        (message,) = self.env['telephony.call'].with_user(self.anna).ringing_now()
        self.assertAlmostEqual(message['seconds'], 70, delta=5)
        self.play(self.event('ringing', 'ahead', extension='101', at=600))
        (ahead,) = (
            message
            for message in self.env['telephony.call'].with_user(self.anna).ringing_now()
            if message['id'] == self.call('ahead').id
        )
        self.assertAlmostEqual(ahead['seconds'], 0, delta=5, msg="a PBX whose clock is ahead")

    def test_an_end_that_never_came(self):
        self.play(self.event('ringing', extension='101', at=-5 * 3600))
        self.assertEqual(self.ask(self.anna), [])

    def test_cost(self):
        """A page that is opened while nothing rings asks once."""
        self.play(self.event('ringing', extension='102'))
        calls = self.env['telephony.call'].with_user(self.boris)
        quiet = self.env['telephony.call'].with_user(self.anna)
        quiet.ringing_now()  # groups and companies are cached
        with self.assertQueryCount(1):
            self.assertEqual(quiet.ringing_now(), [])
        self.assertEqual(len(calls.ringing_now()), 1)

    def test_what_is_asked_is_newer_than_what_was_told(self):
        self.hear(self.event('ringing', extension='101'))
        (message,) = self.env['telephony.call'].with_user(self.anna).ringing_now()
        self.assertGreater(message['told_at'], self.told[0][-1]['told_at'])


class TestCard(CardCase):
    def test_known_caller(self):
        company = self.env['res.partner'].create({'name': "Romashka", 'is_company': True})
        self.partner.write({'parent_id': company.id, 'function': "Buyer"})
        lead = self.new_lead(name="Flour", expected_revenue=1500)
        self.play(self.event('ended', 'before', at=-86400, outcome='missed', extension='101'))
        self.partner.message_post(
            body="<p>Our offer</p>", message_type='email_outgoing', subtype_xmlid='mail.mt_comment'
        )
        self.partner.message_post(
            body="for colleagues", message_type='comment', subtype_xmlid='mail.mt_note'
        )
        self.play(self.event('ringing', extension='101'))
        card = self.card()
        self.assertEqual(
            {name: card['partner'][name] for name in ('id', 'name', 'company', 'function')},
            {'id': self.partner.id, 'name': "Customer", 'company': "Romashka", 'function': "Buyer"},
        )
        self.assertEqual(
            [(one['id'], one['is_linked']) for one in card['leads']], [(lead.id, True)]
        )
        self.assertIn('1,500', card['leads'][0]['amount'])
        self.assertEqual(
            [one['kind'] for one in card['contacts']],
            ['message', 'call'],
            "notes to colleagues are no contact",
        )
        self.assertIn("Our offer", card['contacts'][0]['note'])
        self.assertTrue(card['callback'])
        self.assertEqual(card['line'], DID)
        self.assertFalse(card['is_hidden'])

    def test_three_contacts_at_most(self):
        for day in range(1, 6):
            self.play(
                self.event(
                    'ended',
                    f'before{day}',
                    at=-86400 * day,
                    outcome='answered',
                    extension='101',
                    talk_seconds=60,
                )
            )
        self.play(self.event('ringing', extension='101'))
        self.assertEqual(
            [one['id'] for one in self.card()['contacts']],
            [self.call(f'before{day}').id for day in (1, 2, 3)],
        )

    def test_unknown_caller(self):
        self.play(self.event('ringing', extension='101', caller='+77019999999'))
        card = self.card()
        self.assertEqual(
            (
                card['partner'],
                card['leads'],
                card['people'],
                card['reasons'],
                card['contacts'],
                card['callback'],
            ),
            (False, [], [], [], [], False),
        )

    def test_hidden_number(self):
        self.play(self.event('ringing', extension='101', caller='anonymous'))
        card = self.card()
        self.assertEqual((card['partner'], card['leads'], card['contacts']), (False, [], []))

    def test_no_rights_on_contact_and_deal(self):
        lead = self.new_lead(name="Secret deal", user_id=self.boris.id)
        self.env['ir.rule'].create(
            {
                'name': "hidden",
                'model_id': self.env['ir.model']._get_id('res.partner'),
                'domain_force': str([('id', '!=', self.partner.id)]),
                'groups': [(4, self.env.ref('base.group_user').id)],
            }
        )
        self.play(self.event('ringing', extension='101'))
        self.assertEqual(self.call().lead_id, lead)
        card = self.card()
        self.assertEqual((card['partner'], card['leads'], card['people']), (False, [], []))
        self.assertTrue(card['is_hidden'], "he must not enter a contact that is there")
        text = json.dumps(card)
        for secret in ("Customer", "Secret deal"):
            self.assertNotIn(secret, text)

    def test_none_of_his_business(self):
        self.play(self.event('ringing', extension='101', caller='+77019999999'))
        call = self.call().with_user(self.boris)
        for name, arguments in {
            'get_card': (),
            'get_result_form': (),
            'save_result': ({'note': "x"},),
            'link_caller': (self.partner.id,),
            'create_caller': ({'kind': 'contact', 'name': "x"},),
        }.items():
            with self.subTest(name), self.assertRaises(AccessError):
                getattr(call, name)(*arguments)

    def test_call_that_is_gone(self):
        self.play(self.event('ringing', extension='101'))
        call = self.call()
        call.sudo().unlink()
        self.assertFalse(call.with_user(self.anna).get_card())

    def test_a_message_of_somebody_he_may_not_read(self):
        """A contact of another company has written about this deal: the card is there all the same,
        and names him."""
        elsewhere = self.env['res.company'].create({'name': "Elsewhere"})
        writer = self.env['res.partner'].create({'name': "Stranger", 'company_id': elsewhere.id})
        self.partner.message_post(
            body="Hello", message_type='email', author_id=writer.id, subtype_xmlid='mail.mt_comment'
        )
        self.play(self.event('ringing', extension='101'))
        self.env.invalidate_all()
        self.assertEqual(
            [(one['note'], one['text']) for one in self.card()['contacts']], [("Hello", "Stranger")]
        )

    def test_call_of_his_other_company(self):
        """He works in one of his companies, the phone of another rings: the card is as full as
        there."""
        other = self.env['res.company'].create(
            {'name': "Other", 'country_id': self.env.ref('base.kz').id}
        )
        self.anna.company_ids += other
        account = self.new_account(other)
        self.env['telephony.extension'].create(
            {'number': '501', 'account_id': account.id, 'user_id': self.anna.id}
        )
        self.partner.company_id = other
        lead = self.new_lead(name="Flour", company_id=other.id)
        stage = self.env['crm.stage'].search([('id', '!=', lead.stage_id.id)], limit=1)
        self.play(self.event('ringing', extension='501'), account=account)
        call = (
            self.call('c1', account)
            .with_user(self.anna)
            .with_context(allowed_company_ids=self.company.ids)
        )
        card = call.get_card()
        self.assertEqual(
            (card['partner']['name'], [one['name'] for one in card['leads']], card['is_hidden']),
            ("Customer", ["Flour"], False),
        )
        self.assertEqual(call.link_caller(lead_id=lead.id)['match_state'], 'manual')
        self.assertTrue(call.get_result_form()['stages'])
        call.save_result({'stage_id': stage.id})
        self.assertEqual(lead.stage_id, stage)

    def test_created_once(self):
        """Two tabs show the form of a new caller, or one is clicked once more when the answer was
        lost."""
        self.play(self.event('ringing', extension='101', caller='+77019999999'))
        call = self.call().with_user(self.anna)
        for kind, model in (('contact', 'res.partner'), ('lead', 'crm.lead')):
            before = self.env[model].search_count([])
            first = call.create_caller({'kind': kind, 'name': "New"})
            self.assertEqual(call.create_caller({'kind': kind, 'name': "New"}), first)
            self.assertEqual(self.env[model].search_count([]), before + 1, kind)

    def test_names_are_data(self):
        """What looks like HTML is passed on as it is: the browser shows it as text."""
        self.partner.name = "<img src=x onerror=alert(1)> & Sons"
        self.new_lead(name="<b>Deal</b>")
        self.play(self.event('ringing', extension='101'))
        card = self.card()
        self.assertEqual(card['partner']['name'], "<img src=x onerror=alert(1)> & Sons")
        self.assertEqual(card['leads'][0]['name'], "<b>Deal</b>")
        self.call().with_user(self.anna).save_result({'note': "<script>alert(1)</script>"})
        self.play(self.event('ended', at=9, outcome='answered', extension='101', talk_seconds=60))
        body = self.call().message_id.body
        self.assertIn("&lt;script&gt;", body)
        self.assertNotIn("<script>", body)

    def test_group_member_sees_and_settles(self):
        """The rules show him only settled calls; the one that rings at his group is his business
        all the same."""
        self.number.user_id = self.anna
        self.play(self.event('ringing', caller='+77019999999'))
        call = self.call().with_user(self.anna)
        self.assertFalse(call.has_access('read'))
        card = call.create_caller({'kind': 'contact', 'name': "New", 'company': "Firm"})
        self.assertEqual(
            (card['partner']['name'], card['partner']['company'], card['match_state']),
            ("New", "Firm", 'manual'),
        )
        self.assertEqual(self.call().partner_id.phone, '+77019999999')

    def test_group_member_after_it_is_over(self):
        """Who was told that it rings may know and change nothing of it once a colleague has it, nor
        of a lost one for ever."""
        self.new_team(self.anna, self.boris)
        self.hear(self.event('ringing', caller='+77019999999'))
        call = self.call().with_user(self.anna)
        self.assertFalse(call.has_access('read'))
        self.assertTrue(call.get_card())
        self.hear(self.event('answered', caller='+77019999999', extension='102', at=1))
        actions = {
            'get_card': (),
            'get_result_form': (),
            'save_result': ({'note': "x"},),
            'link_caller': (self.partner.id,),
        }
        for end in ((), (self.event('ended', caller='+77019999999', at=9, outcome='answered'),)):
            self.hear(*end)
            for name, arguments in actions.items():
                with self.subTest(name, end=end), self.assertRaises(AccessError):
                    getattr(call, name)(*arguments)
        self.hear(
            self.event('ringing', 'c2', caller='+77019999998'),
            self.event('ended', 'c2', caller='+77019999998', outcome='abandoned'),
        )
        lost = self.call('c2').with_user(self.anna)
        self.assertTrue(lost.get_card(), "his card stands")
        lost.sudo().ended_at -= timedelta(hours=1)
        with self.assertRaises(AccessError):
            lost.get_card()

    def test_nothing_to_create_a_contact_of(self):
        self.play(self.event('ringing', extension='101', caller='anonymous'))
        call = self.call().with_user(self.anna)
        with self.assertRaises(UserError):
            call.create_caller({'kind': 'contact', 'name': " ", 'company': ""})
        self.assertEqual(
            call.create_caller({'kind': 'contact', 'name': "Aigerim"})['partner']['name'], "Aigerim"
        )
        self.play(self.event('ringing', 'c2', extension='101', caller='anonymous'))
        self.call('c2').with_user(self.anna).create_caller({'kind': 'lead'})
        self.assertEqual(self.call('c2').lead_id.name, "Call from hidden number")

    def test_pick_the_deal(self):
        first, second = self.new_lead(name="First"), self.new_lead(name="Second")
        self.play(self.event('ringing', extension='101'))
        self.env['telephony.call'].flush_model()
        self.call().write({'lead_id': False, 'match_state': 'ambiguous'})
        self.assertEqual({one['id'] for one in self.card()['leads']}, {first.id, second.id})
        card = self.call().with_user(self.anna).link_caller(lead_id=first.id)
        self.assertEqual(
            [(one['id'], one['is_linked']) for one in card['leads']],
            [(first.id, True), (second.id, False)],
        )
        self.assertRecordValues(self.call(), [{'lead_id': first.id, 'match_state': 'manual'}])

    def test_pick_no_foreign_deal(self):
        lead = self.new_lead(user_id=self.boris.id)
        self.play(self.event('ringing', extension='101', caller='+77019999999'))
        with self.assertRaises(AccessError):
            self.call().with_user(self.anna).link_caller(lead_id=lead.id)

    def test_new_deal_knows_what_the_call_knows(self):
        source = self.env['utm.source'].create({'name': "Billboard"})
        self.number.source_id = source
        self.play(self.event('ringing', extension='101', caller='+77019999999'))
        self.call().with_user(self.anna).create_caller(
            {'kind': 'lead', 'name': "Aigerim", 'company': "Firm"}
        )
        self.assertRecordValues(
            self.call().lead_id,
            [
                {
                    'name': "Aigerim",
                    'contact_name': "Aigerim",
                    'partner_name': "Firm",
                    'phone': '+77019999999',
                    'user_id': self.anna.id,
                    'source_id': source.id,
                    'medium_id': self.env.ref('utm.utm_medium_phone').id,
                }
            ],
        )

    def test_a_deal_of_a_known_caller_is_named_after_them(self):
        self.play(self.event('ringing', extension='101'))
        self.call().with_user(self.anna).create_caller({'kind': 'lead'})
        self.assertEqual(self.call().lead_id.name, "Customer")

    def test_the_deal_names_who_has_no_contact(self):
        self.play(self.event('ringing', extension='101', caller='+77019999999'))
        card = (
            self.call()
            .with_user(self.anna)
            .create_caller({'kind': 'lead', 'name': "Aigerim", 'company': "Firm"})
        )
        self.assertEqual(
            (card['partner'], card['name'], card['company']), (False, "Aigerim", "Firm")
        )
        self.play(self.event('ringing', 'c2', extension='101', caller='+77019999999'))
        self.assertEqual(self.card(call_id='c2')['name'], "Aigerim")

    def test_a_colleagues_customer(self):
        """Whose customer it is, and how many deals; what they are about is for who may read
        them."""
        for name in ("Secret one", "Secret two"):
            self.new_lead(name=name, user_id=self.boris.id)
        self.play(self.event('ringing', extension='101'))
        card = self.card()
        self.assertEqual(
            (card['partner']['name'], card['leads'], card['is_hidden']), ("Customer", [], True)
        )
        (owner,) = card['owners']
        self.assertEqual(
            (owner['name'], owner['deals'], owner['state'], owner['phone']),
            ("Boris", 2, self.busy_or_away(self.boris), False),
            "a call that rings cannot be passed on",
        )
        self.assertNotIn("Secret", json.dumps(card))
        # whom the number is said to be is hidden too
        self.env['ir.rule'].create(
            {
                'name': "hidden",
                'model_id': self.env['ir.model']._get_id('res.partner'),
                'domain_force': str([('id', '!=', self.partner.id)]),
                'groups': [(4, self.env.ref('base.group_user').id)],
            }
        )
        card = self.card()
        self.assertEqual(([one['name'] for one in card['owners']], card['name']), (["Boris"], ""))

    def busy_or_away(self, user):
        return 'free' if user._telephony_at_work() else 'away'

    def test_pass_it_on_to_whose_customer_it_is(self):
        self.plug_in()
        self.work_around_the_clock()
        self.new_lead(user_id=self.boris.id)
        self.play(
            self.event('ringing', extension='101'), self.event('answered', extension='101', at=1)
        )
        phone = self.account.extension_ids.filtered(lambda one: one.number == '102')
        self.assertEqual(
            self.card()['owners'],
            [
                {
                    'id': self.boris.id,
                    'name': "Boris",
                    'deals': 1,
                    'state': 'free',
                    'phone': phone.id,
                }
            ],
        )
        self.play(
            self.event('ringing', 'c2', caller='+77019999999', extension='102'),
            self.event('answered', 'c2', caller='+77019999999', extension='102', at=1),
        )
        self.assertEqual(self.card()['owners'][0]['state'], 'talking')

    def test_nobody_elses_customer(self):
        """One's own, nobody's, or that of somebody who has left."""
        self.play(self.event('ringing', extension='101'))
        self.assertEqual(self.card()['owners'], [])
        self.partner.user_id = self.anna
        self.assertEqual(self.card()['owners'], [])
        self.partner.user_id = self.boris
        self.assertEqual(
            [(one['name'], one['deals']) for one in self.card()['owners']], [("Boris", 0)]
        )
        self.new_lead()
        self.assertEqual(self.card()['owners'], [], "her own deal")
        self.new_lead(user_id=self.boris.id)
        self.assertEqual(
            [(one['name'], one['deals']) for one in self.card()['owners']],
            [("Boris", 1)],
            "not hers to see",
        )
        self.boris.active = False
        self.assertEqual(self.card()['owners'], [])

    def test_the_last_note_comes_first(self):
        self.play(
            self.event(
                'ended', 'before', at=-86400, outcome='answered', extension='101', talk_seconds=60
            )
        )
        self.call('before').note = "Wants a discount for 20 sets,\ncall on Monday at 11"
        self.play(self.event('ringing', extension='101'))
        (contact,) = self.card()['contacts']
        self.assertEqual(contact['note'], "Wants a discount for 20 sets, call on Monday at 11")
        self.assertEqual(contact['text'], "Answered · 1:00 · Anna")

    def test_points_are_for_administrators(self):
        lead = self.new_lead(name="Flour")
        self.new_lead(name="Oven", user_id=self.boris.id)
        self.play(
            self.event('ringing', extension='101'),
            self.event('answered', extension='101', at=1),
            self.event('ended', at=60, outcome='answered', extension='101', talk_seconds=50),
        )
        call = self.call()
        self.assertEqual(call.lead_id, lead)
        self.anna.group_ids += self.env.ref('sales_team.group_sale_salesman_all_leads')
        card = self.card()
        self.assertNotRegex(
            card['match_reason'] + ''.join(one['why'] for one in card['leads']), r'\d\d'
        )
        self.assertFalse(card['match_points'] + ''.join(one['points'] for one in card['leads']))
        self.assertEqual(
            {one['score'] for one in call.with_user(self.anna).get_candidates()['deals']}, {0}
        )
        self.anna.group_ids += self.env.ref('crm_telephony.group_admin')
        card = self.card()
        self.assertRegex(
            card['match_points'],
            r"(?i)its salesperson Anna has the call \+\d+, in all \d+, the next deal \d+",
        )
        self.assertRegex(card['leads'][0]['points'], r'\+\d+ .*\n= \d+')

    def test_people_of_one_number(self):
        company = self.env['res.partner'].create(
            {
                'name': "Romashka",
                'is_company': True,
                'phone': '+77010000077',
                'country_id': self.env.ref('base.kz').id,
            }
        )
        people = self.env['res.partner'].create(
            [
                {
                    'name': name,
                    'parent_id': company.id,
                    'phone': '+77010000077',
                    'country_id': self.env.ref('base.kz').id,
                }
                for name in ("Aigerim", "Timur")
            ]
        )
        self.play(self.event('ringing', extension='101', caller='+77010000077'))
        card = self.card()
        self.assertEqual({one['id'] for one in card['people']}, set(people.ids))
        card = self.call().with_user(self.anna).link_caller(partner_id=people[1].id)
        self.assertEqual((card['partner']['name'], card['people']), ("Timur", []))


class TestReasons(CardCase):
    def reasons(self, user=None):
        return [reason['text'] for reason in self.card(user)['reasons']]

    def test_meeting_and_promise(self):
        self.play(self.event('ringing', extension='101'))
        self.assertEqual(self.reasons(), [])
        self.env['calendar.event'].with_user(self.anna).create(
            {
                'name': "Tasting",
                'start': fields.Datetime.now() + timedelta(hours=1),
                'stop': fields.Datetime.now() + timedelta(hours=2),
                'partner_ids': [(6, 0, self.partner.ids)],
            }
        )
        annas_today = fields.Date.context_today(self.partner.with_context(tz=self.anna.tz))
        self.partner.activity_schedule(
            'mail.mail_activity_data_todo',
            date_deadline=annas_today - timedelta(days=3),
            summary="Send the list",
            user_id=self.anna.id,
        )
        reasons = self.reasons()
        self.assertEqual(len(reasons), 2)
        self.assertIn("Tasting", reasons[0])
        self.assertEqual(reasons[1], "Due 3 days ago: Send the list")
        self.partner.activity_ids.write({'date_deadline': annas_today, 'user_id': self.boris.id})
        self.assertEqual(self.reasons()[1], "Due today: Send the list (Boris)")

    def test_what_rules_have_planned_is_nothing_that_was_promised(self):
        # as in a database of before, where it asks at once
        self.env.ref('crm_telephony.rule_short').write({'active': True, 'result_wait': 0})
        self.play(
            self.event('ringing', 'short', at=-60, extension='101'),
            self.event('answered', 'short', at=-50, extension='101'),
            self.event('ended', 'short', at=-40, outcome='answered', talk_seconds=10),
            self.event('ringing', 'lost', at=-30),
            self.event('ended', 'lost', at=-10, outcome='missed'),
        )
        lead = self.new_lead()
        automatic = self.env['mail.activity'].search(
            [
                (
                    'id',
                    'in',
                    (
                        self.env['telephony.effect'].search([]).activity_id
                        | self.callbacks().activity_id
                    ).ids,
                )
            ]
        )
        automatic.write({'date_deadline': fields.Date.today() - timedelta(days=1)})
        self.assertEqual(len(automatic), 2, "a question about the short talk, and the callback")
        self.play(self.event('ringing', extension='101'))
        self.assertEqual(self.reasons(), [])
        lead.activity_schedule(
            'mail.mail_activity_data_todo',
            date_deadline=fields.Date.today() - timedelta(days=2),
            summary="Send the list",
            user_id=self.anna.id,
        )
        self.assertEqual(len(self.reasons()), 1)

    def test_three_at_most_best_first_and_no_trouble(self):
        """Another addon's source; one that fails; one of an app that is not there."""
        model = type(self.env['telephony.call.reason'])

        def sources(this):
            def weighty(partner, leads):
                return [
                    Reason(weight, 'fa-bug', f'{weight}', 'res.partner', partner.id)
                    for weight in (10, 40, 30, 20)
                ]

            def broken(partner, leads):
                this.env.cr.execute("SELECT no_such_column FROM res_partner")

            return [('res.partner', weighty), ('res.partner', broken), ('no.such.model', broken)]

        self.play(self.event('ringing', extension='101'))
        with (
            patch.object(model, '_sources', sources),
            self.assertLogs('odoo.addons.crm_telephony', 'ERROR'),
            self.assertLogs('odoo.sql_db', 'ERROR'),
        ):
            self.assertEqual(self.reasons(), ['40', '30', '20'])


class TestTickets(CardCase):
    """Community has no helpdesk: what is asked of one, of the least that it can be."""

    def setUp(self):
        super().setUp()

        class Stage(models.Model):
            _module, _name, _description = 'crm_telephony', 'helpdesk.stage', "Stage of tickets"
            name, fold = fields.Char(), fields.Boolean()

        class Ticket(models.Model):
            _module, _name, _description = 'crm_telephony', 'helpdesk.ticket', "Ticket"
            name, partner_id = fields.Char(), fields.Many2one('res.partner')
            stage_id = fields.Many2one('helpdesk.stage')

        names = ['helpdesk.stage', 'helpdesk.ticket']
        self.addCleanup(self.registry._setup_models__, self.env.cr)
        for definition in (Stage, Ticket):
            add_to_registry(self.registry, definition)
            self.addCleanup(self.registry.__delitem__, definition._name)
        self.registry._setup_models__(self.env.cr, names)
        self.registry.init_models(self.env.cr, names, {})
        self.env['ir.model.access'].create(
            [
                {
                    'name': name,
                    'model_id': self.env['ir.model']._get_id(name),
                    'perm_read': True,
                    'group_id': self.env.ref('sales_team.group_sale_salesman').id,
                }
                for name in names
            ]
        )

    def reasons(self):
        return [(reason['text'], reason['id']) for reason in self.card()['reasons']]

    def test_the_latest_open_one_of_his_company(self):
        company = self.env['res.partner'].create({'name': "Romashka", 'is_company': True})
        self.partner.parent_id = company
        new, closed = self.env['helpdesk.stage'].create(
            [{'name': "New"}, {'name': "Solved", 'fold': True}]
        )
        tickets = self.env['helpdesk.ticket'].create(
            [
                {'name': "Wet flour", 'partner_id': self.partner.id, 'stage_id': new.id},
                {'name': "Torn bag", 'partner_id': company.id, 'stage_id': new.id},
                {'name': "Late", 'partner_id': self.partner.id, 'stage_id': closed.id},
                {
                    'name': "Somebody else's",
                    'partner_id': self.anna.partner_id.id,
                    'stage_id': new.id,
                },
            ]
        )
        self.play(self.event('ringing', extension='101'))
        self.assertEqual(self.reasons(), [("Open: Torn bag (New)", tickets[1].id)])
        self.env['ir.model.access'].search(
            [('model_id.model', '=', 'helpdesk.ticket')]
        ).perm_read = False
        self.assertEqual(self.reasons(), [], "he may not read tickets")


class TestResult(CardCase):
    def setUp(self):
        super().setUp()
        self.lead = self.new_lead(user_id=self.anna.id)
        self.activity = self.lead.activity_schedule(
            'mail.mail_activity_data_call', user_id=self.anna.id, date_deadline=fields.Date.today()
        )
        self.play(
            self.event('ringing', extension='101', at=-90),
            self.event('answered', extension='101', at=-80),
        )
        self.play(self.event('ended', at=-10, outcome='answered', extension='101'))
        self.mine = self.call().with_user(self.anna)

    def test_form(self):
        form = self.mine.get_result_form()
        names = [one['name'] for one in form['dispositions']]
        self.assertIn("Interested", names)
        self.assertEqual(form['stage_id'], self.lead.stage_id.id)
        self.assertIn(self.lead.stage_id.id, [stage['id'] for stage in form['stages']])
        self.assertEqual([one['id'] for one in form['calls_to_do']], self.activity.ids)
        self.play(
            self.event('ringing', 'c2', extension='101'),
            self.event('ended', 'c2', at=9, outcome='missed'),
        )
        without_talk = [
            one['name']
            for one in self.call('c2').with_user(self.anna).get_result_form()['dispositions']
        ]
        self.assertNotIn("Interested", without_talk)
        self.assertIn("Call again", without_talk)

    def test_one_step(self):
        stage = self.env['crm.stage'].search([('id', '!=', self.lead.stage_id.id)], limit=1)
        disposition = self.env.ref('crm_telephony.disposition_thinking')
        due = fields.Date.today() + timedelta(days=3)
        del self.told[:]
        self.mine.save_result(
            {
                'disposition_id': disposition.id,
                'note': "Asks for samples",
                'stage_id': stage.id,
                'done_ids': self.activity.ids,
                'activity': {
                    'type_id': self.env.ref('mail.mail_activity_data_call').id,
                    'date': str(due),
                    'summary': "Samples?",
                },
            }
        )
        self.assertRecordValues(
            self.call(), [{'disposition_id': disposition.id, 'note': "Asks for samples"}]
        )
        self.assertAlmostEqual(self.call().acw_seconds, 10, delta=5)
        self.assertEqual(self.lead.stage_id, stage)
        self.assertFalse(self.activity.active)
        self.assertRecordValues(
            self.lead.activity_ids,
            [
                {
                    'date_deadline': due,
                    'summary': "Samples?",
                    'user_id': self.anna.id,
                    'automated': False,
                }
            ],
        )
        self.assertIn("Asks for samples", self.call().message_id.body)
        self.assertIn(disposition.name, self.call().message_id.body)
        self.assertEqual(
            [message for _model, _id, message in self.told],
            [{'id': self.mine.id, 'phase': 'closed'}],
        )

    def test_everything_is_optional(self):
        self.mine.save_result({})
        self.assertTrue(self.call().acw_seconds)
        self.assertTrue(self.activity.active)

    def test_note_during_the_talk(self):
        self.play(
            self.event('ringing', 'c2', extension='101'),
            self.event('answered', 'c2', extension='101', at=1),
        )
        del self.told[:]
        self.call('c2').with_user(self.anna).save_result({'note': "Hm", 'is_final': False})
        self.assertRecordValues(self.call('c2'), [{'note': "Hm", 'acw_seconds': 0}])
        self.assertEqual(self.told, [])

    def test_a_colleague_wrote_meanwhile(self):
        """Who saves an older note adds to what stands there by now, and takes nothing away."""
        save = self.mine.save_result
        save({'note': "Wants flour", 'note_before': ""})
        self.call().note = "Wants flour\n40 t"  # as the colleague's form has it
        save({'note': "Wants flour, urgent", 'note_before': "Wants flour"})
        self.assertEqual(self.call().note, "Wants flour, urgent\n40 t")
        save({'note': "Call at noon", 'note_before': ""})
        self.assertEqual(self.call().note, "Wants flour, urgent\n40 t\nCall at noon")
        self.assertIn("40 t", self.call().message_id.body)
        save({'note': "", 'note_before': "Wants flour, urgent"})
        self.assertEqual(self.call().note, "40 t\nCall at noon")
        save({'note': "40 t\nCall at noon!", 'note_before': ""})
        self.assertEqual(self.call().note, "40 t\nCall at noon!", "it holds all that stood there")
        save({'note': "Call at two!", 'note_before': "Call at noon!"})
        self.assertEqual(self.call().note, "40 t\nCall at two!")
        save({'note': "", 'note_before': "40 t\nCall at two!"})
        self.assertFalse(self.call().note, "who has read it may clear it")

    def test_who_has_passed_it_on_has_talked(self):
        self.play(
            self.event('ringing', 'c2', extension='101'),
            self.event('answered', 'c2', extension='101', at=1),
            self.event('transferred', 'c2', extension='102', at=20),
        )
        for name, events in {
            'it rings at the colleague': (),
            'he talks': (self.event('answered', 'c2', extension='102', at=25),),
        }.items():
            self.play(*events)
            with self.subTest(name):
                form = self.call('c2').with_user(self.anna).get_result_form()
                self.assertTrue(form['has_talked'])
                self.assertIn("Interested", [one['name'] for one in form['dispositions']])

    def test_after_lunch(self):
        self.play(
            self.event(
                'ended', 'old', at=-7200, outcome='answered', extension='101', talk_seconds=60
            )
        )
        self.call('old').with_user(self.anna).save_result({'note': "x"})
        self.assertEqual(self.call('old').acw_seconds, 1800)

    def test_nothing_is_saved_of_what_he_may_not_do(self):
        self.lead.user_id = self.boris
        stage = self.env['crm.stage'].search([('id', '!=', self.lead.stage_id.id)], limit=1)
        before = self.lead.stage_id
        self.assertEqual(self.mine.get_result_form()['stages'], [])
        self.mine.save_result({'stage_id': stage.id, 'note': "x"})
        self.assertEqual(self.lead.stage_id, before)
        foreign = self.lead.activity_schedule('mail.mail_activity_data_call', user_id=self.boris.id)
        with self.assertRaises(AccessError):
            self.mine.save_result({'done_ids': foreign.ids})

    def test_a_note_that_another_has_logged_by_hand(self):
        """Who alone changes the call alone changes its note, through the result window too."""
        manual = (
            self.env['telephony.call']
            .with_user(self.boris)
            ._log_by_hand(
                self.company,
                {
                    'direction': 'outbound',
                    'customer_number': CUSTOMER,
                    'called_number': CUSTOMER,
                    'partner_id': self.partner.id,
                    'start_at': fields.Datetime.now(),
                    'ended_at': fields.Datetime.now(),
                    'outcome': 'no_answer',
                    'note': "Boris said",
                },
            )
        )
        with self.assertRaises(AccessError):
            manual.with_user(self.anna).save_result({'note': "Anna says"})
        self.assertEqual(manual.note, "Boris said")
