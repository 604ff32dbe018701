"""What the house plan promises and no other test would notice."""

import ast
import json
import re
from pathlib import Path

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_telephony.providers import registry

ROOT = Path(__file__).resolve().parents[1]
# Where no PBX may be known by name.
NEUTRAL = ('models', 'controllers', 'views', 'static/src', 'security', 'data', 'wizards')
CODES = ('zadarma', 'mango_office', 'uis', 'onlinepbx', 'twilio', 'asterisk', 'freepbx', 'threecx')
TEXTS = {'.py', '.xml', '.js', '.scss', '.css', '.csv', '.sql', '.html', '.json'}


def imports(path: Path):
    """Every import of a module: its dotted name, with leading dots where it is relative."""
    for node in ast.walk(ast.parse(path.read_text('utf-8'), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (
                '.' * node.level + '.'.join(filter(None, (node.module, alias.name)))
                for alias in node.names
            )


@tagged('post_install', '-at_install', 'crm_telephony')
class TestArchitecture(BaseCase):
    def test_adapters_do_not_know_odoo(self):
        """Nor does what it shares with the models."""
        files = sorted((ROOT / 'providers').rglob('*.py'))
        self.assertTrue(files)
        for plain in ('tools/words.py', 'models/callbacks/ledger.py'):
            self.assertFalse(
                [name for name in imports(ROOT / plain) if name.startswith(('odoo', '.'))]
            )
        for path in files:
            for name in imports(path):
                with self.subTest(path.name, imported=name):
                    self.assertFalse(name.split('.')[0] == 'odoo', "an adapter is plain Python")
                    dots = len(name) - len(name.lstrip('.'))
                    inside = len(path.relative_to(ROOT / 'providers').parts)
                    if name.lstrip('.') not in (
                        'tools.words._lt',
                        'tools.words.changed',
                        'tools.words.storable',
                    ):
                        self.assertLessEqual(
                            dots, inside, "an adapter reaches for nothing outside its package"
                        )

    def test_complaints_are_translatable(self):
        """A complaint in plain English, or one that is put together of pieces, would be read in
        English by everybody."""

        def is_plain(node):
            return (
                isinstance(node, (ast.JoinedStr, ast.BinOp))
                or isinstance(node, ast.Constant)
                and node.value
                or (isinstance(node, ast.IfExp) and (is_plain(node.body) or is_plain(node.orelse)))
            )

        found = []
        for path in (ROOT / 'providers').rglob('*.py'):
            for node in ast.walk(ast.parse(path.read_text('utf-8'))):
                if (
                    isinstance(node, ast.Call)
                    and node.args
                    and is_plain(node.args[0])
                    and (
                        getattr(node.func, 'id', '') in ('ProviderError', 'Refused', 'LoginRefused')
                    )
                ):
                    found.append(f'{path.name}:{node.lineno}')
                if (
                    isinstance(node, ast.keyword)
                    and node.arg in ('note', 'ignored')
                    and is_plain(node.value)
                ):
                    found.append(f'{path.name}:{node.value.lineno}')
        self.assertEqual(found, [])

    def test_no_pbx_is_named_outside_its_adapter(self):
        named = re.compile(rf"\b(?:{'|'.join(CODES)})\b", re.IGNORECASE)
        found = []
        for folder in NEUTRAL:
            for path in sorted((ROOT / folder).rglob('*')):
                if path.suffix not in TEXTS or 'lib' in path.relative_to(ROOT).parts:
                    continue
                for number, line in enumerate(path.read_text('utf-8').splitlines(), 1):
                    if match := named.search(line):
                        found.append(f'{path.relative_to(ROOT)}:{number}: {match[0]}')
        self.assertEqual(found, [])

    def test_every_test_file_runs(self):
        """Odoo runs what tests/__init__.py imports, and is silent about the rest."""
        imported = set(imports(ROOT / 'tests' / '__init__.py'))
        files = {path.stem for path in (ROOT / 'tests').glob('test_*.py')}
        self.assertEqual({f'.{name}' for name in files} - imported, set())

    def test_every_adapter_has_samples(self):
        for code in registry:
            with self.subTest(code):
                files = sorted((ROOT / 'tests' / 'payloads' / code).glob('*.json'))
                samples = [json.loads(path.read_text('utf-8')) for path in files]
                self.assertTrue(
                    any(isinstance(sample, dict) and sample.get('expected') for sample in samples)
                )

    def test_every_adapter_explains_itself(self):
        for code, provider in registry.items():
            with self.subTest(code):
                self.assertTrue(provider.label)
                self.assertTrue(provider.setup_steps)
                self.assertEqual(code, provider.code)
