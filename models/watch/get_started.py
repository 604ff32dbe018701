from datetime import timedelta
from typing import NamedTuple

from odoo import api, fields, models
from odoo.exceptions import AccessError
from odoo.fields import Domain
from odoo.tools import format_datetime

from ...tools.records import label_of

# So many records that need a hand are counted at most, because more changes nothing.
MOST = 100
MOST_NAMED = 5
# The first day is looked back at after so long.
DAY = timedelta(days=1)


class Item(NamedTuple):
    """One thing that a step needs: `state` is done, todo, or later if something else comes first.
    `action` leads to where it is done."""

    state: str
    text: str
    action: object = False


class TelephonyGetStarted(models.AbstractModel):
    """The way from nothing to a telephony that is watched, in the customer's steps.

    Nobody ticks a step off: each is computed from what is entered and what has happened, so that it
    also says what is missing again. That is why these are no steps of Odoo's onboarding, which
    stores what was clicked.
    """

    _name = 'telephony.get.started'
    _description = "First steps of telephony"

    @api.model
    def get_steps(self):
        """Return the steps for the companies chosen in the browser: list of {code, title, help,
        state, items: [{state, text, action}]}.

        :raise AccessError: the user does not administer telephony
        """
        if not self.env.user.has_group('crm_telephony.group_admin'):
            raise AccessError(self.env._("The first steps are for telephony administrators."))
        companies = self.env.companies
        accounts = self.env['telephony.account'].search([('company_id', 'in', companies.ids)])
        _ = self.env._
        steps = (
            (
                'stock',
                _("Take stock"),
                _("Who calls you, who answers, and whether Odoo can read your customers' numbers."),
                self._stock(companies),
            ),
            (
                'scheme',
                _("Choose the scheme"),
                _(
                    "A cloud PBX, a PBX of your own, or a middleware between. You may change it later: the log stays."
                ),
                self._scheme(accounts),
            ),
            (
                'connect',
                _("Connect"),
                _("The PBX tells Odoo of each call, and Odoo can ask and tell the PBX."),
                [item for account in accounts for item in self._connection(account)],
            ),
            (
                'map',
                _("Enter people and numbers"),
                _(
                    "By the extension a call finds its employee, by the company number its advertisement and team."
                ),
                [item for account in accounts for item in self._map(account)],
            ),
            (
                'hours',
                _("Working hours and rules"),
                _("Rules say what follows from a call, and count in working hours."),
                [item for company in companies for item in self._hours(company)],
            ),
            (
                'test',
                _("Make a test call"),
                _("Five minutes, rather than a day of calls that lack something."),
                [self._test(account) for account in accounts],
            ),
            (
                'live',
                _("Go live"),
                _("Tell your people what they will see. From now on, the calls are real."),
                [self._live(account) for account in accounts],
            ),
            (
                'look_back',
                _("Look back after a day"),
                _("What did not arrive as it should, and what was left undone."),
                [item for account in accounts for item in self._look_back(account)],
            ),
        )
        return [
            {
                'code': code,
                'title': title,
                'help': purpose,
                'state': _state_of(items),
                'items': [item._asdict() for item in items],
            }
            for code, title, purpose, items in steps
        ]

    # === THE STEPS === #

    def _stock(self, companies):
        _, items = self.env._, []
        for company in companies:
            if company.country_id:
                items.append(Item('done', f'{company.name}: {company.country_id.name}'))
            else:
                items.append(
                    Item(
                        'todo',
                        _(
                            "%(company)s has no country: numbers without a country code cannot be read.",
                            company=company.name,
                        ),
                        _form(company),
                    )
                )
        unread = Domain('phone', '!=', False) & Domain('phone_sanitized', '=', False)
        count = self.env['res.partner'].search_count(unread, limit=MOST)
        if count:
            items.append(
                Item(
                    'todo',
                    _(
                        "Contacts whose number cannot be read: %(count)s. Nobody will recognise them when they call.",
                        count=_up_to(MOST, count),
                    ),
                    _list('res.partner', _("Contacts"), list(unread)),
                )
            )
        else:
            items.append(Item('done', _("The numbers of all contacts can be read.")))
        users = self.env.ref('crm_telephony.group_user').sudo().all_user_ids
        people = users.filtered(lambda user: not user.share and user.active)
        items.append(
            Item('done', _("People who may use telephony: %(count)s", count=len(people)))
            if len(people) > 1
            else Item(
                'todo',
                _(
                    "Nobody but you may use telephony yet. Give your people the right on their users' form."
                ),
                'base.action_res_users',
            )
        )
        return items + self._lacks(people)

    def _lacks(self, people):
        """Return what the database and its users lack, without which telephony works, but less
        well; nothing if it is all there."""
        _, items = self.env._, []
        if not self.env.registry.has_trigram:
            items.append(
                Item(
                    'todo',
                    _(
                        "The database lacks the extension pg_trgm, so a search by a part of a number reads all calls. Let the "
                        "database's administrator run CREATE EXTENSION pg_trgm, then update this addon."
                    ),
                )
            )
        if lost := people.filtered(lambda user: not user.tz):
            items.append(
                Item(
                    'todo',
                    _(
                        "Without a time zone, so messages tell them times in UTC: %(names)s. Set it on the user's form.",
                        names=", ".join(lost[:MOST_NAMED].mapped('name')),
                    ),
                    _list('res.users', _("Users"), [('id', 'in', lost.ids)]),
                )
            )
        return items

    def _scheme(self, accounts):
        _ = self.env._
        if not accounts:
            return [
                Item(
                    'todo',
                    _("No PBX is entered yet."),
                    {**_form(accounts), 'name': _("Connect a PBX")},
                )
            ]
        return [
            Item(
                'done',
                f'{account.name}: {label_of(account, "provider")}, '
                + (
                    _("a PBX of your own")
                    if account._adapter().stands_inside
                    else _("in the cloud")
                    if account.has_api
                    else _("by a middleware")
                ),
                _form(account),
            )
            for account in accounts
        ]

    def _connection(self, account):
        _, todo = self.env._, []
        if not account.api_secret and account._adapter().signs:
            todo.append(_("Enter its credentials."))
        if account.webhook_warning:
            todo.append(account.webhook_warning)
        if account.api_state == 'error':
            todo.append(
                _("The PBX refuses what Odoo asks: %(reason)s", reason=account.state_message)
            )
        elif account.api_state == 'unchecked':
            todo.append(_("Check the connection."))
        if account.event_state == 'refused':
            todo.append(_("Its events are refused: %(reason)s", reason=account.refused_reason))
        elif account.event_state == 'none':
            todo.append(_("No event has come yet. Enter the webhook address in the PBX."))
        if todo:
            return [Item('todo', f'{account.name}: {text}', _form(account)) for text in todo]
        last = format_datetime(self.env, account.last_event_at, dt_format='short')
        return [
            Item(
                'done', _("%(pbx)s: events arrive, the last %(time)s", pbx=account.name, time=last)
            )
        ]

    def _map(self, account):
        _, todo, phones = self.env._, [], account.extension_ids
        nobody = phones.filtered(lambda phone: not phone.user_id)
        without = account.number_ids.filtered(lambda number: not (number.team_id or number.user_id))
        if not account.number_ids:
            todo.append(_("Enter its company numbers."))
        if not phones:
            todo.append(_("Enter its extensions with their users."))
        elif nobody == phones:
            todo.append(_("No extension has a user, so no call finds its employee."))
        if without:
            todo.append(
                _(
                    "Enter a team or somebody responsible for %(numbers)s: else nobody calls lost strangers back.",
                    numbers=', '.join(without.mapped('name')),
                )
            )
        if account.strangers:
            todo.append(
                _(
                    "Say what these endpoints are: %(names)s",
                    names=', '.join(stranger['name'] for stranger in account.strangers),
                )
            )
        if todo:
            return [Item('todo', f'{account.name}: {text}', _form(account)) for text in todo]
        return [
            Item(
                'done',
                _(
                    "%(pbx)s: company numbers: %(numbers)s, extensions: %(phones)s, of these without a user: %(nobody)s",
                    pbx=account.name,
                    numbers=len(account.number_ids),
                    phones=len(phones),
                    nobody=len(nobody),
                ),
            )
        ]

    def _hours(self, company):
        _, calendar = self.env._, company.resource_calendar_id
        rules = self.env['telephony.rule']._of(company)
        return [
            Item(
                'done',
                _(
                    "%(company)s works by: %(calendar)s",
                    company=company.name,
                    calendar=calendar.name,
                ),
                _form(calendar),
            )
            if calendar.attendance_ids
            else Item(
                'todo',
                _(
                    "%(company)s has no working hours, so every hour counts as open.",
                    company=company.name,
                ),
                _form(calendar) if calendar else _form(company),
            ),
            Item(
                'done',
                _("Rules of %(company)s: %(count)s", company=company.name, count=len(rules)),
                'crm_telephony.telephony_rule_action',
            )
            if rules
            else Item(
                'todo',
                _("No rule is active: nothing follows from a missed call."),
                'crm_telephony.telephony_rule_action',
            ),
        ]

    def _test(self, account):
        if account.test_state == 'passed':
            when = format_datetime(self.env, account.tested_at, dt_format='short')
            return Item(
                'done', self.env._("%(pbx)s: tested, %(time)s", pbx=account.name, time=when)
            )
        state = label_of(account, 'test_state')
        return Item(
            'todo',
            f'{account.name}: {". ".join(filter(None, (state, account.test_note)))}',
            account.action_test_call(),
        )

    def _live(self, account):
        _ = self.env._
        count, first = self._real_calls(account)
        if not first:
            return Item('later', _("%(pbx)s: no call but test calls yet", pbx=account.name))
        return Item(
            'done',
            _(
                "%(pbx)s: calls since %(time)s: %(count)s",
                pbx=account.name,
                time=format_datetime(self.env, first, dt_format='short'),
                count=count,
            ),
            account.action_view_calls(),
        )

    def _look_back(self, account):
        _, now, name = self.env._, fields.Datetime.now(), account.name
        _count, first = self._real_calls(account)
        if not first or now - first < DAY:
            return [Item('later', _("%(pbx)s: a day after the first call", pbx=name))]
        todo = []
        mine = Domain('account_id', '=', account.id) & Domain('start_at', '>', now - DAY)
        events = (
            Domain('account_id', '=', account.id)
            & Domain('received_at', '>', now - DAY)
            & Domain('state', '=', 'failed')
        )
        for model, domain, title, text in (
            (
                'telephony.event',
                events,
                _("Events"),
                _("%(pbx)s: events of the last day that could not be read: %(count)s"),
            ),
            (
                'telephony.call',
                mine & Domain('outcome', '=', 'answered') & Domain('user_id', '=', False),
                _("Calls"),
                _("%(pbx)s: answered calls of the last day without an employee: %(count)s"),
            ),
            (
                'telephony.call',
                mine & Domain('end_unknown', '=', True),
                _("Calls"),
                _("%(pbx)s: calls of the last day whose end never came: %(count)s"),
            ),
            (
                'telephony.call',
                mine & Domain('direction', '=', 'inbound') & Domain('number_id', '=', False),
                _("Calls"),
                _("%(pbx)s: calls of the last day to a number that is not entered: %(count)s"),
            ),
        ):
            if count := self.env[model].search_count(domain, limit=MOST):
                text %= {'pbx': name, 'count': _up_to(MOST, count)}
                todo.append(Item('todo', text, _list(model, title, list(domain))))
        if todo:
            return todo
        count = _up_to(10 * MOST, self.env['telephony.call'].search_count(mine, limit=10 * MOST))
        return [
            Item(
                'done',
                _(
                    "%(pbx)s: all that the last day brought is whole. Calls: %(count)s",
                    pbx=name,
                    count=count,
                ),
                'crm_telephony.telephony_report_action',
            )
        ]

    def _real_calls(self, account):
        """Return how many calls the PBX has told of that are no test calls, counted to a thousand, and
        when the first began (naive UTC)."""
        tests = self.env['telephony.test.call'].sudo().search([('account_id', '=', account.id)])
        calls, real = (
            self.env['telephony.call'],
            (
                Domain('account_id', '=', account.id)
                & Domain('start_at', '!=', False)
                & Domain('id', 'not in', tests.call_id.ids)
            ),
        )
        first = calls.search(real, order='start_at, id', limit=1)
        return _up_to(10 * MOST, calls.search_count(real, limit=10 * MOST)), first.start_at


def _state_of(items):
    """Return the state of a step: that of what is most missing; a step without a PBX comes later."""
    states = {item.state for item in items} or {'later'}
    return next(state for state in ('todo', 'later', 'done') if state in states)


def _up_to(most, count):
    return f'{most}+' if count == most else str(count)


def _form(record):
    return {
        'type': 'ir.actions.act_window',
        'res_model': record._name,
        'res_id': record.id,
        'views': [[False, 'form']],
    }


def _list(model, name, domain):
    return {
        'type': 'ir.actions.act_window',
        'name': name,
        'res_model': model,
        'domain': domain,
        'views': [[False, 'list'], [False, 'form']],
    }
