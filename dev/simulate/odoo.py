"""What the day needs of Odoo besides its webhooks: what its own browser client would ask, as the
administrator."""

import json
import secrets
import time
import urllib.request
from base64 import b64encode
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from http.cookiejar import CookieJar
from pathlib import Path
from zoneinfo import ZoneInfo

from . import sound
from .post import Webhook
from .providers.dialects import Pbx

MODULE = 'crm_telephony'
# ir.config_parameter: when the day was begun, and whether it is done
PLAYED = 'crm_telephony.demo_day'
ACTIONS = ('ir_cron_process_events', 'ir_cron_follow_up')
LANGUAGE = 'ru_RU'
API_KEY = 'demo'  # of a PBX that has none: its control user, its API key
ZONE = ZoneInfo('Asia/Almaty')
ENGINE = 'This machine'
EXTRA_HOURS = 'Демо: сейчас открыто'
SETTLE_SECONDS, PATIENCE_SECONDS, PAUSE_SECONDS = 120, 3, 0.15
TIMEOUT_SECONDS = 300

# The code of a server action.
ARRIVALS = """
env.cr.execute(
    'UPDATE telephony_event SET received_at = LEAST(received_at, call.ended_at)'
    ' FROM telephony_call AS call WHERE call_id = call.id AND call.company_id = COMPANY'
)
env.invalidate_all()
"""


class NotReady(Exception):
    """The database is not what the day needs; the text is for the person at the keyboard."""


class Fault(NotReady):
    """Odoo has refused a request."""


def gaps(first: float, hours: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """What a day lacks from an hour on until midnight."""
    found: list[tuple[float, float]] = []
    for start, end in [*sorted(hours), (24, 24)]:
        if start > first:
            found.append((first, start))
        first = max(first, end)
    return found


@dataclass(frozen=True)
class Account:
    """A connected PBX of the demo company and how to play its part."""

    provider: str
    webhook: Webhook
    pbx: Pbx
    ref: int  # of the record
    api_url: str


@dataclass(frozen=True)
class Line:
    """A number of the company, and the phones of the team that answers it."""

    number: str
    label: str
    provider: str
    team: str
    phones: tuple[str, ...]


@dataclass(frozen=True)
class Customer:
    """Somebody of the demo data who may call. `key` is his record's name there."""

    key: str
    number: str


class Odoo:
    def __init__(self, url: str, database: str, login: str, password: str):
        self.url, self.database = url.rstrip('/'), database
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        try:
            session = self._ask(
                '/web/session/authenticate', db=database, login=login, password=password
            )
        except Fault as fault:
            raise NotReady(f'{login} cannot log in to {database}: {fault}') from None
        self.uid, self.context = session['uid'], session['user_context']

    def call(self, model: str, method: str, *arguments, **keywords):
        return self._ask(
            f'/web/dataset/call_kw/{model}/{method}',
            model=model,
            method=method,
            args=arguments,
            kwargs=keywords,
        )

    def _ask(self, path: str, **parameters):
        request = urllib.request.Request(
            self.url + path,
            json.dumps({'jsonrpc': '2.0', 'params': parameters}).encode(),
            {'Content-Type': 'application/json'},
        )
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                said = json.load(answer)
        except (OSError, ValueError) as error:
            raise NotReady(f'{self.url} does not answer as Odoo does: {error}') from None
        if 'error' in said:
            raise Fault(said['error'].get('data', {}).get('message') or said['error']['message'])
        return said['result']

    def named(self, model: str, prefix: str = '') -> dict[str, int]:
        """Records of the addon's data by name, in the order of the names."""
        rows = self.call(
            'ir.model.data',
            'search_read',
            [('module', '=', MODULE), ('model', '=', model), ('name', '=like', f'{prefix}%')],
            fields=['name', 'res_id'],
            order='name',
        )
        return {row['name']: row['res_id'] for row in rows}

    def read(self, model: str, ids, *fields: str) -> list[dict]:
        return self.call(model, 'read', list(ids), list(fields), load=False)

    # -- the company

    @cached_property
    def company(self) -> int:
        found = self.named('res.company', 'demo_company')
        if not found:
            raise NotReady('this database has no demo data of the addon')
        return found['demo_company']

    def move_in(self) -> None:
        """The administrator opens the wholesaler first, on its clock; it and its people read
        Russian where it is loaded."""
        self.call(
            'res.users', 'write', [self.uid], {'company_id': self.company, 'tz': 'Asia/Almaty'}
        )
        if self.call('res.lang', 'search_count', [('code', '=', LANGUAGE)]):
            self.call(
                'res.users',
                'write',
                list(self.named('res.users', 'demo_').values()),
                {'lang': LANGUAGE},
            )
            [company] = self.read('res.company', [self.company], 'partner_id')
            self.call('res.partner', 'write', [company['partner_id']], {'lang': LANGUAGE})

    def accounts(self) -> dict[str, Account]:
        """The demo PBXs by provider; one without credentials gets some."""
        accounts = {}
        ids = list(self.named('telephony.account', 'demo_account_').values())
        names = ('provider', 'api_key', 'api_secret', 'api_url', 'webhook_token', 'timezone')
        for row in self.read('telephony.account', ids, *names):
            made = {'api_key': API_KEY, 'api_secret': secrets.token_hex(16)}
            if missing := {name: value for name, value in made.items() if not row[name]}:
                row.update(missing)
                self.call('telephony.account', 'write', [row['id']], missing)
            webhook_url = f"{self.url}/telephony/webhook/{row['provider']}/{row['webhook_token']}"
            accounts[row['provider']] = Account(
                row['provider'],
                Webhook(webhook_url),
                Pbx(
                    secret=row['api_secret'],
                    key=row['api_key'],
                    zone=ZoneInfo(row['timezone']),
                    url=webhook_url,
                ),
                row['id'],
                row['api_url'] or '',
            )
        return accounts

    def connect(self, account: Account, url: str) -> None:
        """Odoo sends what it wants of this PBX to that address."""
        self.call('telephony.account', 'write', [account.ref], {'api_url': url})

    def phones(self) -> dict[str, dict[str, str]]:
        """Of each demo PBX the phones and who sits at them."""
        phones: dict[str, dict[str, str]] = {}
        for provider, account in self.accounts().items():
            rows = self.call(
                'telephony.extension',
                'search_read',
                [('account_id', '=', account.ref)],
                fields=['number', 'user_id'],
            )
            phones[provider] = {
                row['number']: row['user_id'][1] if row['user_id'] else '' for row in rows
            }
        return phones

    def find_customer(self, wanted: str) -> tuple[str, str]:
        """The number in E.164 and the name of whoever is meant by a number or by a part of a name.

        :raise NotReady: nobody is
        """
        found = self.call('telephony.dial', 'search_people', wanted)
        if not found:
            raise NotReady(f'there is no contact or deal with a phone number for {wanted!r}')
        return found[0]['number'], found[0]['name']

    def awaited_test(self, account: int) -> dict | None:
        """The test call that is waited for at this PBX: the `number` that is tested, '' for any, and
        `is_missed`. None if there is none."""
        rows = self.call(
            'telephony.test.call',
            'search_read',
            [('account_id', '=', account), ('state', '=', 'waiting'), ('call_id', '=', False)],
            fields=['number_id', 'is_missed'],
            limit=1,
        )
        if not rows:
            return None
        numbers = rows[0]['number_id'] and self.read(
            'telephony.number', [rows[0]['number_id'][0]], 'name'
        )
        return {**rows[0], 'number': numbers[0]['name'] if numbers else ''}

    def open_now(self, now: datetime) -> None:
        """The company works at this hour, whatever day it is: else everybody would be away, and
        whoever calls would be called back on Monday. Today's hours are extended from an hour ago
        on, tomorrow's too."""
        [calendar] = self.named('resource.calendar', 'demo_calendar').values()
        before = self.call(
            'resource.calendar.attendance',
            'search',
            [('calendar_id', '=', calendar), ('name', '=', EXTRA_HOURS)],
        )
        self.call('resource.calendar.attendance', 'unlink', before)
        rows = self.call(
            'resource.calendar.attendance',
            'search_read',
            [('calendar_id', '=', calendar)],
            fields=['dayofweek', 'hour_from', 'hour_to'],
        )
        local = now.astimezone(ZONE)
        for day, first in ((local, max(local.hour - 1, 0)), (local + timedelta(days=1), 0)):
            weekday = str(day.weekday())
            hours = [
                (row['hour_from'], row['hour_to']) for row in rows if row['dayofweek'] == weekday
            ]
            for start, end in gaps(first, hours):
                self.call(
                    'resource.calendar.attendance',
                    'create',
                    {
                        'calendar_id': calendar,
                        'name': EXTRA_HOURS,
                        'dayofweek': weekday,
                        'hour_from': start,
                        'hour_to': end,
                        'day_period': 'morning' if end <= 12 else 'afternoon',
                    },
                )

    def lines(self) -> list[Line]:
        accounts = {
            row['id']: row['provider']
            for row in self.read(
                'telephony.account',
                self.named('telephony.account', 'demo_account_').values(),
                'provider',
            )
        }
        phones = {
            row['user_id']: row['number']
            for row in self.read(
                'telephony.extension',
                self.named('telephony.extension', 'demo_').values(),
                'user_id',
                'number',
            )
        }
        teams = {
            row['id']: (
                row['name'],
                tuple(sorted(phones[user] for user in row['member_ids'] if user in phones)),
            )
            for row in self.read(
                'crm.team', self.named('crm.team', 'demo_team_').values(), 'name', 'member_ids'
            )
        }
        return [
            Line(
                row['name'],
                row['label'],
                accounts[row['account_id']],
                *teams[row['team_id']],
            )
            for row in self.read(
                'telephony.number',
                self.named('telephony.number', 'demo_number_').values(),
                'name',
                'label',
                'account_id',
                'team_id',
            )
        ]

    def customers(self) -> list[Customer]:
        """Contacts with a number, then deals that know a number and no contact."""
        partners, deals = self.named('res.partner', 'demo_'), self.named('crm.lead', 'demo_deal_')
        found = {
            row['id']: row['phone_sanitized']
            for row in self.read('res.partner', partners.values(), 'phone_sanitized')
        }
        customers = [
            Customer(name, found[ref])
            for name, ref in partners.items()
            if found[ref] and 'office' not in name
        ]
        rows = {
            row['id']: row
            for row in self.read(
                'crm.lead', deals.values(), 'phone_sanitized', 'partner_id', 'active'
            )
        }
        customers += [
            Customer(name, rows[ref]['phone_sanitized'])
            for name, ref in deals.items()
            if rows[ref]['active'] and not rows[ref]['partner_id'] and rows[ref]['phone_sanitized']
        ]
        return customers

    # -- once a database

    def played(self) -> str:
        return self.call('ir.config_parameter', 'get_param', PLAYED) or ''

    def remember(self, text: str) -> None:
        self.call('ir.config_parameter', 'set_param', PLAYED, text)

    # -- between and after the calls

    def settle(self) -> None:
        """Everything that has come in becomes calls, and what follows from them is done.

        Odoo does it by itself and at once; where its scheduled actions are switched off it is asked
        to.
        """
        until = time.monotonic() + SETTLE_SECONDS
        patience = time.monotonic() + PATIENCE_SECONDS
        while self._has_to_do():
            if time.monotonic() > until:
                raise NotReady('Odoo does not get done with the calls; its log may tell why')
            if time.monotonic() > patience:
                for name in ACTIONS:
                    with suppress(Fault):  # it is running already
                        self.call(
                            'ir.cron', 'method_direct_trigger', [self.named('ir.cron', name)[name]]
                        )
            time.sleep(PAUSE_SECONDS)

    def _has_to_do(self) -> bool:
        events = [('state', '=', 'pending'), ('account_id.company_id', '=', self.company)]
        calls = [('follow_up', '=', 'todo'), ('company_id', '=', self.company)]
        return bool(
            self.call('telephony.event', 'search_count', events)
            or self.call('telephony.call', 'search_count', calls)
        )

    def cancel_one(self) -> None:
        """The supervisor decides that a stranger who was lost is not worth a call."""
        waiting = [
            ('company_id', '=', self.company),
            ('state', '=', 'open'),
            ('partner_id', '=', False),
        ]
        if found := self.call(
            'telephony.callback', 'search', waiting, order='lost_at, id', limit=1
        ):
            reason = self.named('telephony.callback.reason', 'callback_reason_spam')[
                'callback_reason_spam'
            ]
            zhanna = Odoo(self.url, self.database, 'zhanna', 'zhanna')
            zhanna.call(
                'telephony.callback', 'action_cancel', found, reason, context=zhanna.context
            )

    def give_sound(self, limit: int) -> int:
        """The recordings that the PBX has announced become playable; gives how many.

        Recordings are read-only for everybody, and addresses on this machine are never fetched, so
        a server action stores the files as our copies.
        """
        rows = self.call(
            'telephony.recording',
            'search_read',
            [
                ('company_id', '=', self.company),
                ('state', '=', 'pending'),
                ('call_id.state', '=', 'ended'),
            ],
            fields=['ref', 'call_id'],
            order='id desc',
            limit=limit,
        )
        for number, row in enumerate(rows):
            seconds = 7 + number % 4
            self._store(row['id'], sound.conversation(seconds, row['ref']), f', duration={seconds}')
        return len(rows)

    def have_talks_heard(self, url: str, key: str, talks: list[Path]) -> int:
        """An engine turns talks of the demo into text; gives how many.

        The newest recordings of long calls get real talks, ours on the first channel, because nobody
        says anything in those of the demo.
        """
        accounts = self.call('telephony.account', 'search', [('company_id', '=', self.company)])
        sides = {'agent_channel_in': 'first', 'agent_channel_out': 'first'}
        self.call('telephony.account', 'write', accounts, sides)
        engines = self.call('telephony.speech.engine', 'search', [('name', '=', ENGINE)])
        values = {'url': url, 'api_key': key, 'company_id': self.company}
        if engines:
            self.call('telephony.speech.engine', 'write', engines, values)
        else:
            engine = self.call('telephony.speech.engine', 'create', {'name': ENGINE, **values})
            route = {'name': 'All calls', 'engine_id': engine, 'company_id': self.company}
            self.call('telephony.speech.route', 'create', {**route, 'min_seconds': 5})
        rows = self.call(
            'telephony.recording',
            'search',
            [('company_id', '=', self.company), ('state', '=', 'ready')],
            order='id desc',
            limit=3 * len(talks),
        )
        for number, row in enumerate(rows):
            self._store(row, talks[number % len(talks)].read_bytes())
        return len(rows)

    def _store(self, recording: int, wav: bytes, more: str = '') -> None:
        """Keep a sound as our copy; `more` are further arguments, as code."""
        data = b64encode(wav).decode()
        self._run(
            'telephony.recording',
            f"env['telephony.recording'].sudo().browse({recording})._store_sound(\n"
            f"    b64decode({data!r}), 'audio/wav'{more})\n",
        )

    def date_arrivals(self) -> None:
        """The events of the day that was played in seconds count as come when their calls ended;
        else the watch takes the PBX's clock for hours behind."""
        self._run('telephony.event', ARRIVALS.replace('COMPANY', str(self.company)))

    def _run(self, model: str, code: str) -> None:
        [model_id] = self.call('ir.model', 'search', [('model', '=', model)])
        action = self.call(
            'ir.actions.server',
            'create',
            {'name': 'simulator', 'model_id': model_id, 'state': 'code', 'code': code},
        )
        try:
            self.call('ir.actions.server', 'run', [action])
        finally:
            self.call('ir.actions.server', 'unlink', [action])
