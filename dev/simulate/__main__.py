"""A PBX in a box.

python -m dev.simulate list
python -m dev.simulate play --pbx zadarma --scenario abandoned --url WEBHOOK_ADDRESS --secret SECRET
python -m dev.simulate --url http://127.0.0.1:8069 --db crm_telephony day
python -m dev.simulate --url http://127.0.0.1:8069 --db crm_telephony live
"""

import argparse
import random
import secrets
import sys
import time
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from dev.simulate import day, live
from dev.simulate.dialects import DIALECTS, Pbx, in_requests
from dev.simulate.odoo import NotReady, Odoo
from dev.simulate.post import NotDelivered, Webhook, is_loopback
from dev.simulate.scenarios import SCENARIOS, Cast, Pace


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
    parser.add_argument('--url', help='play: the webhook address; day and live: where Odoo answers')
    parser.add_argument('--db', help='day and live: the database')
    commands = parser.add_subparsers(required=True, metavar='list | play | day | live')
    commands.add_parser('list', help='the scenarios and the PBXs').set_defaults(run=_list)
    commands.add_parser('day', help='a day of the demo company, once a database').set_defaults(run=_day)
    commands.add_parser('live', help='a call now and then, until stopped').set_defaults(run=_live)
    play = commands.add_parser('play', help='one scenario in the dialect of one PBX')
    play.set_defaults(run=_play)
    play.add_argument('--url', default=argparse.SUPPRESS, help='the webhook address')
    play.add_argument('--secret', required=True, help="the account's secret")
    play.add_argument('--key', default='', help="the account's key: vpbx_api_key, Account SID, PBX domain")
    play.add_argument('--pbx', required=True, choices=DIALECTS)
    play.add_argument('--scenario', required=True, choices=SCENARIOS, metavar='SCENARIO', help='see list')
    play.add_argument('--customer', default=Cast.customer, help='the outside number')
    play.add_argument('--line', default=Cast.line, help="the company's number")
    play.add_argument('--phones', default=','.join(Cast.phones), help='extensions, separated by commas')
    play.add_argument('--queue', default=Cast.queue)
    play.add_argument('--wait', type=int, default=Pace.wait, help='seconds until the answer')
    play.add_argument('--talk', type=int, default=Pace.talk, help='seconds of talk')
    play.add_argument('--timezone', default='Asia/Almaty', help="of the PBX's clock")
    play.add_argument('--chatty', action='store_true', help='also what nobody needs, and the other spelling')
    play.add_argument(
        '--realtime',
        action='store_true',
        help='post each event when it happens; else all at once, the call having just ended',
    )
    return parser


def _list(_arguments) -> None:
    print('PBXs:', ', '.join(f'{code} ({dialect.LABEL})' for code, dialect in DIALECTS.items()))
    for name, scenario in SCENARIOS.items():
        print(f"  {name:26}{' '.join((scenario.__doc__ or '').split())}")
    print('What PBXs cannot tell, or tell otherwise:')
    for code, dialect in DIALECTS.items():
        for what, why in {**dialect.BLIND, **dialect.UNTOLD}.items():
            print(f'  {code:14}{what:18}{why}')


def _play(arguments) -> None:
    if not arguments.url:
        raise NotReady('--url, the webhook address, is missing')
    dialect = DIALECTS[arguments.pbx]
    if why := dialect.UNTOLD.get(arguments.scenario):
        raise NotReady(f'{dialect.LABEL} cannot tell {arguments.scenario}: {why}')
    pbx = Pbx(arguments.secret, arguments.key, ZoneInfo(arguments.timezone), arguments.url, arguments.chatty)
    cast = Cast(arguments.customer, arguments.line, tuple(arguments.phones.split(',')), arguments.queue)
    calls = SCENARIOS[arguments.scenario](cast, Pace(arguments.wait, arguments.talk))
    began = datetime.now(timezone.utc)
    if not arguments.realtime:
        began -= timedelta(seconds=max(call.begins + call.steps[-1].at for call in calls))
    ref, webhook = secrets.token_hex(8), Webhook(arguments.url)
    if shake_hands := getattr(dialect, 'handshake', None):
        request, expected = shake_hands(pbx)
        answer = webhook.post(request)
        if answer != expected:
            raise NotDelivered(f'to the check of the address the answer was {answer[:60]!r}, not {expected!r}')
    requests = sorted(
        (
            pair
            for number, call in enumerate(calls)
            for pair in in_requests(
                dialect, dialect.tell(call, f'{ref}-{number}', began + timedelta(seconds=call.begins), pbx), pbx
            )
        ),
        key=lambda pair: pair[0],
    )
    for at, request in requests:
        time.sleep(max((at - datetime.now(timezone.utc)).total_seconds(), 0))
        answer = webhook.post(request)
        print(f"{at.astimezone(pbx.zone):%H:%M:%S}  200 {answer[:60]!r}  {len(request.body)} bytes", flush=True)
    for call in calls:
        facts = dialect.told(call)
        print(
            f'expect: {facts.direction} {facts.outcome}, wait {facts.wait} s, talk {facts.talk} s, '
            f'extension {facts.extension or "none"}'
        )


def _day(arguments) -> None:
    day.play(_odoo(arguments))


def _live(arguments) -> None:
    live.trickle(_odoo(arguments), random.Random())


def _odoo(arguments) -> Odoo:
    if not arguments.url or not arguments.db:
        raise NotReady('--url and --db are missing')
    if not is_loopback(arguments.url):
        raise NotReady(f'{arguments.url} is not this machine: invented calls are played into a demo database only')
    return Odoo(arguments.url, arguments.db, login='admin', password='admin')


if __name__ == '__main__':
    main()
