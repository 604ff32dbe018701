"""`make softphone-lib`: builds static/lib/jssip/ of the packages that package-lock.json names.
`CHECK=1` builds too, and only says whether the files in the repository are the same.

It needs Node.js. Nothing else does: the built file is in the repository.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path

from ..setup import paths
from ..setup.console import fail, phase, readable_failures, run, say

HERE = Path(__file__).parent
WORK = paths.CACHE / 'softphone'
SHIPPED = paths.REPO / 'static' / 'lib' / 'jssip'
BUILD = ('--bundle', '--minify', '--format=iife', '--global-name=crmTelephonySip')
TARGET = '--target=es2021'
# Whose code is in the file, each with the file that holds its licence.
PARTS = {
    'jssip': 'LICENSE.md',
    'debug': 'LICENSE',
    'ms': 'license.md',
    'events': 'LICENSE',
    'sdp-transform': 'LICENSE',
}
README = """# JsSIP {jssip}

Speaks SIP over a websocket for the browser phone. Only `static/src/softphone/line_sip.js` names it.

- Built by `make softphone-lib` of the packages in `dev/softphone/package-lock.json`: {parts}
- `esbuild` {esbuild} with `{options}`
- Licences: MIT, all of them, in `LICENSE`
- SHA-256 of `jssip.js`: `{sha256}`
- Integrity of the package: `{integrity}`

It is in the bundle `crm_telephony.assets_softphone`, which only browsers of users with a browser phone load.
"""


def main() -> None:
    if not shutil.which('npm'):
        fail('npm is not on the PATH. The library is built with Node.js.')
    with phase('JsSIP'):
        built = _build()
    if os.environ.get('CHECK', '0') in ('', '0'):
        SHIPPED.mkdir(parents=True, exist_ok=True)
        for name, content in built.items():
            (SHIPPED / name).write_bytes(content)
        return
    changed = [name for name, content in built.items() if (SHIPPED / name).read_bytes() != content]
    if changed:
        fail(f'another build than in static/lib/jssip: {", ".join(changed)}')
    say('static/lib/jssip is what these packages give')


def _build() -> dict[str, bytes]:
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    for name in ('package.json', 'package-lock.json', 'entry.js'):
        shutil.copy(HERE / name, WORK)
    run(['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', WORK], 'npm')
    modules, file = WORK / 'node_modules', WORK / 'jssip.js'
    esbuild = modules / '.bin' / 'esbuild'
    run([esbuild, WORK / 'entry.js', *BUILD, TARGET, f'--outfile={file}'], 'esbuild')
    packages = json.loads((HERE / 'package-lock.json').read_text())['packages']
    version = {name: packages[f'node_modules/{name}']['version'] for name in (*PARTS, 'esbuild')}
    licences = [
        f'{name} {version[name]}\n\n{(modules / name / licence).read_text().strip()}\n'
        for name, licence in PARTS.items()
    ]
    content = file.read_bytes()
    readme = README.format(
        **version,
        parts=', '.join(f'{name} {version[name]}' for name in PARTS),
        options=' '.join((*BUILD, TARGET)),
        sha256=hashlib.sha256(content).hexdigest(),
        integrity=packages['node_modules/jssip']['integrity'],
    )
    return {
        'jssip.js': content,
        'LICENSE': ('\n' + '-' * 80 + '\n\n').join(licences).encode(),
        'README.md': readme.encode(),
    }


if __name__ == '__main__':
    with readable_failures():
        main()
