"""One page of docs/pbx/ for each PBX, made of its README, its steps and its advice, so that none of
them is written twice.

`make pbx-pages` writes them anew; tests/test_docs.py holds them to it.
"""

import re
from pathlib import Path

from . import readme

FOLDER = readme.ROOT / 'docs' / 'pbx'
# What an administrator looks for first, of the advice for test calls.
TROUBLE = ('nothing', 'refused', 'ignored', 'failed')
HEAD = "<!-- made by `make pbx-pages` of providers/{code}/; write there, not here -->"


def pages(registry, advice) -> dict[Path, str]:
    """The pages: {file: text}.

    :param registry: the adapters by code
    :param advice: what to do with any PBX, by cause
    """
    return {
        FOLDER / f'{folder.name}.md': _page(folder, registry[folder.name], advice)
        for folder in readme.folders()
    }


def _page(folder: Path, adapter, advice) -> str:
    text = (folder / 'README.md').read_text('utf-8')
    text = re.sub(r'\]\(\.\./(\w+)/README\.md\)', r'](\1.md)', text)
    title, _blank, *rest = text.splitlines()
    body = '\n'.join(rest).strip()
    about, _heading, tables = body.partition('## What it tells')
    about = about.split('\n\nDocuments:')[0].split('\n\n## ')[0]
    steps = [f'{number}. {_text(step)}' for number, step in enumerate(adapter.setup_steps, 1)]
    bodies = (
        ''
        if not adapter.setup_bodies
        else (
            '\n\nThe form in Odoo shows the text of each of these notifications, with a button that copies it.'
        )
    )
    trouble = []
    for cause in TROUBLE:
        its = adapter.advice.get(cause) or advice[cause]
        trouble.append(f'- {_text(its)}')
    return '\n'.join(
        (
            HEAD.format(code=folder.name),
            title,
            '',
            about,
            '',
            '## What to paste where',
            '',
            'In Odoo: *CRM → Configuration → PBXs → New*, choose this PBX. Its form shows these steps, with the '
            'webhook address to copy.',
            '',
            *steps,
            bodies,
            '',
            'Then [a test call](../start.md#the-test-call) says whether everything arrives.',
            '',
            '## When nothing arrives',
            '',
            *trouble,
            '',
            'Any PBX: [when something is wrong](../administrator.md#when-something-is-wrong).',
            '',
            '## What it tells' + tables.rstrip(),
            '',
            '[All PBXs side by side](../pbx.md) · [Which scheme](../schemes.md)',
            '',
        )
    )


def _text(words) -> str:
    """A step or advice in English, with `…` for what only a test call knows."""
    text = str(words)
    for name in ('%(reason)s', '%(pbx)s', '%(number)s', '%(host)s'):
        text = text.replace(name, '…')
    return text.replace('](', ']\\(')  # as in [general](+), which is no link
