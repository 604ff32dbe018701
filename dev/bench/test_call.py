"""T1: from the PBX's POST to the fact of a test call on the tester's screen, against the least that
sends something over the bus. Each shot is a test of its own: the call rings, and the page ticks off
who calls."""

import json
import time

from .. import screenshot
from ..setup import chromium
from ..setup.console import phase
from . import inside, load, server
from .data import Bench
from .pop import BROWSER, CLOSE, FLOOR_PATH, PATIENCE, REST, ringing
from .sizes import Size
from .table import Row, at_most, percentile

MOST = 300  # ms
SEEN = '.o_telephony_test_line[data-fact=caller][data-state=seen]'
# Begins a test at the bench's PBX anew, whatever the page shows, and waits until the page does.
BEGIN = """ (async () => {
    const until = async (selector) => {
        for (let turn = 0; turn < 50 * %(patience)s && !document.querySelector(selector); turn++) {
            await new Promise((resolve) => setTimeout(resolve, 20));
        }
        return document.querySelector(selector);
    };
    document.querySelector(".o_telephony_test_stop")?.click();
    const choice = await until("#o_telephony_test_pbx");
    choice.value = [...choice.options].find((option) => option.text === "Bench").value;
    choice.dispatchEvent(new Event("change"));
    document.querySelector(".o_telephony_test_begin").click();
    return Boolean(await until(".o_telephony_test_line[data-fact=caller][data-state=waiting]"));
})() """


def measure(bench: Bench, database: str, size: Size) -> list[Row]:
    path = '/telephony/webhook/generic/' + inside.ask(bench, inside.pop_account, database)
    with phase('T1: a test call'), server.running(bench, database) as running:
        url = f'http://127.0.0.1:{running.port}'
        chromium.ensure()
        browser = screenshot.Browser(database)
        try:
            browser.log_in(url, screenshot.session(url, database, 'admin', None))
            browser.do('Page.navigate', url=f'{url}/odoo/telephony-test-call')
            browser.wait_for('#o_telephony_test_pbx')
            floor, ours = _shoot(browser, path, size.shots * size.rounds)
        finally:
            browser.close()
    return [
        at_most(
            'T1',
            'POST to the fact of a test call on the screen, p95',
            percentile(ours, 0.95),
            MOST,
            'ms',
            percentile(floor, 0.95),
        )
    ]


def _shoot(browser: screenshot.Browser, path: str, shots: int) -> tuple[list, list]:
    times = {'': [], SEEN: []}
    for shot in range(shots + 1):
        for waits_for, ms in times.items():
            if waits_for and not browser.evaluate(BEGIN % {'patience': PATIENCE}):
                raise RuntimeError('the page of test calls does not begin one')
            time.sleep(REST)
            body = ringing()
            took = browser.evaluate(
                BROWSER
                % {
                    'waits_for': json.dumps(waits_for),
                    'path': json.dumps(path if waits_for else FLOOR_PATH),
                    'body': json.dumps(body.decode()),
                    'signature': json.dumps(load.signature(body)),
                }
            )
            if shot:  # the first one is slower
                ms.append(took)
            browser.evaluate(CLOSE)
    return times[''], times[SEEN]
