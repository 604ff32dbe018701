"""A browser for tours, the JavaScript unit tests and screenshots, and fonts that know Cyrillic."""

import platform
import shutil
from pathlib import Path

from . import system
from .console import call, fail, phase

# what Odoo's tests look for, in their order
NAMES = ('google-chrome', 'chromium', 'chromium-browser', 'google-chrome-stable')


def ensure() -> str:
    """The browser's executable. Only one that starts counts: Ubuntu's `chromium-browser` may be a
    stub for a snap."""
    if not (browser := _working()):
        if 'ubuntu' in (_os_release().get('ID', ''), *_os_release().get('ID_LIKE', '').split()):
            fail(
                'No working Chromium or Chrome. Ubuntu has Chromium as a snap only: `snap install chromium`, or '
                'install the package of Google Chrome, so that `chromium` or `google-chrome` is on the PATH.'
            )
        with phase('Chromium'):
            system.install(['chromium'], 'Tours and screenshots')
        browser = _working() or fail('chromium was installed but does not start')
    if not (call(['fc-list', ':lang=ru']) or _dejavu()):
        system.install(['fonts-dejavu-core'], 'Cyrillic text in the browser')
    return browser


def _working() -> str | None:
    for name in NAMES:
        if (found := shutil.which(name)) and call([found, '--version']):
            return found
    return None


def _dejavu() -> bool:
    return any(Path('/usr/share/fonts').rglob('DejaVuSans.ttf'))


def _os_release() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}
