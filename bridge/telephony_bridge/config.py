"""Reads the settings from an INI file; the environment overrides each (BRIDGE_<SECTION>_<KEY>)."""

from __future__ import annotations

import configparser
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

DEFAULT_FILE = '/etc/crm-telephony-bridge.ini'
DEFAULT_SPOOL = '/var/lib/crm-telephony-bridge/spool.sqlite'
# fmt: off
DEFAULTS = {
    'pbx': {
        'host': '127.0.0.1', 'port': '5038', 'user': '', 'secret': '', 'tls': 'no', 'tls_ca': ''},
    'crm': {'url': '', 'secret': '', 'tls_ca': '', 'timeout': '20'},
    'spool': {'path': DEFAULT_SPOOL, 'max_megabytes': '500', 'sync': 'yes'},
    'recordings': {'path': '', 'delete': 'never'},
    'history': {
        'cel_file': '', 'host': '127.0.0.1', 'port': '3306', 'user': '', 'secret': '',
        'database': 'asteriskcdrdb', 'table': 'cel'},
    'log': {'level': 'info'},
}
# fmt: on
LEVELS = ('debug', 'info', 'warning', 'error')
# When the bridge deletes a file of the PBX: never, once it is delivered, or when the CRM asks for it.
DELETE = ('never', 'delivered', 'asked')


class ConfigError(Exception):
    """A setting is wrong; the text says which and how."""


@dataclass(frozen=True)
class Pbx:
    host: str
    port: int
    user: str
    secret: str = field(repr=False)
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True)
class Crm:
    url: str = field(repr=False)  # its last part is the account's token
    secret: str = field(repr=False)
    timeout: float = 20
    tls: ssl.SSLContext | None = None

    @property
    def shown(self) -> str:
        """The address without the token, for logs."""
        parts = urlsplit(self.url)
        return (
            f'{parts.scheme}://{parts.netloc.rpartition("@")[2]}{parts.path.rpartition("/")[0]}/…'
        )


@dataclass(frozen=True)
class Recordings:
    path: Path
    delete: str = 'never'  # one of DELETE


@dataclass(frozen=True)
class Log:
    """Where Asterisk keeps its channel events: a file, or a table that a user may read."""

    file: Path | None = None
    host: str = ''
    port: int = 3306
    user: str = ''
    secret: str = field(default='', repr=False)
    database: str = ''
    table: str = ''


@dataclass(frozen=True)
class Config:
    pbx: Pbx
    crm: Crm
    spool: Path
    spool_bytes: int = 500_000_000
    sync: bool = True
    level: str = 'info'
    recordings: Recordings | None = None
    log: Log | None = None


def load(file: str | None, environ: Mapping[str, str] = os.environ) -> Config:
    """Read the settings of `file`, or without one of the usual file if that exists.

    :raise ConfigError: a setting is missing or makes no sense
    """
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_dict(DEFAULTS)
    try:
        if file or Path(DEFAULT_FILE).exists():
            with open(file or DEFAULT_FILE, encoding='utf-8') as lines:
                parser.read_file(lines)
    except (OSError, configparser.Error, UnicodeDecodeError) as error:
        raise ConfigError(f'the configuration file cannot be read: {error}') from None
    for section in parser.sections():
        if section not in DEFAULTS:
            raise ConfigError(f'there is no section [{section}]; there are {", ".join(DEFAULTS)}')
        for key in parser[section]:
            if key not in DEFAULTS[section]:
                raise ConfigError(
                    f'[{section}] has no setting {key!r}; it has {", ".join(DEFAULTS[section])}'
                )
            if given := environ.get(f'BRIDGE_{section}_{key}'.upper()):
                parser[section][key] = given
    return _checked(parser)


def _checked(parser: configparser.ConfigParser) -> Config:
    for section, key in (('pbx', 'user'), ('pbx', 'secret'), ('crm', 'url'), ('crm', 'secret')):
        if not parser[section][key]:
            raise ConfigError(f'{key} in [{section}] is empty')
    pbx, crm, spool = parser['pbx'], parser['crm'], parser['spool']
    url = urlsplit(crm['url'])
    if url.scheme not in ('http', 'https') or not url.hostname:
        raise ConfigError("url in [crm] is no web address; copy the account's Webhook Address")
    if any(char in pbx['user'] for char in '\r\n'):
        raise ConfigError('user in [pbx] has a line break')
    level = parser['log']['level'].lower()
    if level not in LEVELS:
        raise ConfigError(f'level in [log] is one of {", ".join(LEVELS)}')
    recordings = parser['recordings']
    if recordings['delete'] not in DELETE:
        raise ConfigError(f'delete in [recordings] is one of {", ".join(DELETE)}')
    try:
        port, timeout = pbx.getint('port'), crm.getfloat('timeout')
        megabytes = spool.getfloat('max_megabytes')
        if megabytes < 1 or not 0 < port < 65536 or timeout <= 0:
            raise ValueError('port, timeout or max_megabytes is out of range')
        pbx_tls = _tls(pbx['tls_ca']) if pbx.getboolean('tls') else None
        crm_tls = _tls(crm['tls_ca']) if url.scheme == 'https' else None
        return Config(
            pbx=Pbx(pbx['host'], port, pbx['user'], pbx['secret'], pbx_tls),
            crm=Crm(crm['url'], crm['secret'], timeout, crm_tls),
            spool=Path(spool['path']),
            spool_bytes=int(megabytes * 1_000_000),
            sync=spool.getboolean('sync'),
            level=level,
            recordings=Recordings(Path(recordings['path']), recordings['delete'])
            if recordings['path']
            else None,
            log=_log(parser['history']),
        )
    except ValueError as error:
        raise ConfigError(f'a setting makes no sense: {error}') from None


def _log(history: configparser.SectionProxy) -> Log | None:
    if history['cel_file']:
        return Log(Path(history['cel_file']))
    if not history['user']:
        return None
    if not re.fullmatch(r'\w+(\.\w+)?', history['table']):
        raise ConfigError('table in [history] is no name of a table')
    return Log(
        host=history['host'],
        port=history.getint('port'),
        user=history['user'],
        secret=history['secret'],
        database=history['database'],
        table=history['table'],
    )


def _tls(ca: str) -> ssl.SSLContext:
    """Return a context that checks certificates, by an own authority (or the server's own
    certificate) if one is named."""
    try:
        return ssl.create_default_context(cafile=ca or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f'tls_ca {ca}: {error}') from None
