"""A PBX in a box.

python -m dev.simulate list
python -m dev.simulate play --pbx zadarma --scenario abandoned --url WEBHOOK_ADDRESS --secret SECRET
python -m dev.simulate --db crm_telephony play --pbx asterisk --scenario abandoned
python -m dev.simulate --db crm_telephony day
python -m dev.simulate --db crm_telephony call --customer "Кенгуру"

With --db it is the demo database that `make run` serves: address and secrets are found there.
"""

import argparse
import re
import secrets
import sys
import time
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from ..setup import paths
from . import day
from . import pbx as demo_pbx
from .odoo import NotReady, Odoo
from .post import NotDelivered, Webhook, is_loopback
from .providers.dialects import Pbx, dialects, in_requests
from .providers.scenarios import SCENARIOS, Cast, Pace

CUSTOMER = 'Кенгуру Фрукт'  # has two open deals, both of the user of the first phone


def main() -> None:
    arguments = _parser().parse_args()
    try:
        arguments.run(arguments)
    except KeyboardInterrupt:
        sys.exit(130)
    except (NotDelivered, NotReady) as problem:
        sys.exit(f'simulate: {problem}')


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='simulate', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--url', help='where Odoo answers; with play and without --db the webhook address'
    )
    parser.add_argument('--db', help='the demo database')
    commands = parser.add_subparsers(required=True, metavar='list | play | day | call')
    commands.add_parser('list', help='the scenarios and the PBXs').set_defaults(run=_list)
    commands.add_parser('day', help='a day of the demo company, once a database').set_defaults(
        run=_day
    )
    call = commands.add_parser(
        'call', help='a customer calls the demo company now, and somebody talks to them'
    )
    call.set_defaults(run=_call)
    call.add_argument(
        '--customer', default=CUSTOMER, help='number, or a part of the name of a contact or deal'
    )
    call.add_argument('--phone', default=Cast.phones[0], help='which phone rings')
    play = commands.add_parser('play', help='one scenario in the dialect of one PBX')
    play.set_defaults(run=_play)
    play.add_argument('--url', default=argparse.SUPPRESS, help='the webhook address')
    play.add_argument('--secret', default='', help="the account's secret; not needed with --db")
    play.add_argument(
        '--key', default='', help="the account's key: vpbx_api_key, Account SID, PBX domain"
    )
    play.add_argument('--pbx', required=True, choices=dialects())
    play.add_argument(
        '--scenario', required=True, choices=SCENARIOS, metavar='SCENARIO', help='see list'
    )
    play.add_argument('--customer', default=Cast.customer, help='the outside number')
    play.add_argument('--line', default=Cast.line, help="the company's number")
    play.add_argument(
        '--phones', default=','.join(Cast.phones), help='extensions, separated by commas'
    )
    play.add_argument('--queue', default=Cast.queue)
    play.add_argument('--wait', type=int, default=Pace.wait, help='seconds until the answer')
    play.add_argument('--talk', type=int, default=Pace.talk, help='seconds of talk')
    play.add_argument('--timezone', default='Asia/Almaty', help="of the PBX's clock")
    play.add_argument(
        '--chatty', action='store_true', help='also what nobody needs, and the other spelling'
    )
    play.add_argument(
        '--realtime',
        action='store_true',
        help='post each event when it happens; else all at once, the call having just ended',
    )
    return parser


def _list(_arguments) -> None:
    print('PBXs:', ', '.join(f'{code} ({dialect.LABEL})' for code, dialect in dialects().items()))
    for name, scenario in SCENARIOS.items():
        print(f"  {name:26}{' '.join((scenario.__doc__ or '').split())}")
    print('What PBXs cannot tell, or tell otherwise:')
    for code, dialect in dialects().items():
        for what, why in {**dialect.BLIND, **dialect.UNTOLD}.items():
            print(f'  {code:14}{what:18}{why}')


def _play(arguments) -> None:
    if arguments.db and not arguments.secret:
        _look_up(arguments)
    if not arguments.url:
        raise NotReady('--url, the webhook address, is missing')
    dialect = dialects()[arguments.pbx]
    if why := dialect.UNTOLD.get(arguments.scenario):
        raise NotReady(f'{dialect.LABEL} cannot tell {arguments.scenario}: {why}')
    pbx = Pbx(
        arguments.secret,
        arguments.key,
        ZoneInfo(arguments.timezone),
        arguments.url,
        arguments.chatty,
    )
    cast = Cast(
        arguments.customer, arguments.line, tuple(arguments.phones.split(',')), arguments.queue
    )
    calls = SCENARIOS[arguments.scenario](cast, Pace(arguments.wait, arguments.talk))
    began = datetime.now(timezone.utc)
    if not arguments.realtime:
        began -= timedelta(seconds=max(call.begins + call.steps[-1].at for call in calls))
    ref, webhook = secrets.token_hex(8), Webhook(arguments.url)
    if shake_hands := getattr(dialect, 'handshake', None):
        request, expected = shake_hands(pbx)
        answer = webhook.post(request)
        if answer != expected:
            raise NotDelivered(
                f'to the check of the address the answer was {answer[:60]!r}, not {expected!r}'
            )
    requests = sorted(
        (
            pair
            for number, call in enumerate(calls)
            for pair in in_requests(
                dialect,
                dialect.tell(call, f'{ref}-{number}', began + timedelta(seconds=call.begins), pbx),
                pbx,
            )
        ),
        key=lambda pair: pair[0],
    )
    for at, request in requests:
        time.sleep(max((at - datetime.now(timezone.utc)).total_seconds(), 0))
        answer = webhook.post(request)
        print(
            f"{at.astimezone(pbx.zone):%H:%M:%S}  200 {answer[:60]!r}  {len(request.body)} bytes",
            flush=True,
        )
    for call in calls:
        facts = dialect.told(call)
        print(
            f'expect: {facts.direction} {facts.outcome}, wait {facts.wait} s, talk {facts.talk} s, '
            f'extension {facts.extension or "none"}'
        )


def _day(arguments) -> None:
    day.play(_odoo(arguments))


def _call(arguments) -> None:
    print(demo_pbx.call_in(_odoo(arguments), arguments.customer, arguments.phone))


def _look_up(arguments) -> None:
    """Address and credentials of the demo's PBX, which only its administrator can read."""
    accounts = _odoo(arguments).accounts()
    if arguments.pbx not in accounts:
        raise NotReady(
            f"the demo company has no {dialects()[arguments.pbx].LABEL}, only "
            f"{', '.join(dialects()[code].LABEL for code in accounts)}; another server's needs its URL and SECRET"
        )
    account = accounts[arguments.pbx]
    arguments.url, arguments.secret, arguments.key = (
        account.webhook.url,
        account.pbx.secret,
        account.pbx.key,
    )


def _odoo(arguments) -> Odoo:
    if not arguments.db:
        raise NotReady('--db is missing')
    url = arguments.url or _served_at(arguments.db)
    if not is_loopback(url):
        raise NotReady(
            f'{url} is not this machine: invented calls are played into a demo database only'
        )
    return Odoo(url, arguments.db, login='admin', password='admin')


def _served_at(database: str) -> str:
    """Where `make run` has served this database last."""
    conf = paths.CHECKOUT / 'conf' / f'{database}.conf'
    port = (
        re.search(r'^http_port = (\d+)$', conf.read_text(), re.MULTILINE) if conf.exists() else None
    )
    if not port:
        raise NotReady(f'`make run` has not served the database {database} yet; or give --url')
    return f'http://127.0.0.1:{port[1]}'


if __name__ == '__main__':
    main()
