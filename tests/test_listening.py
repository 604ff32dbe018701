"""Who listens, and the log of it: whichever way they take, they hear what the rules allow, and each
listening is exactly one line."""

import json
from contextlib import closing
from datetime import timedelta
from unittest.mock import patch
from xmlrpc.client import Fault

from odoo import Command, fields
from odoo.exceptions import AccessError, MissingError, UserError
from odoo.tests import Form, JsonRpcException, new_test_user
from odoo.tools import mute_logger

from .common import CUSTOMER, TelephonyHttpCase

WHY = "a test"
SOUND = b'RIFF' + bytes(range(256)) * 40
# Boris has talked; Leila leads his team, Saule is a supervisor, Pia of the Privacy group, Alma an
# administrator, Asel one of the settings too. Anna is a colleague, Pavel leads another team, Zoe
# administers another company, Sven the settings alone, Egor is an employee, Petra a portal user.
ROLES = (
    *('boris', 'leila', 'saule', 'pia', 'alma', 'asel'),
    *('anna', 'pavel', 'zoe', 'sven', 'egor', 'petra'),
)
# Who gets through: with what rights, and how many lines it writes for each.
WAYS = {
    "reads the recording": ('boris leila saule pia alma asel', 0),
    "reads it by XML-RPC": ('boris leila saule pia alma asel', 0),
    "reads it by JSON-2": ('boris leila saule pia alma asel', 0),
    "finds it": ('boris leila saule pia alma asel', 0),
    "opens it": ('boris leila saule pia alma asel', 1),
    "plays its address": ('boris leila saule alma asel', 1),
    "downloads it": ('saule alma asel', 1),
    "shares it": ('saule alma asel', 0),
    "reads its link": ('saule alma asel', 0),
    "exports its link": ('', 0),
    "exports the links of the call": ('', 0),
    "reads the sound": ('', 0),
    "exports the sound": ('', 0),
    "/web/content of the field": ('', 0),
    "/web/image of the field": ('', 0),
    "/web/content of the attachment": ('', 0),
    "/web/image of the attachment": ('', 0),
    "reads the attachment": ('', 0),
    "reads the attachment by XML-RPC": ('', 0),
    "reads the attachment by JSON-2": ('', 0),
    "reads the attachment through the recording": ('', 0),
    "exports the attachment": ('', 0),
    "finds the attachment": ('', 0),
    "finds and reads the attachment": ('', 0),
    "counts by its sum": ('', 0),
    "groups by its contents": ('', 0),
    "copies the attachment": ('', 0),
    "makes it somebody else's": ('', 0),
    "makes it public": ('', 0),
    "makes a token of it": ('', 0),
    "deletes the attachment": ('', 0),
    "posts the attachment": ('', 0),
    "mails the attachment": ('', 0),
}
QUIET = (
    'odoo.addons.base.models.ir_model',
    'odoo.addons.base.models.ir_rule',
    'odoo.http',
    'odoo.models',
    'odoo.service.model',
)


class ListeningCase(TelephonyHttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        user, telephony = 'base.group_user', 'crm_telephony.group'

        def new(name, *groups, **values):
            return new_test_user(
                cls.env,
                f'tel_{name}',
                groups=','.join((user, *groups)),
                name=name.title(),
                password=f'tel_{name}',
                **values,
            )

        other = cls.env['res.company'].create({'name': "Other"})
        cls.users = {
            'boris': cls.boris,
            'anna': cls.anna,
            'leila': new('leila', f'{telephony}_user'),
            'pavel': new('pavel', f'{telephony}_user'),
            'saule': cls.supervisor,
            'pia': new('pia', f'{telephony}_privacy'),
            'alma': new('alma', f'{telephony}_admin'),
            'zoe': new(
                'zoe', f'{telephony}_admin', company_id=other.id, company_ids=[(6, 0, other.ids)]
            ),
            'asel': new('asel', f'{telephony}_admin', 'base.group_system'),
            'sven': new('sven', 'base.group_system'),
            'egor': new('egor'),
            'petra': new_test_user(
                cls.env, 'tel_petra', groups='base.group_portal', password='tel_petra'
            ),
        }
        cls.team, cls.other_team = cls.env['crm.team'].create(
            [
                {
                    'name': "South",
                    'user_id': cls.users['leila'].id,
                    'crm_team_member_ids': [Command.create({'user_id': cls.boris.id})],
                },
                {
                    'name': "North",
                    'user_id': cls.users['pavel'].id,
                    'crm_team_member_ids': [Command.create({'user_id': cls.anna.id})],
                },
            ]
        )

    def setUp(self):
        super().setUp()
        self.recording = self.talk()

    def talk(self, call_id='c1', **more):
        """A talk of Boris's, of a minute, of whose recording we have a copy."""
        self.play(
            self.event(
                'ended',
                call_id,
                **{'outcome': 'answered', 'extension': '102', 'talk_seconds': 60, **more},
            ),
            self.event(
                'recording', call_id, 1, recording_url=f'https://records.example.com/{call_id}.mp3'
            ),
        )
        recording = self.call(call_id).recording_ids
        recording._store_sound(SOUND, 'audio/wav')
        self.env.flush_all()
        return recording

    def as_user(self, name):
        login = self.users[name].login
        self.authenticate(login, login)

    def place(self, *parts):
        return '/'.join(map(str, ('/telephony/recording', self.recording.id, *parts)))

    def open(self, recording=None, **params):
        """What the browser of the present user is answered when it begins a listening."""
        recording = recording or self.recording
        with mute_logger(*QUIET):
            return self.make_jsonrpc_request(f'/telephony/recording/{recording.id}/open', params)

    def status(self, path, **headers):
        with mute_logger(*QUIET):
            return self.url_open(path, headers=headers, allow_redirects=False).status_code

    def lines(self, recording=None):
        self.env.invalidate_all()
        return self.env['telephony.listen'].search(
            [('recording_id', '=', (recording or self.recording).id)], order='id'
        )

    def reason(self, name='quality'):
        return self.env.ref(f'crm_telephony.listen_reason_{name}')


class TestWhoListens(ListeningCase):
    def setUp(self):
        super().setUp()
        self.keys = {
            name: self.env['res.users.apikeys']
            .with_user(self.users[name])
            .sudo()
            ._generate('rpc', "test", fields.Datetime.now() + timedelta(days=1))
            for name in ROLES
        }
        self.leads = {name: self.new_lead(user_id=self.users[name].id) for name in ROLES}

    def tries(self, name):
        """Each way, as a function that returns what was got, false where nothing was."""
        mine = self.recording.with_user(self.users[name])
        sound = self.recording.attachment_id.with_user(self.users[name])
        about = [('res_model', '=', 'telephony.recording'), ('res_field', '=', 'sound')]

        def is_sound(path):
            response = self.url_open(path, allow_redirects=False)
            return response.status_code == 200 and response.content == SOUND

        def xmlrpc(records, columns):
            return self.xmlrpc_object.execute(
                self.env.cr.dbname,
                self.users[name].id,
                self.keys[name],
                records._name,
                'read',
                records.ids,
                columns,
            )

        def json2(records, columns):
            response = self.url_open(
                f'/json/2/{records._name}/read',
                headers={'Authorization': f'bearer {self.keys[name]}'},
                json={'ids': records.ids, 'fields': columns},
            )
            return response.status_code == 200 and response.json()

        return {
            "reads the recording": lambda: mine.read(['state', 'duration']),
            "reads it by XML-RPC": lambda: xmlrpc(mine, ['state']),
            "reads it by JSON-2": lambda: json2(mine, ['state']),
            "finds it": lambda: mine.search([('id', '=', mine.id)]),
            "opens it": lambda: self.open(reason_id=self.reason().id)['url'],
            "plays its address": lambda: is_sound(self.place()),
            "downloads it": lambda: is_sound(self.place('download')),
            "shares it": lambda: mine._share(),
            "reads its link": lambda: mine.read(['url'])[0]['url'],
            "exports its link": lambda: mine.export_data(['url']),
            "exports the links of the call": lambda: mine.call_id.export_data(
                ['recording_ids/url']
            ),
            "reads the sound": lambda: mine.read(['sound']),
            "exports the sound": lambda: mine.export_data(['sound']),
            "/web/content of the field": lambda: is_sound(
                f'/web/content/telephony.recording/{mine.id}/sound'
            ),
            "/web/image of the field": lambda: is_sound(
                f'/web/image/telephony.recording/{mine.id}/sound'
            ),
            "/web/content of the attachment": lambda: is_sound(f'/web/content/{sound.id}'),
            "/web/image of the attachment": lambda: is_sound(f'/web/image/{sound.id}'),
            "reads the attachment": lambda: sound.read(['raw', 'checksum']),
            "reads the attachment by XML-RPC": lambda: xmlrpc(sound, ['datas']),
            "reads the attachment by JSON-2": lambda: json2(sound, ['datas']),
            "reads the attachment through the recording": lambda: mine.web_read(
                {'attachment_id': {'fields': {'datas': {}}}}
            ),
            "exports the attachment": lambda: mine.export_data(['attachment_id/datas']),
            "finds the attachment": lambda: sound.search(about)
            | sound.search([('id', '=', sound.id)]),
            "finds and reads the attachment": lambda: sound.search_read(about, ['datas']),
            "counts by its sum": lambda: sound.search_count(
                [*about, ('checksum', '=', sound.sudo().checksum)]
            ),
            "groups by its contents": lambda: sound.formatted_read_group(
                about, ['checksum'], ['db_datas:array_agg']
            ),
            "copies the attachment": lambda: sound.copy(),
            "makes it somebody else's": lambda: sound.write(
                {'res_model': 'crm.lead', 'res_id': self.leads[name].id, 'res_field': False}
            ),
            "makes it public": lambda: sound.write({'public': True}),
            "makes a token of it": lambda: sound.generate_access_token(),
            "deletes the attachment": lambda: sound.unlink(),
            "posts the attachment": lambda: self.users[name]
            .with_user(self.users[name])
            .partner_id.message_post(body="Listen", attachment_ids=sound.ids)
            .attachment_ids.read(['datas']),
            "mails the attachment": lambda: mine.env['mail.mail'].create(
                {'subject': "Listen", 'attachment_ids': [Command.link(sound.id)]}
            ),
        }

    @mute_logger(*QUIET)
    def got(self, role, way):
        """Whether this role gets something this way, and whose lines it wrote; nothing of it
        stays."""
        self.env.invalidate_all()
        with closing(self.env.cr.savepoint()):
            try:
                got = bool(self.tries(role)[way]())
            except (AccessError, UserError, MissingError, Fault, JsonRpcException):
                got = False
            return got, self.lines().mapped('user_id.login')

    def test_each_role_by_each_way(self):
        self.assertEqual(self.tries('boris').keys(), WAYS.keys())
        for role in ROLES:
            self.as_user(role)
            for way, (allowed, count) in WAYS.items():
                with self.subTest(role=role, way=way):
                    is_allowed = role in allowed.split()
                    lines = [self.users[role].login] * count * is_allowed
                    self.assertEqual(self.got(role, way), (is_allowed, lines))

    def test_other_attachments_are_unharmed(self):
        sven = self.users['sven']
        attachments = self.env['ir.attachment'].create(
            [
                {
                    'name': "of a contact",
                    'raw': b'x',
                    'res_model': 'res.partner',
                    'res_id': self.partner.id,
                },
                {'name': "of nothing", 'raw': b'y'},
            ]
        )
        mine = attachments.with_user(sven)
        self.assertEqual(mine.mapped('raw'), [b'x', b'y'])
        self.assertEqual(mine.search([('id', 'in', mine.ids)]), mine)
        self.assertEqual(mine.search([('name', 'in', ("of a contact", "of nothing"))]), mine)
        self.assertTrue(mine.search_read([('res_field', '!=', False)], ['name'], limit=5))
        anna = attachments[:1].with_user(self.anna)
        self.assertEqual(anna.search([('res_model', '=', 'res.partner')]) & anna, anna)


class TestTeamLeaders(ListeningCase):
    def hears(self, name, recording=None):
        self.env.flush_all()
        recording = (recording or self.recording).with_user(self.users[name])
        found = recording.search([('id', '=', recording.id)])
        self.assertEqual(bool(found), recording.has_access('read'))
        if found:
            self.assertTrue(recording.call_id.has_access('read'))
        return bool(found)

    def test_of_whoever_is_a_member_now(self):
        self.assertTrue(self.hears('leila'))
        membership = self.team.crm_team_member_ids
        for undo, change in (
            (
                lambda: membership.write({'active': True}),
                lambda: membership.write({'active': False}),
            ),
            (
                lambda: self.team.write({'user_id': self.users['leila'].id}),
                lambda: self.team.write({'user_id': self.users['egor'].id}),
            ),
            (lambda: self.team.write({'active': True}), lambda: self.team.write({'active': False})),
        ):
            change()
            self.assertFalse(self.hears('leila'))
            undo()
            self.assertTrue(self.hears('leila'))
        membership.unlink()
        self.assertFalse(self.hears('leila'))
        self.env['crm.team.member'].create(
            {'crm_team_id': self.other_team.id, 'user_id': self.boris.id}
        )
        self.assertTrue(self.hears('pavel'))

    def test_also_if_a_member_got_the_call_from_somebody(self):
        self.play(
            self.event('answered', 'c2', extension='101'),
            self.event('answered', 'c2', 30, extension='102'),
            self.event('ended', 'c2', 60, outcome='answered', extension='101', talk_seconds=60),
            self.event('recording', 'c2', 61, recording_url='https://records.example.com/c2.mp3'),
        )
        self.assertEqual(self.call('c2').user_id, self.anna)
        self.assertTrue(self.hears('leila', self.call('c2').recording_ids))

    def test_no_messages_and_no_calls_that_only_rang(self):
        stranger = {'caller': '+77015550011'}
        self.play(
            self.event('ringing', 'c2', extension='102', **stranger),
            self.event('ended', 'c2', 20, outcome='voicemail', **stranger),
            self.event('recording', 'c2', 21, recording_url='https://records.example.com/c2.mp3'),
        )
        message = self.call('c2').recording_ids
        self.assertTrue(self.hears('boris', message))
        self.assertFalse(self.hears('leila', message))
        self.assertFalse(self.call('c2').with_user(self.users['leila']).has_access('read'))

    def test_they_hear_and_change_nothing(self):
        call = self.recording.call_id
        lead = self.new_lead(user_id=self.anna.id)
        call.write({'lead_id': lead.id, 'partner_id': False})
        call = call.with_user(self.users['leila'])
        self.assertTrue(call.has_access('read'))
        self.assertFalse(call.has_access('write'))
        self.assertFalse(call.sudo(False)._is_supervised_by(self.users['leila']))

    def test_nobody_makes_themselves_a_leader(self):
        for act in (
            lambda: self.team.with_user(self.users['pavel']).write(
                {'user_id': self.users['pavel'].id}
            ),
            lambda: self.env['crm.team.member']
            .with_user(self.users['pavel'])
            .create({'crm_team_id': self.other_team.id, 'user_id': self.boris.id}),
        ):
            with self.assertRaises(AccessError), mute_logger(*QUIET):
                act()

    def test_who_leads_nobody_pays_nothing(self):
        """Their queries hold no trace of it, and stay as fast as they were."""

        def queries():
            return [
                str(self.env[model].with_user(self.anna)._search([]).select())
                for model in ('telephony.call', 'telephony.recording', 'telephony.call.leg')
            ]

        before = queries()
        for name in ('call', 'recording', 'call_leg'):
            self.env.ref(f'crm_telephony.telephony_{name}_rule_led').active = False
        self.assertTrue(all('telephony' in query for query in before))
        self.assertEqual(queries(), before)


class TestListeningLog(ListeningCase):
    def test_a_play_is_one_line_whatever_the_player_asks_for(self):
        self.as_user('saule')
        url = self.open(reason_text="  Said\n10 %? ")['url']
        whole = self.url_open(url)
        self.assertEqual((whole.status_code, whole.content), (200, SOUND))
        for byte_range in ('bytes=0-', 'bytes=100-199', 'bytes=5000-'):
            self.assertEqual(self.status(url, Range=byte_range), 206)
        [line] = self.lines()
        self.assertRecordValues(
            line,
            [
                {
                    'user_id': self.supervisor.id,
                    'who': "Saule",
                    'kind': 'play',
                    'call_id': self.recording.call_id.id,
                    'company_id': self.company.id,
                    'talker_id': self.boris.id,
                    'talked_at': self.recording.call_id.start_at,
                    'reason_text': "Said 10 %?",
                    'ip': '127.0.0.1',
                }
            ],
        )
        self.open()
        self.assertEqual(len(self.lines()), 2)

    def test_an_address_without_a_token_is_logged_too(self):
        self.as_user('boris')
        for byte_range in ('bytes=0-', 'bytes=100-199', 'bytes=5000-'):
            self.assertEqual(self.status(self.place(), Range=byte_range), 206)
        self.assertEqual(self.lines().mapped('user_id'), self.boris)
        self.assertEqual(len(self.lines()), 1)
        self.env.cr.execute("UPDATE telephony_listen SET at = at - interval '11 minutes'")
        self.assertEqual(self.status(self.place()), 200)
        self.assertEqual(len(self.lines()), 2)

    def test_a_token_is_good_for_its_user_recording_and_time(self):
        other = self.talk('c2')
        self.as_user('boris')
        url = self.open()['url']
        self.as_user('saule')
        self.assertEqual(self.status(url), 200)
        self.assertEqual(self.lines().mapped('user_id'), self.boris | self.supervisor)
        self.as_user('anna')
        self.assertEqual(self.status(url), 403)
        self.as_user('boris')
        token = url.partition('?')[2]
        self.assertEqual(self.status(f'/telephony/recording/{other.id}?{token}'), 200)
        self.assertEqual(len(self.lines(other)), 1)
        self.assertEqual(len(self.lines()), 2)
        # a play is no download
        self.company.telephony_download = 'all'
        self.assertEqual(self.status(f'{self.place("download")}?{token}'), 200)
        self.assertEqual(self.lines().mapped('kind'), ['play', 'play', 'download'])
        with patch.object(
            type(self.recording), '_listening_time', return_value=timedelta(seconds=-1)
        ):
            expired = self.open()['url']
            self.assertEqual(self.status(expired), 200)
        self.assertEqual(len(self.lines()), 5)
        for nonsense in ('', 'x', 'A' * 50, '%00', 'ф', 'AQ', '=', token[2:-4]):
            self.assertEqual(self.status(f'{self.place()}?t={nonsense}'), 200, nonsense)

    def test_a_long_talk_is_heard_to_its_end(self):
        self.assertEqual(self.recording._listening_time(), timedelta(minutes=10))
        self.recording.call_id.talk_seconds = 3600
        self.assertEqual(self.recording._listening_time(), timedelta(hours=2))
        self.recording.duration = 1800
        self.assertEqual(self.recording._listening_time(), timedelta(hours=1))

    def test_who_may_hear_no_more_hears_no_more(self):
        self.as_user('leila')
        url = self.open()['url']
        self.assertEqual(self.status(url), 200)
        self.team.crm_team_member_ids.unlink()
        self.env.flush_all()
        self.assertEqual(self.status(url), 403)
        self.assertEqual(len(self.lines()), 1)

    def test_what_is_deleted_is_not_found(self):
        self.as_user('saule')
        url = self.open()['url']
        self.recording._delete_sound(WHY)
        self.env.flush_all()
        for path in (url, self.place(), self.place('download'), '/telephony/recording/999999999'):
            self.assertEqual(self.status(path), 404, path)
        with self.assertRaises(JsonRpcException) as refused:
            self.open()
        self.assertEqual(refused.exception.code, 404)
        self.assertEqual(self.beacon(url).status_code, 404)
        self.assertEqual(len(self.lines()), 1)

    def test_the_system_reads_without_a_line(self):
        self.assertEqual(self.recording.sudo().attachment_id.raw, SOUND)
        self.assertFalse(self.lines())

    # --- why --------------------------------------------------------------------------------------

    def test_a_reason_where_the_company_wants_one(self):
        asked = {
            'never': {'boris': False, 'leila': False, 'saule': False, 'alma': False, 'pia': True},
            'others': {'boris': False, 'leila': True, 'saule': True, 'alma': True, 'pia': True},
            'always': {'boris': True, 'leila': True, 'saule': True, 'alma': True, 'pia': True},
        }
        for policy, roles in asked.items():
            self.company.telephony_listen_reason = policy
            for role, is_asked in roles.items():
                with self.subTest(policy=policy, role=role):
                    self.as_user(role)
                    before = len(self.lines())
                    answer = self.open()
                    self.assertEqual('reasons' in answer, is_asked)
                    self.assertEqual(len(self.lines()) - before, 0 if is_asked else 1)
                    if is_asked:
                        self.assertEqual(
                            [reason['name'] for reason in answer['reasons']][2], "Training"
                        )
                        self.assertEqual(self.status(self.place()), 403)
                        self.assertEqual(len(self.lines()), before)
                    self.assertIn('url', self.open(reason_id=self.reason().id))
                    self.env.cr.execute("UPDATE telephony_listen SET at = at - interval '1 day'")

    def test_what_is_no_reason(self):
        self.company.telephony_listen_reason = 'always'
        self.reason('training').active = False
        self.env.flush_all()
        self.as_user('saule')
        for given in (
            {'reason_id': 10**12},
            {'reason_id': -1},
            {'reason_id': True},
            {'reason_id': 'x'},
            {'reason_id': [self.reason().id]},
            {'reason_id': self.reason('training').id},
            {'reason_text': "  \n "},
            {'reason_text': 7},
            {'reason_text': ["why"]},
        ):
            self.assertIn('reasons', self.open(**given), given)
        self.assertFalse(self.lines())
        self.assertIn('url', self.open(reason_id=self.reason().id, reason_text="x" * 5000))
        [line] = self.lines()
        self.assertEqual((line.reason_id, line.reason_text), (self.reason(), "x" * 200))

    # --- downloads ----------------------------------------------------------------------------------

    def test_who_downloads(self):
        for policy, allowed in (('nobody', ''), ('supervisors', 'saule'), ('all', 'saule boris')):
            self.company.telephony_download = policy
            for role in ('saule', 'boris'):
                with self.subTest(policy=policy, role=role):
                    self.as_user(role)
                    may = role in allowed
                    self.env.invalidate_all()
                    self.assertEqual(self.recording.with_user(self.users[role]).can_download, may)
                    before = len(self.lines())
                    self.assertEqual(self.status(self.place('download')), 200 if may else 403)
                    if may:
                        response = self.url_open(self.open(kind='download')['url'])
                        self.assertEqual(response.content, SOUND)
                        self.assertRegex(
                            response.headers['Content-Disposition'],
                            rf'^attachment; .*recording-{self.recording.id}\.(wav|wave)',
                        )
                    else:
                        with self.assertRaises(JsonRpcException):
                            self.open(kind='download')
                    self.assertEqual(
                        self.lines()[before:].mapped('kind'), ['download'] * 2 if may else []
                    )

    # --- how far ------------------------------------------------------------------------------------

    def beacon(self, url, second='1', **more):
        token = url.partition('t=')[2]
        with mute_logger(*QUIET):
            return self.url_open(self.place('heard'), data={'t': token, 'second': second, **more})

    def test_the_furthest_second(self):
        self.as_user('boris')
        url = self.open()['url']
        for second, furthest in (('12.7', 12), ('40', 40), ('7', 40), ('0', 40)):
            self.assertEqual(self.beacon(url, second).status_code, 204)
            self.assertEqual(self.lines().furthest_second, furthest)
        for second in ('', '-1', 'NaN', 'inf', '1e9', '²', 'x'):
            self.assertEqual(self.beacon(url, second).status_code, 404, second)
        self.assertEqual(self.beacon(url, '9' * 40).status_code, 204)
        self.assertEqual(self.lines().furthest_second, 86400)
        self.as_user('saule')
        self.assertEqual(self.beacon(url, '50').status_code, 404)
        self.assertEqual(self.beacon('t=', '50').status_code, 404)
        self.assertEqual(len(self.lines()), 1)

    # --- the log itself -----------------------------------------------------------------------------

    def test_nobody_changes_it(self):
        self.as_user('boris')
        self.open()
        [line] = self.lines()
        for log in (
            *(line.with_user(self.users[role]) for role in ROLES),
            line.with_user(self.users['alma']).sudo(),
            line,
        ):
            for act in (lambda log=log: log.write({'who': "x"}), log.unlink):
                with self.assertRaises(AccessError), mute_logger(*QUIET):
                    act()
        for role in ROLES:
            with self.assertRaises(AccessError), mute_logger(*QUIET):
                line.with_user(self.users[role]).create({'who': "x", 'kind': 'play'})

    def test_it_outlives_call_user_and_recording(self):
        self.as_user('boris')
        self.open()
        line, call = self.lines(), self.recording.call_id
        call.unlink()
        self.env.invalidate_all()
        self.assertTrue(line.exists())
        self.assertEqual(
            (line.call_id.id, line.recording_id.id, line.who, line.talker_id),
            (False, False, "Boris", self.boris),
        )

    def test_its_own_retention(self):
        self.as_user('boris')
        self.open()
        line = self.lines()
        self.env['ir.config_parameter'].set_param('crm_telephony.listen_days', '30')
        for days, is_kept in ((29, True), (31, False)):
            self.env.cr.execute(
                "UPDATE telephony_listen SET at = %s",
                [fields.Datetime.now() - timedelta(days=days)],
            )
            self.env.invalidate_all()
            line._gc_listens()
            self.assertEqual(bool(line.exists()), is_kept)

    def test_who_reads_it(self):
        mine = self.talk('c2', extension='101')  # Anna's talk
        for role in ('boris', 'leila', 'saule'):
            self.as_user(role)
            self.open()
        for role in ('anna', 'saule'):
            self.as_user(role)
            self.open(mine)
        lines = self.lines() | self.lines(mine)
        by = {
            'boris': 'boris leila saule',
            'leila': 'leila',
            'anna': 'anna saule',
            'saule': 'boris leila saule anna saule',
            'pia': 'boris leila saule anna saule',
            'alma': 'boris leila saule anna saule',
            'pavel': '',
            'zoe': '',
        }
        for role, seen in by.items():
            with self.subTest(role):
                found = lines.with_user(self.users[role]).search([('id', 'in', lines.ids)])
                self.assertEqual(sorted(found.mapped('who')), sorted(seen.title().split()), role)
        with self.assertRaises(AccessError), mute_logger(*QUIET):
            lines.with_user(self.boris).read(['ip'])
        self.assertTrue(lines.with_user(self.supervisor).read(['ip']))
        for role in ('sven', 'egor', 'petra'):
            with self.assertRaises(AccessError), mute_logger(*QUIET):
                lines.with_user(self.users[role]).search([])

    def test_listened_to_by(self):
        for role in ('boris', 'saule', 'boris'):
            self.as_user(role)
            self.open()
        self.env.invalidate_all()
        for records in (self.recording, self.recording.call_id):
            records = records.with_user(self.supervisor)
            self.assertEqual(records.heard_by_count, 2)
            action = records.action_open_listens()
            self.assertEqual(
                self.env[action['res_model']].search(action['domain']), self.lines().sorted()
            )
        with self.assertRaises(AccessError), mute_logger(*QUIET):
            self.recording.with_user(self.boris).read(['heard_by_count'])

    def test_it_holds_no_number(self):
        self.as_user('boris')
        self.open()
        [values] = self.lines().read(load='')
        self.assertNotIn(CUSTOMER[-7:], json.dumps(values, default=str))


class TestPrivacyAlone(ListeningCase):
    """Who answers for privacy and has no other right: finds calls, listens by a reason, and changes
    nothing."""

    def test_menus_and_views(self):
        pia = self.users['pia']
        menus = self.env['ir.ui.menu'].with_user(pia).load_menus(False)
        shown = {menu.get('xmlid') for menu in menus.values()}
        self.assertLessEqual(
            {
                'crm_telephony.telephony_call_menu',
                'crm_telephony.telephony_listen_menu',
                'crm_telephony.telephony_share_menu',
            },
            shown,
        )
        self.assertNotIn('crm_telephony.telephony_account_menu', shown)
        self.new_lead()
        call = self.talk('c2').call_id.with_user(pia)
        self.assertTrue(call.lead_id)
        for kind in ('list', 'form', 'search'):
            call.get_views([(False, kind)])
        self.assertIn("Deal", str(call.web_read({'lead_id': {'fields': {'display_name': {}}}})))
        form = Form(call)
        self.assertTrue(form.recording_ids)
        self.assertFalse(call.has_access('write'))
        listens = self.env['telephony.listen'].with_user(pia)
        listens.get_views([(False, 'list'), (False, 'search')])
        listens.web_search_read([], {'who': {}, 'call_id': {'fields': {'display_name': {}}}})
