"""What has to be asked inside Odoo, in a process of its own: `ask(bench, account, database)`."""

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import contextmanager

from ..setup import paths
from ..setup.console import fail

ANSWER = 'ANSWER '
POP_EXTENSION = '177'


def ask(bench, question: Callable, *arguments):
    """What a function answers inside Odoo; the first argument is the name of its database."""
    conf = bench.odoo.conf(arguments[0])
    done = subprocess.run(
        [
            sys.executable,
            '-m',
            'dev.bench.inside',
            str(conf),
            question.__module__,
            question.__name__,
            *map(str, arguments),
        ],
        env=bench.odoo.environment(),
        cwd=paths.REPO,
        check=False,
        text=True,
        capture_output=True,
    )
    for line in done.stdout.splitlines():
        if line.startswith(ANSWER):
            return json.loads(line.removeprefix(ANSWER))
    return fail(f'{done.stdout}{done.stderr}\n\n{question.__name__} failed inside Odoo')


def account(database: str) -> str:
    """The webhook token of the account that the bench delivers to."""
    with environment(database) as env:
        accounts = env['telephony.account']
        found = accounts.search([('name', '=', 'Bench')]) or accounts.create(
            {
                'name': "Bench",
                'provider': 'generic',
                'api_secret': 'bench',
                'country_id': env.ref('base.kz').id,
                'timezone': 'UTC',
            }
        )
        env.cr.commit()
        return found.webhook_token


def template_account(database: str) -> str:
    """Provider and webhook token of an account that takes the same deliveries by a template."""
    with environment(database) as env:
        templates, accounts = env['telephony.template'], env['telephony.account']
        found = accounts.search([('name', '=', 'Bench by template')])
        if not found:
            content = json.loads(templates.search([('key', '=', 'plain-json')], limit=1).content)
            content |= {'id': 'measured', 'samples': []}
            content['auth'] = {
                'hmac': 'sha256',
                'header': 'x-telephony-signature',
                'prefix': 'sha256=',
            }
            found = accounts.create(
                {
                    'name': "Bench by template",
                    'provider': 'custom',
                    'api_secret': 'bench',
                    'country_id': env.ref('base.kz').id,
                    'timezone': 'UTC',
                    'template_id': templates.create(
                        {'content': json.dumps(content), 'state': 'live'}
                    ).id,
                }
            )
        env.cr.commit()
        return f'{found.provider}/{found.webhook_token}'


def pop_account(database: str) -> str:
    """The same; its phone POP_EXTENSION is the admin's."""
    token = account(database)
    with environment(database) as env:
        owner = env['telephony.account'].search([('webhook_token', '=', token)])
        if not owner.extension_ids.filtered(lambda phone: phone.number == POP_EXTENSION):
            env['telephony.extension'].create(
                {
                    'number': POP_EXTENSION,
                    'account_id': owner.id,
                    'user_id': env.ref('base.user_admin').id,
                }
            )
        env.cr.commit()
    return token


def agents(database: str) -> int:
    """Forty users `bench-agent-...`, who take the calls of a long log."""
    with environment(database) as env:
        users = (
            env['res.users']
            .with_context(no_reset_password=True)
            .create(
                [{'name': f'Agent {place}', 'login': f'bench-agent-{place}'} for place in range(40)]
            )
        )
        env.cr.commit()
        return len(users)


def recount(database: str) -> str:
    """What filing says of calls beside others (attempts, which lost ones were called back), as a
    statement for all calls."""
    from odoo.tools import SQL

    with environment(database) as env:
        statement = env['telephony.call']._recount_sql(SQL("customer_number IS NOT NULL"))
        return env.cr.mogrify(statement.code, statement.params).decode()


@contextmanager
def environment(database: str):
    """Odoo's environment, as the superuser."""
    from odoo import SUPERUSER_ID, api
    from odoo.modules.registry import Registry

    with Registry(database).cursor() as cr:
        yield api.Environment(cr, SUPERUSER_ID, {})


def main(conf: str, module: str, question: str, *arguments: str) -> None:
    from odoo.tools import config

    config.parse_config(['-c', conf], setup_logging=True)
    answer = getattr(importlib.import_module(module), question)(*arguments)
    print(ANSWER + json.dumps(answer), flush=True)


if __name__ == '__main__':
    main(*sys.argv[1:])
