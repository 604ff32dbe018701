"""`make pictures`: takes all pictures of README, docs and the apps page anew, from the running demo.

Needs a fresh `make run` in another terminal (DB=, PORT= as there). Pictures are of few colours, so
that all of them together stay below 3 MB. The animation of the README is made of pictures, too.
"""

import argparse
import base64
import subprocess
import sys
import time
from io import BytesIO
from typing import NamedTuple

from PIL import Image

from .screenshot import SETTLE_SECONDS, Browser, session
from .setup import chromium, paths
from .setup.console import fail, readable_failures, say

PICTURES = paths.REPO / 'docs' / 'pictures'
APPS_PAGE = paths.REPO / 'static' / 'description'
COLOURS = 128
MOST_BYTES, MOST_OF_ANIMATION = 3_000_000, 2_000_000
FRAME = (960, 617)
FRAME_MS = 2200
CARD = '.o_telephony_card'
HANG_UP = f'{CARD} .o_telephony_card_hang_up'


class Picture(NamedTuple):
    name: str
    page: str
    login: str = 'admin'
    lang: str = 'en_US'
    size: str = '1400x900'
    wait: str = '.o_action_manager > *'
    click: tuple[str, ...] = ()
    seconds: float = SETTLE_SECONDS


SHOTS = (
    Picture('callbacks', '/odoo/telephony-callbacks'),
    Picture('calls', '/odoo/telephony-calls'),
    Picture('to_settle', '/odoo/telephony-settle'),
    Picture('live', '/odoo/telephony-live'),
    Picture('figures', '/odoo/telephony-report', seconds=3),
    Picture('mine', '/odoo/telephony-mine', login='aigerim', seconds=3),
    Picture('start', '/odoo/telephony-start'),
    Picture('pbx', '/odoo/telephony-pbx'),
    Picture('rules', '/odoo/telephony-rules'),
)
RUSSIAN = ('callbacks', 'to_settle', 'live', 'figures')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--url', default='http://127.0.0.1:8069')
    parser.add_argument('--db', default=paths.ADDON)
    options = parser.parse_args()
    chromium.ensure()
    PICTURES.mkdir(exist_ok=True)
    taken = {}
    for shot in SHOTS:
        taken[shot.name] = _take(options, shot)
    for shot in SHOTS:
        if shot.name in RUSSIAN:
            taken[f'{shot.name}_ru'] = _take(options, shot._replace(lang='ru_RU'))
    # a customer calls while the board is open: the card rings, then the talk, then the result
    frames = _call(options)
    taken['card'], taken['result'] = frames[0], frames[-1]
    for name, image in taken.items():
        _keep(image, PICTURES / f'{name}.png')
    for name in ('callbacks', 'card', 'calls', 'to_settle', 'live', 'figures'):
        _keep(taken[name], APPS_PAGE / f'{name}.png')
    for name in RUSSIAN:
        _keep(taken[f'{name}_ru'], APPS_PAGE / f'{name}_ru.png')
    _animate([taken['callbacks'], *frames, taken['calls']])
    total = sum(file.stat().st_size for file in PICTURES.iterdir())
    if total > MOST_BYTES:
        fail(f'the pictures have {total / 1e6:.1f} MB, more than {MOST_BYTES / 1e6} MB')
    say(f'{len(list(PICTURES.iterdir()))} pictures, {total / 1e6:.1f} MB')


def _open(options, shot: Picture) -> Browser:
    cookie = session(options.url, options.db, shot.login, shot.lang)
    browser = Browser(options.db, shot.size)
    browser.do('Emulation.setTimezoneOverride', timezoneId='Asia/Almaty')
    browser.log_in(options.url, cookie)
    browser.do('Page.navigate', url=options.url + shot.page)
    browser.wait_for(shot.wait)
    return browser


def _snap(browser: Browser) -> Image.Image:
    data = base64.b64decode(browser.do('Page.captureScreenshot')['data'])
    return Image.open(BytesIO(data)).convert('RGB')


def _take(options, shot: Picture) -> Image.Image:
    say(f'{shot.name} ({shot.lang})')
    browser = _open(options, shot)
    try:
        for selector in shot.click:
            browser.wait_for(selector)
            browser.click(selector)
        time.sleep(shot.seconds)
        return _snap(browser)
    finally:
        browser.close()


def _call(options) -> list[Image.Image]:
    """Let a customer call phone 101, and take the card as it rings, as they talk, and as it asks for
    the result."""
    browser = _open(options, SHOTS[0]._replace(login='aigerim'))
    command = [sys.executable, '-m', 'dev.simulate', '--url', options.url, '--db', options.db]
    try:
        subprocess.run([*command, 'call', '--phone', '101'], cwd=paths.REPO, check=True)
        frames = []
        for phase in ('ringing', 'talking'):
            browser.wait_for(f'{CARD}[data-phase="{phase}"]')
            time.sleep(2)
            frames.append(_snap(browser))
        browser.click(HANG_UP)
        browser.wait_for(f'{CARD}[data-phase="ended"]')
        time.sleep(2)
        return [*frames, _snap(browser)]
    finally:
        browser.close()


def _keep(image: Image.Image, file) -> None:
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)


def _animate(frames: list[Image.Image]) -> None:
    file = PICTURES / 'a_call.gif'
    small = [
        frame.resize(FRAME, Image.Resampling.LANCZOS).quantize(COLOURS, dither=Image.Dither.NONE)
        for frame in frames
    ]
    small[0].save(
        file, save_all=True, append_images=small[1:], duration=FRAME_MS, loop=0, optimize=True
    )
    if file.stat().st_size > MOST_OF_ANIMATION:
        fail(f'{file.name} has {file.stat().st_size / 1e6:.1f} MB')


if __name__ == '__main__':
    with readable_failures():
        main()
