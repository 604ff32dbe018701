"""What the README of each PBX says in its tables, and the tables of docs/pbx.md that are made of it.

python3 tests/providers/readme.py      writes those tables anew
"""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / 'docs' / 'pbx.md'
SET_UP = ('to enter in Odoo', 'to set at the PBX')
TELLS = (
    'webhooks, known as genuine by',
    'legs',
    'abandon known',
    'voicemail known',
    'transfer seen',
    'recording',
)
SALESPERSON = "customer's own salesperson first: it gets"
ASKED = (
    'check',
    'balance',
    'history',
    'click-to-call',
    'hang up',
    'transfer',
    'recording address',
    'recordings opened with its login',
    'recordings deleted there',
    'import',
    'set webhooks',
    'waiting callers sent to a phone',
    'one-time passwords of browser phones',
)
# The tables of the page: their columns.
TABLES = {'tells': TELLS, 'asked': ASKED, 'set-up': SET_UP, 'salesperson': (SALESPERSON,)}
NOTHING = '–'  # what stands where a PBX does not do it


def read(folder: Path) -> dict[str, str]:
    """The rows of all tables of a PBX's README, and its heading as `PBX`.

    :param folder: of the PBX, below providers/
    """
    text = (folder / 'README.md').read_text('utf-8')
    rows = re.findall(r'^\| ([^|]+?) \| (.*?) \|$', text, re.MULTILINE)
    return {
        'PBX': text.splitlines()[0].removeprefix('# '),
        'adapter': f'`{folder.name}`',
        **dict(rows),
    }


def tables(folders) -> dict[str, str]:
    """The tables of the page, made of the READMEs of these folders."""
    found = sorted(map(read, folders), key=lambda row: row['PBX'].casefold())
    return {name: _table(found, ('PBX', 'adapter', *columns)) for name, columns in TABLES.items()}


def _table(found: list[dict[str, str]], columns: tuple[str, ...]) -> str:
    lines = [columns, ('---',) * len(columns)]
    lines += [[row[name] for name in columns] for row in found]
    return '\n'.join(f"| {' | '.join(line)} |" for line in lines)


def page(text: str, folders) -> str:
    """The page with its tables made anew; each stands between <!-- name --> and <!-- /name -->."""
    for name, table in tables(folders).items():
        text = re.sub(
            rf'(<!-- {name} -->\n).*?(<!-- /{name} -->)',
            lambda match, table=table: f'{match[1]}\n{table}\n\n{match[2]}',
            text,
            flags=re.DOTALL,
        )
    return text


def folders() -> list[Path]:
    return sorted(path.parent for path in (ROOT / 'providers').glob('*/README.md'))


if __name__ == '__main__':
    PAGE.write_text(page(PAGE.read_text('utf-8'), folders()), 'utf-8')
