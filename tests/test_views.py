"""Every view for every role, and what the call list finds and groups."""

import re
from datetime import datetime, timedelta
from pathlib import Path

import polib

from odoo.tests import Form, TransactionCase, new_test_user, tagged
from odoo.tools import mute_logger
from odoo.tools.translate import TranslationModuleReader

from odoo.addons.crm_telephony.providers.numbers import pretty

from .common import CUSTOMER, DID, TelephonyCase

# model: view types that its action offers
VIEWS = {
    'telephony.call': ('list', 'kanban', 'form', 'calendar', 'graph', 'pivot', 'search'),
    'telephony.callback': ('list', 'kanban', 'form', 'calendar', 'graph', 'pivot', 'search'),
    'telephony.callback.reason': ('list',),
    'telephony.account': ('list', 'form', 'search'),
    'telephony.number': ('list', 'form', 'search'),
    'telephony.extension': ('list', 'form', 'search'),
    'telephony.template': ('list', 'form', 'search'),
    'telephony.softphone': ('list',),
    'telephony.call.quality': ('list', 'pivot', 'search'),
    'telephony.rule': ('list', 'form', 'search'),
    'telephony.effect': ('list', 'search'),
    'telephony.event': ('list', 'form', 'search'),
    'telephony.test.call': ('list', 'form', 'search'),
    'telephony.alarm': ('list', 'kanban', 'form', 'search'),
    'telephony.decision': ('list', 'search'),
    'telephony.disposition': ('list',),
    'telephony.listen': ('list', 'search'),
    'telephony.listen.reason': ('list',),
    'telephony.share': ('list', 'search'),
    'telephony.match.weight': ('list', 'search'),
    'telephony.erasure': ('list', 'form', 'search'),
    'telephony.recording': ('list', 'form', 'pivot', 'graph', 'search'),
    'telephony.transcript': ('list', 'form', 'pivot', 'graph', 'search'),
    'telephony.speech.engine': ('list', 'form'),
    'telephony.speech.route': ('list', 'form'),
    'telephony.source.cost': ('list', 'search'),
    'telephony.milestone': ('list',),
    'telephony.recompute': ('list', 'form'),
    'telephony.completeness': ('list', 'kanban', 'graph', 'search'),
    'telephony.completeness.line': ('list', 'kanban'),
    'telephony.comparison': ('list', 'kanban', 'form'),
    'telephony.reprocess': ('list', 'kanban', 'form'),
    'telephony.reprocess.line': ('list', 'kanban'),
    'telephony.retention.rule': ('list', 'form', 'search'),
    'telephony.hold': ('list', 'form', 'search'),
    'crm.lead': ('form',),
    'res.partner': ('form',),
    'crm.team': ('form',),
}
ADMIN_ONLY = {
    'telephony.template',
    'telephony.speech.engine',
    'telephony.speech.route',
    'telephony.event',
    'telephony.alarm',
    'telephony.test.call',
    'telephony.softphone',
    'telephony.share',
    'telephony.recompute',
    'telephony.completeness',
    'telephony.completeness.line',
    'telephony.comparison',
    'telephony.reprocess',
    'telephony.reprocess.line',
    'telephony.source.cost',
    'telephony.milestone',
    'telephony.retention.rule',
    'telephony.hold',
    'telephony.erasure',
}
I18N = Path(__file__).parent.parent / 'i18n'


def exported():
    return {entry.msgid for entry in polib.pofile(I18N / 'crm_telephony.pot')}


class TestViews(TelephonyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = new_test_user(
            cls.env, 'tel_admin', groups='base.group_user,crm_telephony.group_admin'
        )
        cls.outsider = new_test_user(
            cls.env, 'tel_outsider', groups='base.group_user,sales_team.group_sale_salesman'
        )

    def test_every_view_for_every_role(self):
        for user in (self.anna, self.supervisor, self.admin):
            for model, types in VIEWS.items():
                if model in ADMIN_ONLY and user != self.admin:
                    continue
                with self.subTest(user=user.login, model=model):
                    views = (
                        self.env[model].with_user(user).get_views([(False, kind) for kind in types])
                    )
                    made_up = [kind for kind, view in views['views'].items() if not view['id']]
                    self.assertEqual(made_up, [], "Odoo makes one up where there is none")

    def test_every_action_has_its_views_and_a_clean_address(self):
        actions = (
            self.env['ir.actions.act_window']
            .search([('res_model', '=like', 'telephony.%')])
            .filtered(lambda action: not self.env[action.res_model]._transient)
        )
        self.assertEqual(
            set(actions.mapped('res_model')),
            {model for model in VIEWS if model.startswith('telephony.')},
        )
        for action in actions:
            with self.subTest(action=action.name):
                self.assertTrue(action.path.startswith('telephony-'))
                self.assertLessEqual(set(action.view_mode.split(',')), set(VIEWS[action.res_model]))

    def test_menus_of_each_role(self):
        def names(user):
            shown = self.env['ir.ui.menu'].with_user(user).load_menus(False)
            return {
                name
                for name in (
                    'call',
                    'callback',
                    'account',
                    'number',
                    'extension',
                    'rule',
                    'match_weight',
                    'event',
                )
                if self.env.ref(f'crm_telephony.telephony_{name}_menu').id in shown
            }

        self.assertEqual(names(self.outsider), set())
        self.assertEqual(names(self.anna), {'call', 'callback'})
        self.assertEqual(names(self.supervisor), {'call', 'callback'})
        self.assertEqual(
            names(self.admin),
            {'call', 'callback', 'account', 'number', 'extension', 'rule', 'match_weight', 'event'},
        )

    def test_forms_without_telephony(self):
        """Who has no telephony rights works with deals and contacts as before."""
        lead = self.new_lead(user_id=self.outsider.id)
        for record, view in (
            (lead, 'crm.crm_lead_view_form'),
            (self.partner, 'base.view_partner_form'),
        ):
            with self.subTest(model=record._name):
                arch = record.with_user(self.outsider).get_view(self.env.ref(view).id, 'form')[
                    'arch'
                ]
                self.assertNotIn('name="telephony', arch)
                self.assertNotIn('telephony_call_ids', arch)
                with Form(record.with_user(self.outsider), view) as form:
                    form.name = "Renamed"
                self.assertEqual(record.name, "Renamed")

    def test_secrets_are_not_in_the_form_of_others(self):
        for user, seen in ((self.anna, False), (self.supervisor, False), (self.admin, True)):
            arch = self.env['telephony.account'].with_user(user).get_view(view_type='form')['arch']
            for name in ('api_secret"', 'webhook_url"', 'action_rotate_token'):
                with self.subTest(user=user.login, name=name):
                    self.assertEqual(name in arch, seen)

    def test_call_form_keeps_the_choice_of_a_person(self):
        self.play(self.event('ended', outcome='missed'))
        lead = self.new_lead()
        with Form(self.call().with_user(self.anna)) as form:
            form.lead_id = lead
            form.note = "Wants an offer"
        self.assertRecordValues(
            self.call(),
            [
                {
                    'lead_id': lead.id,
                    'partner_id': self.partner.id,
                    'match_state': 'manual',
                    'note': "Wants an offer",
                }
            ],
        )

    def test_calls_of_deals_that_one_may_not_read(self):
        """A supervisor sees all calls, but not everybody's deals: he sees their names and may open
        the call."""
        lead = self.new_lead()
        self.play(
            self.event('ringing', extension='101'), self.event('ended', at=20, outcome='missed')
        )
        self.assertEqual(self.call().lead_id, lead)
        self.assertFalse(lead.with_user(self.supervisor).has_access('read'))
        call = self.call().with_user(self.supervisor)
        [values] = call.web_read({'lead_id': {'fields': {'display_name': {}}}, 'display_name': {}})
        self.assertEqual(values['lead_id']['display_name'], lead.name)
        with Form(call) as form:
            form.note = "Listened to it"
        self.assertEqual(self.call().note, "Listened to it")


class TestCallSearch(TelephonyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.deal = cls.new_lead(name="Twenty tons of flour")
        inbound = {
            'account_id': cls.account.id,
            'direction': 'inbound',
            'state': 'ended',
            'outcome': 'missed',
        }
        cls.known, cls.london, cls.internal, cls.hidden = cls.env['telephony.call'].create(
            [
                {
                    **inbound,
                    'external_id': 'known',
                    'caller_number': CUSTOMER,
                    'called_number': DID,
                    'customer_number': CUSTOMER,
                    'partner_id': cls.partner.id,
                    'lead_id': cls.deal.id,
                },
                {
                    **inbound,
                    'external_id': 'london',
                    'caller_number': '+442079460111',
                    'called_number': DID,
                    'customer_number': '+442079460111',
                },
                {
                    **inbound,
                    'external_id': 'internal',
                    'direction': 'internal',
                    'caller_number': '101',
                    'called_number': '8123',
                },
                {**inbound, 'external_id': 'hidden', 'called_number': DID},
            ]
        )
        cls.calls = cls.known | cls.london | cls.internal | cls.hidden

    def find(self, text, operator='ilike'):
        return self.calls.search([('number_search', operator, text), ('id', 'in', self.calls.ids)])

    def test_any_part_of_a_number_in_any_spelling(self):
        for text, found in (
            ('+77771234567', self.known),
            ('87771234567', self.known),
            ('8 (777) 123-45-67', self.known),
            ('7777123', self.known),
            ('8777', self.known),
            ('123 45', self.known),
            ('4567', self.known),
            ('0077771234567', self.known),
            ('00442079460111', self.london),
            ('020 7946', self.london),
            ('+44 20', self.london),
            ('8123', self.internal),
            ('999', self.calls.browse()),
            ('+', self.calls.browse()),
        ):
            with self.subTest(text=text):
                self.assertEqual(self.find(text), found)

    def test_a_name_finds_contact_and_deal(self):
        self.assertEqual(self.find("Customer"), self.known)
        self.assertEqual(self.find("flour"), self.known)
        self.assertEqual(self.find("nobody of this name"), self.calls.browse())

    def test_who(self):
        self.assertEqual(
            [call.who for call in (self.known, self.london, self.internal, self.hidden)],
            [pretty(CUSTOMER), '+44 20 7946 0111', '101 → 8123', "hidden number"],
        )

    def test_grouped_by_hour_of_the_persons_day(self):
        self.known.start_at = datetime(2026, 3, 10, 20, 30)
        self.london.start_at = datetime(2026, 3, 11, 20, 59)
        self.internal.start_at = datetime(2026, 3, 11, 4, 0)
        model = self.calls.with_context(tz='Asia/Almaty')
        domain = [('id', 'in', self.calls.ids), ('start_at', '!=', False)]
        groups = model.formatted_read_group(domain, ['start_hour'], ['__count'])
        self.assertEqual(
            [(group['start_hour'], group['__count']) for group in groups], [(1, 2), (9, 1)]
        )
        for group in groups:
            self.assertEqual(model.search_count(domain + group['__extra_domain']), group['__count'])
        self.assertEqual(self.known.with_context(tz='Asia/Almaty').start_hour, 1)

    def test_filters_of_days(self):
        midnight = datetime.now().replace(hour=0, minute=0, second=0, microsecond=0)
        self.known.start_at = midnight + timedelta(minutes=1)
        self.london.start_at = midnight - timedelta(minutes=1)
        model = self.calls.with_context(tz='UTC')
        self.env.user.tz = 'UTC'
        own = ('id', 'in', self.calls.ids)
        self.assertEqual(model.search([own, ('start_at', '>=', 'today')]), self.known)
        self.assertEqual(
            model.search([own, ('start_at', '>=', 'today -1d'), ('start_at', '<', 'today')]),
            self.london,
        )


@tagged('post_install', '-at_install', 'crm_telephony')
class TestTranslations(TransactionCase):
    def test_every_text_is_exported(self):
        """i18n/crm_telephony.pot is what `odoo i18n export` would write today."""
        with mute_logger('odoo.tools.translate'):
            reader = TranslationModuleReader(self.env.cr, modules=['crm_telephony'])
        now = {source for _module, _type, _name, _id, source, _value, _comments in reader}
        self.assertEqual(exported(), now)

    def test_russian_and_kazakh_are_complete(self):
        """Every exported text is translated and keeps its placeholders and tags."""

        def kept(text):
            return sorted(re.findall(r'%\(\w+\)s|</?(?:i|span|b)\b', text))

        for language in ('ru', 'kk'):
            entries = polib.pofile(I18N / f'{language}.po')
            self.assertEqual({entry.msgid for entry in entries}, exported())
            for entry in entries:
                with self.subTest(language, text=entry.msgid):
                    self.assertTrue(entry.msgstr and not entry.fuzzy)
                    self.assertEqual(kept(entry.msgstr), kept(entry.msgid))
