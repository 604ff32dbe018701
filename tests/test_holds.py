"""Legal holds: what they cover, what they stop, and what waits for their end."""

import random
from datetime import date, datetime, timedelta

from freezegun import freeze_time

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form

from ..providers.base import RecordingRecord
from .common import CUSTOMER
from .keep_case import KeepCase

STRANGER = '+77010000009'


class TestHolds(KeepCase):
    def test_what_a_hold_covers(self):
        child = self.env['res.partner'].create({'name': "Secretary", 'parent_id': self.partner.id})
        lead = self.new_lead()
        noon = datetime(2026, 3, 31, 7)
        base = {'customer_number': STRANGER, 'ended_at': noon}
        for criteria, values in (
            ({'customer_number': '8 (777) 123-45-67'}, {'customer_number': CUSTOMER}),
            ({'partner_id': self.partner.id}, {'partner_id': self.partner.id}),
            ({'partner_id': self.partner.id}, {'partner_id': child.id}),
            ({'lead_id': lead.id}, {'lead_id': lead.id}),
            (
                {'partner_id': self.partner.id, 'customer_number': '+77019999999'},
                {'partner_id': self.partner.id},
            ),
        ):
            with self.subTest(criteria, values=values):
                covered, other = self.talk(**{**base, **values}), self.talk(**base)
                hold = self.hold(**criteria)
                self.assertEqual((covered.is_held, other.is_held), (True, False))
                self.assertEqual(hold.recording_count, 1)
                hold.date_from, hold.date_to = date(2026, 4, 1), date(2026, 4, 30)
                self.assertFalse(covered.is_held, "the period narrows it")
                hold.action_release()
                covered.call_id.unlink()

    def test_single_calls(self):
        covered, other = self.talk(), self.talk()
        self.hold(
            call_ids=covered.call_id.ids, date_from=date(2020, 1, 1), date_to=date(2020, 1, 2)
        )
        self.assertEqual((covered.is_held, other.is_held), (True, False))

    def test_a_period_of_the_company(self):
        """Its days are the company's."""
        moments = {
            '2026-03-31 19:03:00': False,
            '2026-03-31 19:02:00': False,
            '2026-04-01 19:01:00': True,
            '2026-04-01 19:02:00': True,
        }
        recordings = {
            moment: self.talk(ended_at=datetime.fromisoformat(moment)) for moment in moments
        }
        self.hold(date_from=date(2026, 4, 2), date_to=date(2026, 4, 2))
        for moment, recording in recordings.items():
            begins = datetime.fromisoformat(moment) - timedelta(minutes=2)
            with self.subTest(moment):
                self.assertEqual(recording.is_held, begins >= datetime(2026, 4, 1, 19))

    def test_a_hold_of_nothing(self):
        with self.assertRaises(ValidationError):
            self.hold()
        with self.assertRaises(ValidationError):
            self.hold(date_from=date(2026, 4, 2), date_to=date(2026, 4, 1))
        with self.assertRaises(ValidationError):
            self.hold(customer_number='12')

    def test_of_another_company(self):
        recording = self.talk()
        other = self.env['res.company'].create({'name': "Other"})
        self.keeper.company_ids |= other
        self.hold(customer_number=CUSTOMER, company_id=other.id)
        self.assertFalse(recording.is_held)

    def test_what_comes_later_is_held_too(self):
        hold = self.hold(customer_number=CUSTOMER)
        self.play(
            self.event('ended', outcome='answered', extension='101', talk_seconds=60),
            self.event('recording', recording_url='https://pbx.example.com/c1.mp3'),
            follow_up=False,
        )
        [recording] = self.call().recording_ids
        self.assertTrue(recording.is_held)
        hold.action_release()
        self.assertFalse(recording.is_held)

    def test_it_beats_everything(self):
        held, free = self.talk(31, b'held'), self.talk(31, b'free', customer_number=STRANGER)
        self.rule(30, pbx_copy='delete')
        hold = self.hold(customer_number=CUSTOMER)
        self.switch_on()
        self.night()
        self.assert_gone(free)
        self.assert_kept(held, b'held')
        with self.assertRaisesRegex(UserError, "Claim"):
            held.with_user(self.keeper)._delete_by_hand("because", True)
        for record in (held, held.call_id):
            with self.subTest(record._name), self.assertRaisesRegex(UserError, "Claim"):
                record.unlink()
        self.assertFalse(self.told(held))
        hold.action_release()
        self.night()
        self.assert_gone(held)
        self.assertEqual(self.told(held), 1)

    def test_the_pbxs_copy_waits_for_its_end(self):
        recording = self.talk()
        recording._delete_sound("test", pbx_too=True)
        hold = self.hold(customer_number=CUSTOMER)
        self.night()
        self.assertEqual((recording.pbx_copy, self.told(recording)), ('deleting', 0))
        hold.action_release()
        self.night()
        self.assertEqual((recording.pbx_copy, self.told(recording)), ('deleted', 1))

    def test_release_asks_for_what_waited(self):
        hold = self.hold(customer_number=CUSTOMER)
        crons = [
            self.env.ref(f'crm_telephony.ir_cron_{name}') for name in ('retain', 'delete_at_pbx')
        ]
        triggers = self.env['ir.cron.trigger']
        before = triggers.search([])
        hold.action_release()
        self.env.flush_all()
        self.env.cr.precommit.run()
        self.assertEqual(
            set((triggers.search([]) - before).cron_id.ids), {cron.id for cron in crons}
        )
        self.assertEqual((hold.state, hold.released_by_id), ('released', self.keeper))
        self.assertTrue(hold.released_at)

    def test_a_call_that_got_its_contact_later(self):
        """The mark comes in the night, the protection at once."""
        recording = self.talk(31, b'x', customer_number=STRANGER)
        self.hold(partner_id=self.partner.id)
        self.rule(30)
        self.switch_on()
        recording.call_id.partner_id = self.partner
        self.assertFalse(recording.is_held)
        self.assertFalse(recording._delete_sound("test"))
        self.assert_kept(recording, b'x')
        self.assertTrue(recording.is_held)
        recording.is_held = False
        self.night()
        self.assert_kept(recording, b'x')

    def test_two_holds(self):
        recording = self.talk(31, b'x')
        first, second = (
            self.hold(customer_number=CUSTOMER),
            self.hold(call_ids=recording.call_id.ids),
        )
        first.action_release()
        self.assertTrue(recording.is_held)
        self.assertEqual(recording.with_user(self.keeper).held_by, "Claim")
        second.action_release()
        self.assertFalse(recording.is_held)

    def test_somebody_is_asked_every_90_days(self):
        hold = self.hold(customer_number=CUSTOMER)
        begin = datetime.now()
        for days, activities in ((89, 0), (90, 1), (91, 1), (180, 2)):
            with freeze_time(begin + timedelta(days=days)):
                self.run_cron('retain')
            self.assertEqual(len(hold.activity_ids), activities, days)
        self.assertEqual(hold.activity_ids.user_id, self.keeper)
        hold.action_release()
        self.assertFalse(hold.activity_ids)

    def test_who_holds_and_releases(self):
        hold = self.hold(customer_number=CUSTOMER)
        for user in (self.anna, self.supervisor):
            with self.subTest(user.name):
                with self.assertRaises(AccessError):
                    hold.with_user(user).read(['name'])
                with self.assertRaises(AccessError):
                    hold.with_user(user).action_release()
        with self.assertRaises(AccessError):
            hold.with_user(self.keeper).unlink()

    def test_the_form(self):
        with Form(self.env['telephony.hold'].with_user(self.keeper)) as form:
            form.name, form.reason = "Claim", "A court wants it"
            form.customer_number = '8 777 123 45 67'
        hold = form.record
        self.assertEqual((hold.customer_number, hold.user_id), (CUSTOMER, self.keeper))
        self.assertEqual((hold.review_on - date.today()).days, 90)
        listed = hold.with_user(self.keeper).action_view_recordings()
        self.assertFalse(self.env['telephony.recording'].search(listed['domain']))


class TestByHand(KeepCase):
    def wizard(self, recordings, **values):
        action = recordings.with_user(self.keeper).action_delete()
        return (
            self.env[action['res_model']]
            .with_user(self.keeper)
            .with_context(action['context'])
            .create({'reason': "The customer asked", **values})
        )

    def test_deleted_by_hand(self):
        recording = self.talk(0, b'sound')
        self.wizard(recording).action_delete()
        self.assert_gone(recording)
        self.assertEqual(str(recording.deleted_why), "By hand: The customer asked")
        self.assertEqual(recording.deleted_by_id, self.keeper)
        self.assertFalse(recording.transcript)
        self.night()
        self.assertEqual((recording.file_state, self.told(recording)), ('gone', 1))

    def test_the_pbxs_copy_may_stay(self):
        recording = self.talk(0, b'sound')
        self.wizard(recording, pbx_too=False).action_delete()
        self.night()
        self.assertFalse(self.told(recording))

    def test_what_is_held_is_left_out(self):
        held, free = self.talk(0, b'1'), self.talk(0, b'2', customer_number=STRANGER)
        self.hold(customer_number=CUSTOMER)
        told = self.wizard(held | free).action_delete()
        self.assert_gone(free)
        self.assert_kept(held, b'1')
        self.assertIn("legal hold keeps: 1", told['params']['message'])

    def test_only_who_may(self):
        recording = self.talk(0, b'sound')
        for user in (self.anna, self.supervisor):
            with self.subTest(user.name), self.assertRaises(AccessError):
                recording.with_user(user).action_delete()
            with self.subTest(user.name), self.assertRaises(AccessError):
                recording.with_user(user)._delete_by_hand("because", True)
        self.assert_kept(recording, b'sound')


class TestAnyOrder(KeepCase):
    """Whatever happens in whatever order: what is held stays, what is deleted is gone for good."""

    STEPS = 14

    def test_any_order(self):
        for seed in range(5):
            with self.subTest(seed=seed):
                self.live(random.Random(seed), f'+7701000{seed:04}')

    def live(self, chance, number):
        self.env['telephony.retention.rule'].search([]).unlink()
        self.rule(30, pbx_copy='delete')
        self.switch_on()
        recordings = self.talk(31, customer_number=number) | self.talk(5, customer_number=number)
        sounds, holds = {}, []

        def store():
            recording = chance.choice(recordings)
            if recording.state != 'deleted':
                sounds[recording] = f'{number} {recording.id} {len(sounds)}'.encode()
                recording._store_sound(sounds[recording], 'audio/mpeg')

        def hold():
            holds.append(
                self.hold(
                    **chance.choice(
                        (
                            {'customer_number': number},
                            {'call_ids': chance.choice(recordings).call_id.ids},
                        )
                    )
                )
            )

        def release():
            if holds:
                holds.pop(chance.randrange(len(holds))).action_release()

        def by_hand():
            recording = chance.choice(recordings)
            if recording.is_held and recording.state != 'deleted':
                with self.assertRaises(UserError):
                    recording.with_user(self.keeper)._delete_by_hand("because", True)
            else:
                recording.with_user(self.keeper)._delete_by_hand("because", True)

        def night():
            self.night()

        told = {
            one.call_id: RecordingRecord(url=one.url, ref=one.ref, seconds=60) for one in recordings
        }

        def refold():
            for call, record in told.items():
                call._write_recordings({call.id: (record,)})
            self.assertEqual(recordings.call_id.recording_ids, recordings)

        for _step in range(self.STEPS):
            held = recordings.filtered('is_held')
            before = {one: (one.state, self.told(one)) for one in held}
            act = chance.choice((store, hold, hold, release, by_hand, by_hand, night, refold))
            act()
            for one, known in before.items():
                if act not in (store, release):
                    self.assertEqual((one.state, self.told(one)), known, "held")
            for one in recordings:
                if one.state == 'deleted':
                    self.assert_gone(one)
                    sounds.pop(one, None)
                elif one in sounds:
                    self.assert_kept(one, sounds[one])
            covered = self.env['telephony.hold']._held(recordings.call_id)
            self.assertEqual(recordings.filtered('is_held').call_id, covered)
        for hold in holds:
            hold.action_release()
        self.night()
        self.night()
        self.assert_gone(recordings[0])
        self.assertEqual(recordings[0].pbx_copy, 'deleted')
        self.assertNotEqual(recordings[0].file_state, 'waiting')
