"""A picture of a page behind the login, for looking at what was changed.

    python -m dev.screenshot --url http://127.0.0.1:8069 --db crm_telephony /odoo/crm /tmp/crm.png
    [--lang ru_RU]

Further options: --login, --size 1400x900, --timezone Asia/Almaty, --wait SELECTOR (until it is
there), --click SELECTOR (repeatable, in order). With --lang the user's own language is set, so that
language has to be active in the database.
"""

import argparse
import base64
import json
import logging
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import requests

from .setup import chromium, odoo_source
from .setup.console import fail, readable_failures

WAIT_SECONDS = 30
SETTLE_SECONDS = 1.0


class Browser:
    """Chromium as Odoo's own tests drive it, without what they forbid it."""

    def __init__(self, database: str, size: str = '1400x900'):
        if (source := str(odoo_source.ensure().path)) not in sys.path:
            sys.path.append(source)
        from odoo.tests.common import ChromeBrowser
        from odoo.tools import config

        config['db_name'] = config['db_name'] or [database]  # for its log
        logger = logging.getLogger(__name__)
        self._chrome = ChromeBrowser(
            SimpleNamespace(_logger=logger, browser_size=size, touch_enabled=False)
        )
        self._chrome._handlers.clear()  # an error of the page is no failed test
        self.do('Fetch.disable')
        self.close = self._chrome.stop

    def do(self, method: str, **parameters) -> dict:
        return self._chrome._websocket_request(method, params=parameters, timeout=WAIT_SECONDS)

    def log_in(self, url: str, cookie: str) -> None:
        self.do('Network.setCookie', name='session_id', value=cookie, url=url)

    def evaluate(self, expression: str):
        """The value of a JavaScript expression, of a promise when it is kept."""
        answer = self.do(
            'Runtime.evaluate', expression=expression, returnByValue=True, awaitPromise=True
        )
        return answer['result'].get('value')

    def wait_for(self, selector: str) -> None:
        there = f'!!document.querySelector({json.dumps(selector)})'
        self.until(lambda: self.evaluate(there), f'{selector} on the page')

    @staticmethod
    def until(condition, what: str) -> None:
        end = time.monotonic() + WAIT_SECONDS
        while not condition():
            if time.monotonic() > end:
                fail(f'waited {WAIT_SECONDS} seconds for {what}')
            time.sleep(0.1)

    def click(self, selector: str) -> None:
        self.evaluate(f'document.querySelector({json.dumps(selector)}).click()')


def session(url: str, database: str, login: str, lang: str | None) -> str:
    """Log in as a browser would and give the session's cookie."""
    http = requests.Session()

    def ask(path: str, **params):
        answer = http.post(
            url + path, json={'jsonrpc': '2.0', 'params': params}, timeout=WAIT_SECONDS
        ).json()
        return (
            answer['result']
            if 'result' in answer
            else fail(f'{path}: {answer["error"]["data"]["message"]}')
        )

    user = ask('/web/session/authenticate', db=database, login=login, password=login)['uid']
    if lang:
        ask(
            '/web/dataset/call_kw',
            model='res.users',
            method='write',
            args=[[user], {'lang': lang}],
            kwargs={},
        )
    return http.cookies['session_id']


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('page')
    parser.add_argument('file', type=Path)
    parser.add_argument('--url', default='http://127.0.0.1:8069')
    parser.add_argument('--db', default='crm_telephony')
    parser.add_argument('--login', default='admin')
    parser.add_argument('--lang')
    parser.add_argument('--size', default='1400x900')
    parser.add_argument(
        '--timezone', default='Asia/Almaty', help="the browser's; the demo company's by default"
    )
    parser.add_argument('--wait', default='.o_action_manager > *')
    parser.add_argument('--click', action='append', default=[])
    options = parser.parse_args()
    chromium.ensure()
    cookie = session(options.url, options.db, options.login, options.lang)
    browser = Browser(options.db, options.size)
    try:
        browser.do('Emulation.setTimezoneOverride', timezoneId=options.timezone)
        browser.log_in(options.url, cookie)
        browser.do('Page.navigate', url=options.url + options.page)
        browser.wait_for(options.wait)
        for selector in options.click:
            browser.wait_for(selector)
            browser.click(selector)
            time.sleep(SETTLE_SECONDS)
        time.sleep(SETTLE_SECONDS)
        options.file.write_bytes(base64.b64decode(browser.do('Page.captureScreenshot')['data']))
    finally:
        browser.close()


if __name__ == '__main__':
    with readable_failures():
        main()
