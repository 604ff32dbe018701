"""The order of models/: a stage calls only itself and the stages before it.

What a later stage adds to an earlier one, it adds by the hooks of the earlier one, so that
`grep "_before_\\|_after_\\|_on_"` is a table of contents of what happens when.
"""

import ast
import re
from pathlib import Path
from typing import NamedTuple

from odoo.tests import BaseCase, tagged

MODELS = Path(__file__).resolve().parents[1] / 'models'
# In the order of the data.
STAGES = (
    'core',
    'pbx',
    'inbox',
    'calls',
    'matching',
    'callbacks',
    'recordings',
    'transcripts',
    'rules',
    'figures',
    'screen',
    'softphone',
    'watch',
    'privacy',
)
HOOK = re.compile('_(before|after|on)_')
# Odoo's own ways to take part in a query, which each slice of a model may use.
QUERIES = {'_field_to_sql', '_read_group_groupby', '_read_group_select', '_search'}
# The matcher reads in one statement what speaks for a deal; that it is to be called back does.
KNOWN = {('matching/matcher.py', 'telephony.callback')}


class Class(NamedTuple):
    """One class of a model: `own` says that the model is made here, else it is extended."""

    stage: str
    file: str
    model: str
    own: bool
    node: ast.ClassDef

    @property
    def methods(self):
        return [node for node in self.node.body if isinstance(node, ast.FunctionDef)]


def read(sources):
    """The classes of these sources.

    :param sources: {'calls/call.py': syntax tree}
    """
    for file, tree in sources.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                names = {
                    target.id: ast.literal_eval(line.value)
                    for line in node.body
                    if isinstance(line, ast.Assign)
                    for target in line.targets
                    if getattr(target, 'id', '') in ('_name', '_inherit')
                }
                inherited = names.get('_inherit')
                model = names.get('_name') or (inherited if isinstance(inherited, str) else '')
                own = '_name' in names and model not in (inherited or ())
                yield Class(file.split('/')[0], file, model, own, node)


def upward(sources):
    """What breaks the order, as readable lines."""
    classes = list(read(sources))
    level = {stage: place for place, stage in enumerate(STAGES)}
    makers = {one.model: one.stage for one in classes if one.own}
    first = {}  # name of a method: the first stage that has one
    for one in classes:
        for method in one.methods if one.model else ():
            if method.name in QUERIES:
                continue
            first[method.name] = min(first.get(method.name, one.stage), one.stage, key=level.get)

    def is_later(stage, than):
        return stage in level and level[stage] > level[than]

    for file, tree in sources.items():
        stage = file.split('/')[0]
        declared = {
            id(argument)
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and getattr(node.func, 'attr', '').endswith('2many')
            or isinstance(node, ast.Call)
            and 'Many2one' in getattr(node.func, 'attr', '')
            for argument in ast.walk(node)
        }
        for node in ast.walk(tree):
            imported = node.level == 2 and node.module if isinstance(node, ast.ImportFrom) else ''
            if imported and is_later(imported.split('.')[0], stage):
                yield f'{file}:{node.lineno} imports {node.module}'
            elif isinstance(node, ast.Attribute) and is_later(first.get(node.attr), stage):
                yield f'{file}:{node.lineno} calls {node.attr} of {first[node.attr]}'
            elif (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in declared
                and (file, node.value) not in KNOWN
                and is_later(makers.get(node.value), stage)
            ):
                yield f'{file}:{node.lineno} uses {node.value} of {makers[node.value]}'


def glued(sources):
    """Slices of a model of ours that are held together by `super()`, whose order is the order of
    imports, instead of by a hook."""
    classes = list(read(sources))
    ours = {one.model for one in classes if one.own}
    for one in classes:
        if one.own or one.model not in ours:
            continue
        for method in one.methods:
            if HOOK.match(method.name) or method.name in QUERIES:
                continue
            for node in ast.walk(method):
                if isinstance(node, ast.Call) and getattr(node.func, 'id', '') == 'super':
                    yield f'{one.file}:{node.lineno} {one.model}.{method.name}'


def hidden(sources):
    """Methods of a model of ours that two slices have under one name: the later one replaces the
    earlier one, and whoever calls that gets something else."""
    classes = list(read(sources))
    ours, seen = {one.model for one in classes if one.own}, {}
    for one in classes:
        for method in one.methods if one.model in ours else ():
            before = seen.setdefault((one.model, method.name), one)
            if before is not one and not HOOK.match(method.name) and method.name not in QUERIES:
                yield f'{one.file}:{method.lineno} {method.name}, as in {before.file}'


def unexplained(sources):
    """Hooks without a word about when they run and what they may do."""
    seen = {}
    for one in sorted(read(sources), key=lambda one: (STAGES.index(one.stage), not one.own)):
        for method in one.methods:
            is_first = seen.setdefault((one.model, method.name), one) is one
            if HOOK.match(method.name) and is_first and not ast.get_docstring(method):
                yield f'{one.file}:{method.lineno} {method.name}'


@tagged('post_install', '-at_install', 'crm_telephony')
class TestStages(BaseCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sources = {
            path.relative_to(MODELS).as_posix(): ast.parse(path.read_text('utf-8'))
            for path in sorted(MODELS.glob('*/*.py'))
        }

    def test_every_model_is_in_a_stage(self):
        folders = {path.name for path in MODELS.iterdir() if path.is_dir()} - {'__pycache__'}
        self.assertEqual(folders, set(STAGES))
        self.assertEqual([path.name for path in MODELS.glob('*.py')], ['__init__.py'])

    def test_a_stage_calls_no_later_one(self):
        self.assertEqual(list(upward(self.sources)), [])

    def test_slices_of_a_model_meet_in_hooks(self):
        self.assertEqual(list(glued(self.sources)), [])

    def test_slices_of_a_model_hide_nothing_of_each_other(self):
        self.assertEqual(list(hidden(self.sources)), [])

    def test_hooks_say_when_they_run(self):
        self.assertEqual(list(unexplained(self.sources)), [])

    def test_a_planted_call_is_found(self):
        def planted(body):
            source = f"""
class Planted(models.Model):
    _inherit = 'telephony.call'

    def _file_planted(self):
        {body}
"""
            sources = {**self.sources, 'calls/planted.py': ast.parse(source)}
            found = [*upward(sources), *glued(sources), *hidden(sources)]
            return [line for line in found if line.startswith('calls/planted.py')]

        for body in (
            "self._announce({})",
            "self.env['telephony.callback'].search([])",
            "return super()._file({}, {})",
            "from ..screen.card import View",
        ):
            with self.subTest(body):
                self.assertEqual(len(planted(body)), 1)
        self.assertEqual(
            len(planted("return ''\n\n    def _write_legs(self, legs):\n        pass")), 1
        )
        self.assertEqual(planted("self.env['telephony.event']._stored(self)"), [])
