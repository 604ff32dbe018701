"""The command: serves until it is told to stop; with --try it turns one file into text and ends."""

from __future__ import annotations

import argparse
import ipaddress
import logging
import signal
import sys
import threading
import time
from pathlib import Path

from . import __version__
from .engines import ENGINES, Engine, SoundError
from .server import PATH, Server

_logger = logging.getLogger('telephony_speech')

WRONG_OPTIONS = 78  # EX_CONFIG: after it systemd does not start the server again, see the unit


def main() -> int:
    parser = argparse.ArgumentParser(
        prog='crm-telephony-speech', description="Turns telephone talks into text for the CRM."
    )
    add = parser.add_argument
    add(
        '--engine',
        choices=ENGINES,
        default='faster_whisper',
        help="the library (default: %(default)s)",
    )
    add('--model', required=True, type=Path, metavar='DIR', help="the folder that holds the model")
    add('--kind', default='', help="onnx_asr: which model it is, as gigaam-v3-ctc, t-one-ctc, vosk")
    add('--quantization', default='', help="onnx_asr: int8, if the folder has such files")
    add(
        '--threads',
        type=int,
        default=0,
        help="processor cores to use (default: as the library does)",
    )
    add('--host', default='127.0.0.1', help="address to listen on (default: %(default)s)")
    add('--port', type=int, default=9377, help="(default: %(default)s)")
    add(
        '--key-file',
        type=Path,
        help="file with the key that the CRM sends; a must for other machines",
    )
    add('--max-mb', type=int, default=25, help="size of a request (default: %(default)s)")
    add(
        '--try',
        dest='sound',
        type=Path,
        metavar='FILE',
        help="print what is said in a file, and end",
    )
    add('--language', default='', help="with --try: two letters")
    add('--version', action='version', version=__version__)
    options = parser.parse_args()
    # journald adds the time
    logging.basicConfig(level='INFO', format='%(levelname)s %(message)s')
    if problem := _problem(options):
        print(problem, file=sys.stderr)
        return WRONG_OPTIONS
    try:
        key = options.key_file.read_text('utf-8').strip() if options.key_file else ''
        if options.key_file and not key:
            raise ValueError(f'{options.key_file} is empty. Write the key into it.')
        engine = _load(options)
    except (ImportError, OSError, ValueError, RuntimeError) as error:
        print(_advice(options, error), file=sys.stderr)
        return WRONG_OPTIONS
    if options.sound:
        return _try(engine, options)
    return _serve(engine, key, options)


def _problem(options: argparse.Namespace) -> str:
    """Say what is wrong with the options; '' if nothing is."""
    if not options.model.is_dir():
        return f'--model {options.model}: there is no such folder. Download a model; README.md names some.'
    if options.engine == 'onnx_asr' and not options.kind:
        return '--engine onnx_asr needs --kind: which model it is, as gigaam-v3-ctc.'
    if not options.key_file and not _is_own(options.host):
        return f'--host {options.host}: other machines can ask. Give a key by --key-file.'
    return ''


def _is_own(host: str) -> bool:
    """Whether only programs of this machine reach an address."""
    try:
        return host == 'localhost' or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _load(options: argparse.Namespace) -> Engine:
    began = time.monotonic()
    given = (
        {'kind': options.kind, 'quantization': options.quantization}
        if options.engine == 'onnx_asr'
        else {}
    )
    engine = ENGINES[options.engine](options.model, options.threads, **given)
    _logger.info("the model in %s is ready after %.1f s", options.model, time.monotonic() - began)
    return engine


def _advice(options: argparse.Namespace, error: Exception) -> str:
    if isinstance(error, ImportError):
        package = 'faster-whisper' if options.engine == 'faster_whisper' else 'onnx-asr onnxruntime'
        return f'{options.engine} is not installed ({error}). Run: pip install {package}'
    return f'it does not start: {error}'


def _try(engine: Engine, options: argparse.Namespace) -> int:
    try:
        answer = engine.transcribe(options.sound.read_bytes(), options.language, '')
        for line in answer.lines:
            print(f'{line.start:7.1f} {line.end:7.1f}  {line.text.strip()}', flush=True)
    except (SoundError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _serve(engine: Engine, key: str, options: argparse.Namespace) -> int:
    try:
        server = Server((options.host, options.port), engine, key, options.max_mb << 20)
    except OSError as error:
        print(f'{options.host}:{options.port}: {error}', file=sys.stderr)
        return 1

    def stop(_number, _frame):
        threading.Thread(target=server.shutdown).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    host = f'[{options.host}]' if ':' in options.host else options.host
    _logger.info("ready: http://%s:%d%s", host, server.server_address[1], PATH)
    with server:
        server.serve_forever()
        # the talk in work is finished, so its answer is not lost
        server.job.acquire(timeout=110)
    return 0


if __name__ == '__main__':
    sys.exit(main())
