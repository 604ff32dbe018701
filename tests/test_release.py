"""Manifest, changelog and migrations agree on the version, and a release has no ballast."""

from ast import literal_eval
from pathlib import Path
from unittest import skipIf

from odoo.tests import BaseCase, tagged

try:
    # it is not shipped with the addon
    from ..dev import release
except ImportError as error:
    MISSING = f"NOT TESTED: the release, there is no dev/ here: {error}"
else:
    MISSING = ''

ROOT = Path(__file__).resolve().parents[1]
VERSION = literal_eval((ROOT / '__manifest__.py').read_text())['version']
LOG = "# Changelog\n\n## 19.0.2.0.0 ({})\n\n- a line\n\n## 19.0.1.1.0 (2026-11-22)\n"


@tagged('-at_install', 'post_install', 'crm_telephony')
@skipIf(MISSING, MISSING)
class TestRelease(BaseCase):
    def test_this_version(self):
        self.assertEqual(
            release.disagreements(VERSION, (ROOT / 'CHANGELOG.md').read_text('utf-8')), []
        )

    def test_no_migration_is_ahead(self):
        number = lambda version: tuple(map(int, version.split('.')))  # noqa: E731
        for folder in (ROOT / 'migrations').iterdir():
            if folder.name[0].isdigit():
                self.assertLessEqual(number(folder.name), number(VERSION))

    def test_disagreements(self):
        dated, undated = LOG.format('2026-12-31'), LOG.format(release.UNRELEASED)
        self.assertEqual(release.disagreements('19.0.2.0.0', undated), [])
        self.assertEqual(release.disagreements('19.0.2.0.0', dated, 'v19.0.2.0.0'), [])
        for version, log, tag, said in (
            ('19.0.2.0.1', dated, '', "CHANGELOG.md 19.0.2.0.0"),
            ('19.0.2.0.0', dated, '19.0.2.0.1', "the tag is 19.0.2.0.1"),
            ('19.0.2.0.0', undated, '19.0.2.0.0', "Write the day"),
            ('19.0.2.0.0', "# Changelog\n", '', "no heading"),
        ):
            [line] = release.disagreements(version, log, tag)
            self.assertIn(said, line)

    def test_what_is_shipped(self):
        for name in ('__manifest__.py', 'models/calls/call.py', 'i18n/ru.po', 'docs/pbx.md'):
            self.assertTrue(release.is_shipped(name), name)
        for name in ('dev/run.py', 'tests/common.py', '.ci/run', 'static/tests/x.js', 'Makefile'):
            self.assertFalse(release.is_shipped(name), name)
