"""The browser phone: Odoo's real page in Chromium, registered with a real Asterisk, and the customers are SIPp.

Runs where the root of `make asterisk` exists. The microphone is a tone that the page makes itself.
"""

import json
import time
import unittest

import requests

from odoo.tests import BaseCase, tagged

from .test_live import MISSING, PATIENCE

if not MISSING:
    from ....dev import screenshot
    from ....dev.asterisk import dialogs, server, stage
    from ....dev.asterisk.phones import Line

LINE, PHONE = 4, '104'
# Chromium has no microphone here: an oscillator stands in for it.
MICROPHONE = """
navigator.mediaDevices.getUserMedia = async () => {
    const audio = new AudioContext(), tone = audio.createOscillator(), out = audio.createMediaStreamDestination();
    await audio.resume();
    tone.connect(out);
    tone.start();
    return out.stream;
};
"""
SERVICE = 'odoo.__WOWL_DEBUG__?.root.env.services.softphone'
# What has come in and gone out, as the browser counts it.
SOUND = f"""(async () => {{
    const [call] = [...{SERVICE}.phone.live.values()].filter((call) => call.state === "talking" && !call.isHeld);
    const of = async () => {{
        const all = [...(await call.stats()).values()];
        const get = (type, name) => all.find((report) => report.type === type)?.[name] || 0;
        return [get("inbound-rtp", "packetsReceived"), get("outbound-rtp", "packetsSent")];
    }};
    const before = await of();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return (await of()).map((count, place) => count - before[place]);
}})()"""


@unittest.skipIf(MISSING, MISSING)
@tagged('post_install', '-at_install', 'crm_telephony')
class TestBrowserPhone(BaseCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stage = cls.enterClassContext(stage.ready())
        ask, account = cls.stage.ask, cls.stage.account
        port = cls.stage.asterisk.ports.http
        ask('telephony.account', 'write', [account], {'sip_ws_url': f'ws://127.0.0.1:{port}/ws'})
        cls.phone = ask(
            'telephony.extension',
            'create',
            [
                {
                    'number': PHONE,
                    'account_id': account,
                    'user_id': stage.ADMIN,
                    'softphone': True,
                    'sip_password': server.BROWSER_SECRET,
                }
            ],
        )[0]
        ask(
            'telephony.number',
            'create',
            [{'name': f'+4420794608{LINE:02}', 'account_id': account}],
        )
        ask('res.users', 'write', [stage.ADMIN], {'telephony_extension_id': cls.phone})
        cls.browser = screenshot.Browser(stage.DATABASE)
        cls.addClassCleanup(cls.browser.close)
        cls.browser.log_in(
            cls.stage.url, screenshot.session(cls.stage.url, stage.DATABASE, 'admin', None)
        )
        cls.browser.do(
            'Browser.grantPermissions', permissions=['audioCapture'], origin=cls.stage.url
        )
        cls.browser.do('Page.addScriptToEvaluateOnNewDocument', source=MICROPHONE)

    def setUp(self):
        super().setUp()
        self.addCleanup(self.hang_up_all)
        self.line = Line(self.stage.asterisk.ports, LINE)
        self.addCleanup(self.line.unplug)
        self.began = time.time()
        self.open('/odoo/crm')

    # --- the page ----------------------------------------------------------------------------------------------------

    def open(self, path):
        self.browser.do('Page.navigate', url=self.stage.url + path)
        self.ready()

    def ready(self):
        self.until(f'{SERVICE}?.state.line === "ready"', "the phone")

    def hang_up_all(self):
        """So that the next page has nothing to take up."""
        self.browser.evaluate(
            f'[...{SERVICE}?.phone.live.values() || []].forEach((call) => call.hangUp())'
        )

    def until(self, condition, what):
        self.browser.until(lambda: self.browser.evaluate(f'!!({condition})'), what)

    def talking(self, count=1):
        self.until(
            f'{SERVICE}?.state.calls.filter((call) => call.state === "talking").length === {count}',
            f"{count} talks",
        )

    def silent(self):
        self.until(
            f'!{SERVICE}?.state.calls.some((call) => call.state !== "ended")',
            "the end of all calls",
        )

    def run_command(self, command, *args):
        arguments = ', '.join(map(repr, args))
        self.browser.evaluate(
            f'{SERVICE}.phone.ask({command!r}, {SERVICE}.state.calls[0].id{", " if args else ""}{arguments})'
        )

    def press(self, selector):
        self.browser.wait_for(selector)
        self.browser.click(selector)

    def check_sound(self, both=False):
        """The other side hears us; we hear it too, where it says anything."""
        received, sent = self.browser.evaluate(SOUND)
        self.assertGreater(sent, 20, "packets to the customer in a second")
        if both:
            self.assertGreater(received, 20, "packets from the customer in a second")

    def customer_calls(self, dialog=None):
        customer = self.line.call_in(8, dialog or dialogs.call_and_stay(self.line.caller))
        self.browser.wait_for('.o_telephony_answer')
        return customer

    # --- the log -----------------------------------------------------------------------------------------------------

    def calls(self):
        """This test's calls in the log, once all of them are over."""
        end = time.monotonic() + PATIENCE
        while True:
            rows = self.stage.ask(
                'telephony.call',
                'search_read',
                [
                    ('account_id', '=', self.stage.account),
                    ('start_at', '>=', time.strftime('%F %T', time.gmtime(self.began - 1))),
                ],
                ['direction', 'outcome', 'state', 'extension', 'lead_id', 'start_at'],
                order='start_at',
            )
            if rows and all(row['state'] == 'ended' for row in rows):
                return rows
            self.assertLess(time.monotonic(), end, rows)
            time.sleep(0.2)

    def one_call(self):
        rows = self.calls()
        self.assertEqual(len(rows), 1, rows)
        return rows[0]

    def legs(self, call):
        rows = self.stage.ask(
            'telephony.call.leg',
            'search_read',
            [('call_id', '=', call['id'])],
            ['extension', 'outcome'],
        )
        return {row['extension']: row['outcome'] for row in rows}

    # --- what people do ----------------------------------------------------------------------------------------------

    def test_a_customer_calls(self):
        self.customer_calls(dialogs.call_and_hang_up(self.line.caller, 9, tone=True))
        self.press('.o_telephony_answer')
        self.talking()
        self.check_sound()
        self.press('.o_telephony_hold')
        self.stage.ami.wait('Hold', Channel=f'PJSIP/{PHONE}-')
        self.press('.o_telephony_hold.active')
        self.stage.ami.wait('Unhold', Channel=f'PJSIP/{PHONE}-')
        self.until(f'!{SERVICE}.state.calls[0].isHeld', "the customer back")
        self.check_sound()
        self.silent()  # the customer hangs up
        call = self.one_call()
        self.assertEqual(
            (call['direction'], call['outcome'], call['extension']), ('inbound', 'answered', PHONE)
        )
        [sound] = self.stage.ask(
            'telephony.call.quality',
            'search_read',
            [('call_id', '=', call['id'])],
            ['mos_avg', 'codec'],
        )
        self.assertGreater(sound['mos_avg'], 1)
        self.assertEqual(sound['codec'], 'PCMA')

    def test_we_hear_ourselves(self):
        """600 sends back what it gets."""
        self.browser.evaluate(f'{SERVICE}.phone.ask("dial", "600")')
        self.talking()
        self.check_sound(both=True)
        self.press('.o_telephony_phone_hang_up')
        self.silent()

    def test_a_page_is_loaded_anew_in_a_talk(self):
        customer = self.customer_calls()
        self.press('.o_telephony_answer')
        self.talking()
        self.browser.do('Page.reload')
        self.ready()
        self.talking()
        self.browser.wait_for('.o_telephony_resumed')
        self.check_sound()
        self.press('.o_telephony_phone_hang_up')
        customer.finish()
        call = self.one_call()
        self.assertEqual((call['outcome'], call['extension']), ('answered', PHONE))
        self.assertEqual(self.legs(call), {PHONE: 'answered'})

    def test_the_connection_breaks_in_a_talk(self):
        """The customer's hang-up arrives over the new one, though the PBX knew the old one."""
        self.customer_calls(dialogs.call_and_hang_up(self.line.caller, 6))
        self.press('.o_telephony_answer')
        self.talking()
        lost = time.monotonic()
        self.browser.evaluate(f'{SERVICE}.phone.line.socket.kill("test")')
        self.ready()
        self.assertLess(time.monotonic() - lost, 4)
        self.talking()
        self.silent()

    def test_declined(self):
        self.line.call_in(8, dialogs.call_in_vain(self.line.caller, 480))
        self.press('.o_telephony_decline')
        self.silent()
        call = self.one_call()
        self.assertEqual((call['outcome'], self.legs(call)), ('missed', {PHONE: 'no_answer'}))

    def test_passed_on(self):
        colleague = self.line.phone(2, dialogs.answer_and_hang_up(1, 2))
        customer = self.customer_calls()
        self.press('.o_telephony_answer')
        self.talking()
        self.run_command('pass', self.line.extension(2))
        self.silent()
        colleague.finish()
        customer.finish()
        call = self.one_call()
        self.assertEqual(self.legs(call), {PHONE: 'answered', self.line.extension(2): 'answered'})

    def test_passed_on_to_nobody(self):
        """The customer stays with us."""
        customer = self.customer_calls()
        self.press('.o_telephony_answer')
        self.talking()
        said = self.browser.evaluate(
            f'{SERVICE}.phone.ask("pass", {SERVICE}.state.calls[0].id, "999").catch((error) => error.message)'
        )
        self.assertEqual(said, 'pass_failed')
        self.check_sound()
        self.press('.o_telephony_phone_hang_up')
        customer.finish()

    def test_asked_first_and_joined(self):
        colleague = self.line.phone(2, dialogs.answer_and_hang_up(1, 6))
        customer = self.customer_calls()
        self.press('.o_telephony_answer')
        self.talking()
        self.run_command('ask', self.line.extension(2))
        self.talking(2)
        self.check_sound()
        self.press('.o_telephony_join')
        self.silent()
        colleague.finish()
        customer.finish()
        calls = [call for call in self.calls() if call['direction'] == 'inbound']
        self.assertEqual(
            [self.legs(call) for call in calls],
            [{PHONE: 'answered', self.line.extension(2): 'answered'}],
        )

    def test_three_in_one_talk(self):
        """The customer hears the colleague: here the echo, which sends back what it hears of him."""
        customer = self.customer_calls()
        self.press('.o_telephony_answer')
        self.talking()
        self.run_command('ask', '600')
        self.talking(2)
        self.press('.o_telephony_confer')
        self.browser.wait_for('.o_telephony_conference')
        self.until(
            f'{SERVICE}.state.calls.every((call) => call.inConference && !call.isHeld)', "all three"
        )
        self.check_sound()
        self.browser.evaluate(
            f'{SERVICE}.phone.ask("hangUp", {SERVICE}.state.calls.find((call) => call.consultOf).id)'
        )
        self.until(f'{SERVICE}.phone.conference === undefined', "the end of the conference")
        self.talking()
        self.check_sound()
        self.press('.o_telephony_phone_hang_up')
        customer.finish()

    def test_a_click_on_a_deals_number(self):
        outside = self.line.outside(dialogs.answer(1))
        deal = self.stage.ask(
            'crm.lead',
            'create',
            [{'name': "Live", 'type': 'opportunity', 'phone': self.line.customer}],
        )[0]
        self.open(f'/odoo/crm.lead/{deal}')
        self.press('div[name=phone] .o_telephony_call')
        self.talking()
        self.check_sound()
        self.press('.o_telephony_phone_hang_up')
        outside.finish()
        call = self.one_call()
        self.assertEqual(
            (call['direction'], call['outcome'], call['lead_id'][0]), ('outbound', 'answered', deal)
        )

    def test_keys(self):
        self.browser.evaluate(f'{SERVICE}.phone.ask("dial", "601")')
        self.talking()
        self.run_command('keys', '12#4')
        self.stage.ami.wait('UserEvent', UserEvent='Keys')
        self.silent()

    # --- the line test -----------------------------------------------------------------------------------------------

    def line_test(self):
        """The steps that did not pass, each with what became of it."""
        self.browser.evaluate(f'void {SERVICE}.phone.ask("test")')
        self.until(f'{SERVICE}.state.test?.isRunning === false', "the line test")
        rows = json.loads(self.browser.evaluate(f'JSON.stringify({SERVICE}.state.test.rows)'))
        return {row['name']: row['text'] or row['state'] for row in rows if row['state'] != 'ok'}

    def settings(self, **values):
        account = self.stage.account
        fields = list(values)
        [before] = self.stage.ask('telephony.account', 'read', [account], fields)
        before.pop('id')
        self.stage.ask('telephony.account', 'write', [account], values)
        self.addCleanup(self.stage.ask, 'telephony.account', 'write', [account], before)

    def test_the_line_works(self):
        self.settings(echo_number='600')
        self.assertEqual(self.line_test(), {'stun': 'skipped', 'turn': 'skipped'})
        [phone] = self.stage.ask(
            'telephony.extension', 'read', [self.phone], ['line_test_state', 'line_test_words']
        )
        self.assertEqual((phone['line_test_state'], phone['line_test_words']), ('passed', ''))

    def test_the_line_fails_at_the_echo(self):
        self.settings(echo_number='6999')
        failed = self.line_test()
        self.assertIn("Asterisk does not know the echo number", failed['echo'])
        self.assertEqual(failed['sound'], 'skipped')

    def test_the_line_fails_at_the_address(self):
        port = self.stage.asterisk.ports.http
        self.settings(sip_ws_url=f'ws://127.0.0.1:{port}/other', stun_urls='stun:127.0.0.1:9')
        self.browser.do('Page.navigate', url=self.stage.url + '/odoo/crm')
        self.until(f'{SERVICE}?.phone.line', "the phone")
        failed = self.line_test()
        self.assertIn("not as a websocket for SIP (HTTP/1.1 404", failed['address'])
        self.assertEqual(failed['registration'], 'skipped')

    def test_one_time_passwords(self):
        """No password is entered anywhere; an administrator ends the browser's."""
        ask, phone = self.stage.ask, [self.phone]
        self.settings(sip_one_time=True)
        self.addCleanup(ask, 'telephony.extension', 'write', phone, {'sip_login': False})
        ask('telephony.extension', 'write', phone, {'sip_login': '107'})
        self.addCleanup(
            ask,
            'telephony.extension',
            'write',
            phone,
            {'sip_password': server.BROWSER_SECRET},
        )
        ask('telephony.extension', 'write', phone, {'sip_password': False})
        self.open('/odoo/crm')
        self.browser.evaluate(f'{SERVICE}.phone.ask("dial", "600")')
        self.talking()
        self.check_sound(both=True)
        self.press('.o_telephony_phone_hang_up')
        self.silent()
        self.open('/odoo/crm')  # another password
        leases = ask('telephony.softphone', 'search', [('extension_id', '=', self.phone)])
        ask('telephony.softphone', 'action_end', leases)
        path = '/ari/asterisk/config/dynamic/res_pjsip/auth/once-107'
        login = (server.CONTROL_USER, server.CONTROL_SECRET)
        port = self.stage.asterisk.ports.http
        answer = requests.get(f'http://127.0.0.1:{port}{path}', auth=login, timeout=5)
        self.assertEqual(answer.status_code, 404)

    def test_a_wrong_password_is_not_tried_again(self):
        write = self.stage.ask
        write('telephony.extension', 'write', [self.phone], {'sip_password': 'wrong'})
        self.browser.do('Page.reload')
        self.until(f'{SERVICE}?.state.line === "refused"', "the refusal")
        self.browser.wait_for('.o_telephony_phone_alert')
        write('telephony.extension', 'write', [self.phone], {'sip_password': server.BROWSER_SECRET})
        self.press('.o_telephony_phone_alert button')
        self.ready()
