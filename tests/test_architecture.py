"""What the house plan promises and no other test would notice."""

import ast
import importlib
import re
from pathlib import Path

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_telephony.providers import registry
from odoo.addons.crm_telephony.providers.base import ProviderError

ROOT = Path(__file__).resolve().parents[1]
# Where no PBX may be known by name: what holds for all of them.
NEUTRAL = (
    'models',
    'controllers',
    'views',
    'static/src',
    'security',
    'data',
    'wizards',
    'tools',
    'speech',
    'hooks.py',
    '__init__.py',
    '__manifest__.py',
    'providers/*.py',
    'tests/providers/*.py',
    'tests/__init__.py',
    'tests/provider_case.py',
    'tests/client_case.py',
    'tests/test_architecture.py',
    'tests/test_provider_contract.py',
)
# A test may take some PBXs as examples; one that names more keeps a list.
EXAMPLES = 4
TEXTS = {'.py', '.xml', '.js', '.scss', '.css', '.csv', '.sql', '.html', '.json', '.md'}
# Plain Python: what they take from outside is the marking of texts.
PLAIN = ('providers', 'speech')
# Where a variable says what it holds, so that none is called `one`. Grows until it is all Python.
NAMED = ('models', 'controllers', 'providers', 'speech', 'tools', 'wizards', 'hooks.py')
# Where people are *they* (CONTRIBUTING, Glossary).
THEY = (*NAMED, 'data', 'views', 'security', 'demo', 'static/src', 'docs')


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


def files_of(pattern: str) -> list[Path]:
    """The texts of our own at a path, or below it."""
    found = [
        path
        for place in ROOT.glob(pattern)
        for path in (place.rglob('*') if place.is_dir() else [place])
    ]
    assert found, pattern
    return [path for path in sorted(found) if path.suffix in TEXTS and 'lib' not in path.parts]


def named(path: Path) -> list[str]:
    """The lines of a file that name PBXs by their codes: line number and codes."""
    # Odoo's Domain.custom is no PBX
    codes = re.compile(rf"(?<!Domain\.)\b(?:{'|'.join(registry)})\b", re.IGNORECASE)
    lines = enumerate(path.read_text('utf-8').splitlines(), 1)
    return [
        f"{number}: {' '.join(sorted({code.lower() for code in told}))}"
        for number, line in lines
        if (told := codes.findall(line))
    ]


@tagged('post_install', '-at_install', 'crm_telephony')
class TestArchitecture(BaseCase):
    def test_plain_rooms_do_not_know_odoo(self):
        """Nor does what they share with the models."""
        for plain in ('tools/words.py', 'models/callbacks/ledger.py'):
            self.assertFalse(
                [name for name in imports(ROOT / plain) if name.startswith(('odoo', '.'))]
            )
        for room in PLAIN:
            files = sorted((ROOT / room).rglob('*.py'))
            self.assertTrue(files)
            for path in files:
                for name in imports(path):
                    with self.subTest(room, file=path.name, imported=name):
                        self.assertFalse(name.split('.')[0] == 'odoo', "this is plain Python")
                        dots = len(name) - len(name.lstrip('.'))
                        inside = len(path.relative_to(ROOT / room).parts)
                        if name.lstrip('.') not in (
                            'tools.words.Words',
                            'tools.words._lt',
                            'tools.words.changed',
                            'tools.words.storable',
                        ):
                            self.assertLessEqual(
                                dots, inside, "it reaches for nothing outside its room"
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

        complaints, kin = {ProviderError.__name__}, [ProviderError]
        while kin:
            kin = [one for parent in kin for one in parent.__subclasses__()]
            complaints |= {one.__name__ for one in kin}
        self.assertGreater(len(complaints), 3)
        found = []
        for path in (ROOT / 'providers').rglob('*.py'):
            for node in ast.walk(ast.parse(path.read_text('utf-8'))):
                if (
                    isinstance(node, ast.Call)
                    and node.args
                    and is_plain(node.args[0])
                    and getattr(node.func, 'id', '') in complaints
                ):
                    found.append(f'{path.name}:{node.lineno}')
                if (
                    isinstance(node, ast.keyword)
                    and node.arg in ('note', 'ignored')
                    and is_plain(node.value)
                ):
                    found.append(f'{path.name}:{node.value.lineno}')
        self.assertEqual(found, [])

    def test_every_sentence_is_translatable(self):
        """What a client says when it has done something, too: a sentence stands in _(), in the log
        or in a docstring."""
        found = []
        for path in sorted(path for room in PLAIN for path in (ROOT / room).rglob('*.py')):
            tree = ast.parse(path.read_text('utf-8'))
            known = set()
            for node in ast.walk(tree):
                if isinstance(node, ast.Expr):
                    known.add(node.value)
                elif isinstance(node, ast.Call):
                    name = getattr(node.func, 'id', '') or getattr(node.func, 'attr', '')
                    if name in ('_', 'info', 'warning', 'exception'):
                        known |= set(node.args)
            found += [
                f'{path.relative_to(ROOT)}:{node.lineno}: {node.value}'
                for node in ast.walk(tree)
                if isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and re.match(r'(?s)[A-Z“].* .*[.?]$', node.value)
                and node not in known
            ]
        self.assertEqual(found, [])

    def test_concurrency_has_one_room(self):
        """Nobody else knows PostgreSQL's errors for it, locks by number, or starts a thread.

        Adapters are not asked: they know neither the database nor tools/.
        """
        named = re.compile(
            r'PG_CONCURRENCY|SerializationFailure|DeadlockDetected|LockNotAvailable|OperationalError'
            r'|advisory_|\bthreading\b|_thread\b|concurrent\.futures'
        )
        files = [
            path
            for folder in ('models', 'controllers', 'wizards')
            for path in sorted((ROOT / folder).rglob('*.py'))
        ]
        self.assertTrue(files)
        found = []
        for path in (*files, ROOT / 'hooks.py'):
            for number, line in enumerate(path.read_text('utf-8').splitlines(), 1):
                if match := named.search(line):
                    found.append(f'{path.relative_to(ROOT)}:{number}: {match[0]}')
        self.assertEqual(found, [])

    def test_no_pbx_is_named_outside_its_folders(self):
        """So that another one is one folder more, here and in tests/providers."""
        found = []
        for pattern in NEUTRAL:
            for path in files_of(pattern):
                found += [f'{path.relative_to(ROOT)}:{line}' for line in named(path)]
        self.assertEqual(found, [])

    def test_no_pbx_is_named_in_the_folders_of_another(self):
        """But by one that builds on it."""
        found = []
        for code, provider in registry.items():
            own = {kin.code for kin in type(provider).__mro__ if getattr(kin, 'code', '')}
            for folder in (f'providers/{code}', f'tests/providers/{code}'):
                for path in files_of(f'{folder}/*.py'):
                    found += [
                        f'{path.relative_to(ROOT)}:{line}'
                        for line in named(path)
                        if set(line.split(': ')[1].split()) - own
                    ]
        self.assertEqual(found, [])

    def test_no_test_keeps_a_list_of_pbxs(self):
        for path in sorted((ROOT / 'tests').glob('*.py')):
            with self.subTest(path.name):
                codes = {code for line in named(path) for code in line.split(': ')[1].split()}
                self.assertLessEqual(len(codes), EXAMPLES, codes)

    def test_variables_say_what_they_hold(self):
        found = [
            f'{path.relative_to(ROOT)}:{node.lineno}'
            for place in NAMED
            for path in files_of(place)
            if path.suffix == '.py'
            for node in ast.walk(ast.parse(path.read_text('utf-8')))
            if 'one' in (getattr(node, 'id', ''), getattr(node, 'arg', ''))
        ]
        self.assertEqual(found, [])

    def test_people_have_no_gender(self):
        named = re.compile(r'\b(?:he|his|him|himself|she|her|hers|herself)\b', re.IGNORECASE)
        found = [
            f'{path.relative_to(ROOT)}:{number}: {match[0]}'
            for place in THEY
            for path in files_of(place)
            for number, line in enumerate(path.read_text('utf-8').splitlines(), 1)
            if (match := named.search(line))
        ]
        self.assertEqual(found, [])

    def test_every_test_file_runs(self):
        """Odoo runs what tests/__init__.py imports, and is silent about the rest."""
        tests = ROOT / 'tests'
        imported = set(imports(tests / '__init__.py'))
        files = {path.stem for path in tests.glob('test_*.py')}
        self.assertEqual({f'.{name}' for name in files} - imported, set())
        of_pbxs = {path.relative_to(tests) for path in tests.glob('providers/*/test_*.py')}
        self.assertTrue(of_pbxs)
        package = importlib.import_module(__package__)
        for path in of_pbxs:
            _providers, pbx, name = path.with_suffix('').parts
            module = getattr(package, name.replace('test', f'test_{pbx}', 1))
            self.assertEqual(module.__name__, f'{__package__}.providers.{pbx}.{name}')

    def test_contributing_names_what_is_there(self):
        """Methods and files that CONTRIBUTING names, so that a newcomer who looks finds them."""
        text = (ROOT / 'CONTRIBUTING.md').read_text('utf-8')
        code = '\n'.join(
            path.read_text('utf-8')
            for folder in ('models', 'controllers', *PLAIN, 'tools', 'wizards', 'tests')
            for path in (ROOT / folder).rglob('*.py')
        )
        files = {path.relative_to(ROOT).as_posix() for path in ROOT.rglob('*.*')}
        named = set(re.findall(r'`([^`\n]+)`', text))
        methods = {
            match[1] for name in named if (match := re.search(r'(?:^|\.)(_[a-z_]*[a-z])$', name))
        }
        self.assertEqual({name for name in methods if f'def {name}(' not in code}, set())
        paths = {
            name
            for name in named
            if re.fullmatch(r'[\w/.-]+\.(py|xml|js|md|toml)', name) and '/' in name
        }
        gone = {path for path in paths if not any(file.endswith(path) for file in files)}
        self.assertEqual(gone, set())
