"""Every link and picture of the pages exists, and what is made of other files is as they say."""

import re
from pathlib import Path
from urllib.parse import unquote

from odoo.tests import BaseCase, tagged

from ..providers import registry
from ..providers.advice import ADVICE
from .providers import pages

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r'\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"')
OUTSIDE = re.compile('[a-z]+:|#|/')
MOST_PICTURES, MOST_ANIMATION = 3_000_000, 2_000_000


def anchors(text):
    """What GitHub makes of the headings of a page."""
    return {
        re.sub(r'[^\w\- ]', '', heading.lower()).strip().replace(' ', '-')
        for heading in re.findall(r'^#+ (.+)$', text, re.M)
    }


@tagged('-at_install', 'post_install', 'crm_telephony')
class TestDocs(BaseCase):
    def test_links(self):
        found = [
            *ROOT.glob('*.md'),
            *ROOT.glob('docs/**/*.md'),
            *ROOT.glob('bridge/*.md'),
            *ROOT.glob('providers/*/README.md'),
            ROOT / 'static/description/index.html',
        ]
        dead, links = [], 0
        for page in found:
            text = re.sub(r'^ {4}.*$|`[^`]*`', '', page.read_text('utf-8'), flags=re.M)
            for groups in LINK.findall(text):
                target = next(filter(None, groups))
                if OUTSIDE.match(target) and not target.startswith('#'):
                    continue
                links += 1
                name, _hash, anchor = unquote(target).partition('#')
                file = (page.parent / name) if name else page
                if not file.exists():
                    dead.append(f'{page.relative_to(ROOT)}: {target}')
                elif anchor and file.suffix == '.md' and anchor not in anchors(file.read_text()):
                    dead.append(f'{page.relative_to(ROOT)}: {target}, no such heading')
        self.assertFalse(dead)
        self.assertGreater(links, 100)

    def test_every_page_can_be_found(self):
        """From docs/README.md, in one click."""
        index = (ROOT / 'docs' / 'README.md').read_text()
        for page in sorted(ROOT.glob('docs/**/*.md')):
            name = page.relative_to(ROOT / 'docs').as_posix()
            if name != 'README.md':
                self.assertIn(f']({name}', index)

    def test_a_page_for_each_pbx(self):
        for file, text in pages.pages(registry, ADVICE).items():
            self.assertEqual(
                file.read_text('utf-8') if file.exists() else '',
                text,
                "make pbx-pages writes it anew",
            )

    def test_pictures_are_small(self):
        sizes = {file: file.stat().st_size for file in (ROOT / 'docs/pictures').iterdir()}
        self.assertLess(sum(sizes.values()), MOST_PICTURES)
        self.assertLess(sizes[ROOT / 'docs/pictures/a_call.gif'], MOST_ANIMATION)
