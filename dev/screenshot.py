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
import os
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import requests
import websocket

from dev.setup import chromium
from dev.setup.console import fail, readable_failures

# Keeps a headless browser from calling home, which a closed network answers slowly.
QUIET = (
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--hide-scrollbars',
)
WAIT_SECONDS = 30
SETTLE_SECONDS = 1.0


class Browser:
    """Chromium over its DevTools protocol."""

    def __init__(self, profile: str, size: str):
        sandbox = ['--no-sandbox'] if os.geteuid() == 0 else []
        self.process = subprocess.Popen(
            [
                chromium.ensure(),
                '--headless',
                *sandbox,
                *QUIET,
                f'--window-size={size.replace("x", ",")}',
                '--remote-debugging-port=0',
                '--remote-allow-origins=*',
                f'--user-data-dir={profile}',
                'about:blank',
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port_file = Path(profile) / 'DevToolsActivePort'
        self.until(
            lambda: port_file.exists() and port_file.read_text().strip(), 'the browser to start'
        )
        port = port_file.read_text().split()[0]
        with urllib.request.urlopen(f'http://127.0.0.1:{port}/json') as answer:
            page = next(target for target in json.load(answer) if target['type'] == 'page')
        self.socket = websocket.create_connection(
            page['webSocketDebuggerUrl'], timeout=WAIT_SECONDS
        )
        self.last_id = 0
        # a window of Chromium is 500 pixels wide at least, a telephone's is not
        width, height = map(int, size.split('x'))
        self.do(
            'Emulation.setDeviceMetricsOverride',
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def do(self, method: str, **parameters) -> dict:
        self.last_id += 1
        self.socket.send(json.dumps({'id': self.last_id, 'method': method, 'params': parameters}))
        while (message := json.loads(self.socket.recv())).get('id') != self.last_id:
            pass
        if 'error' in message:
            fail(f'{method}: {message["error"]["message"]}')
        return message['result']

    def evaluate(self, expression: str):
        return self.do('Runtime.evaluate', expression=expression, returnByValue=True)['result'].get(
            'value'
        )

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

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


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
    cookie = session(options.url, options.db, options.login, options.lang)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(profile, options.size)
        try:
            browser.do('Emulation.setTimezoneOverride', timezoneId=options.timezone)
            browser.do('Network.setCookie', name='session_id', value=cookie, url=options.url)
            browser.do('Page.navigate', url=options.url + options.page)
            browser.wait_for(options.wait)
            for selector in options.click:
                browser.wait_for(selector)
                browser.evaluate(f'document.querySelector({json.dumps(selector)}).click()')
                time.sleep(SETTLE_SECONDS)
            time.sleep(SETTLE_SECONDS)
            options.file.write_bytes(base64.b64decode(browser.do('Page.captureScreenshot')['data']))
        finally:
            browser.close()


if __name__ == '__main__':
    with readable_failures():
        main()
