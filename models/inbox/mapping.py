import json
import re
from datetime import timedelta, timezone
from functools import partial

from odoo import fields, models
from odoo.exceptions import UserError

from ...providers.base import ProviderError
from ...tools.words import Words
from ..core.words_field import told
from .capture import MOST_BYTES, MOST_REQUESTS

# Days back for which failed events are read again once a template can read them.
REPLAYED_DAYS = 30
# What the administrator says of the test call, and so many characters of each.
FACTS = ('mobile', 'phone', 'dialled')
LONGEST_FACT = 50


class TelephonyAccount(models.Model):
    """The administrator says what the requests of an unknown PBX mean, and goes live with it.

    Each method that the screen calls checks the right to change the PBX, and returns the whole screen
    anew: every choice is tried at once on all that was captured.
    """

    _inherit = 'telephony.account'

    def action_learn(self):
        """Open the screen on which an unknown PBX is connected."""
        self._check_learning()
        action = self.env['ir.actions.client']._for_xml_id('crm_telephony.telephony_learn_action')
        return {**action, 'context': {'active_id': self.id}}

    # === THE SCREEN === #

    def get_learning(self):
        """Return all that the screen shows."""
        self._check_learning()
        captures = self.env['telephony.capture'].search([('account_id', '=', self.id)])
        until = self.capture_until
        left = (until - fields.Datetime.now()).total_seconds() if until else 0
        return {
            'account': {
                'id': self.id,
                'name': self.name,
                'address': self.webhook_url,
                'zone': self.timezone,
                'template': self.template_id.display_name or False,
                'template_id': self.template_id.id,
                'has_secret': bool(self.api_secret),
                'failed': self.failed_event_count,
                'unread': len(self._unread()),
            },
            'listening': {
                'left': max(int(left), 0),
                'count': len(captures),
                'most': MOST_REQUESTS,
                'bytes': sum(captures.mapped('size')),
                'most_bytes': MOST_BYTES,
            },
            'facts': {name: (self.capture_facts or {}).get(name) or '' for name in FACTS},
            'templates': self._templates(),
            'ready_body': self._adapter().bench.ready_body,
            'ready_template': self._ready_template().id,
            **self._in_words(self._desk(captures).screen()),
        }

    def learn_start(self, facts):
        """Listen for an hour. What was captured before stays."""
        self._check_learning()
        self.capture_facts = {name: str(facts.get(name) or '')[:LONGEST_FACT] for name in FACTS}
        self._listen()
        return self.get_learning()

    def learn_from_failed(self):
        """Look at the deliveries that nobody could read, as if Odoo had listened then."""
        self._check_learning()
        self.env['telephony.capture'].sudo()._take(self, self._unread())
        if not self._is_listening():
            # what is kept stays a day from now
            self.capture_until = fields.Datetime.now()
        return self.get_learning()

    def learn_stop(self):
        self._check_learning()
        self._stop_listening()
        return self.get_learning()

    def learn_clear(self):
        """Delete what was captured, and what was said of it."""
        self._check_learning()
        self._forget_captures()
        self.mapping = False
        return self.get_learning()

    def learn_say(self, change):
        """Add one choice, see `said_too` of the workbench."""
        self._check_learning()
        try:
            self.mapping = self._desk().said_too(change)
        except ProviderError as error:
            raise UserError(told(self.env, error.args[0])) from error
        return self.get_learning()

    def learn_secret(self, secret):
        """Enter the secret, to see which way of signing it fits."""
        self._check_learning()
        self.api_secret = secret
        return self.get_learning()

    def learn_allow(self, host):
        """Allow recordings of a host that the captured requests name."""
        self._check_learning()
        if host in self._desk().screen()['hosts']:
            self.recording_hosts = ', '.join(filter(None, (self.recording_hosts, host)))
        return self.get_learning()

    def learn_use(self, template_id):
        """Read the PBX by a template that exists."""
        self._check_learning()
        if template_id not in [template['id'] for template in self._templates()]:
            raise UserError(self.env._("This cannot be chosen. Load the page again."))
        self.template_id = template_id
        self._stop_listening()
        self._forget_captures()
        return self.get_learning()

    def learn_go_live(self, file_captured):
        """Make a template of what was said and read the PBX by it from now on, all in one
        transaction. The captured requests are deleted.

        :param bool file_captured: the captured calls were real, and are filed
        """
        self._check_learning()
        captures = self.env['telephony.capture'].search([('account_id', '=', self.id)])
        desk = self._desk(captures)
        if missing := [problem['text'] for problem in desk.problems() if problem['must']]:
            raise UserError('\n'.join(told(self.env, text) for text in missing))
        self._live_with({**desk.template, 'version': desk.next_version}, desk.samples())
        if file_captured:
            self._file_captured(captures)
        self._stop_listening()
        self._forget_captures()
        return self.get_learning()

    def learn_replay(self):
        """Read the failed events of the last month again. The page asks what came of it."""
        self._check_learning()
        since = fields.Datetime.now() - timedelta(days=REPLAYED_DAYS)
        failed = self.env['telephony.event'].search(
            [
                ('account_id', '=', self.id),
                ('state', '=', 'failed'),
                ('received_at', '>=', since),
            ]
        )
        return failed.action_replay()

    # === BEHIND IT === #

    def _check_learning(self):
        """:raise AccessError: the user may not change this PBX"""
        self.ensure_one()
        self.check_access('write')
        if not self._adapter().bench:
            raise UserError(
                self.env._("Odoo knows this kind of PBX, so there is nothing to learn about it.")
            )

    def _desk(self, captures=None):
        if captures is None:
            captures = self.env['telephony.capture'].search([('account_id', '=', self.id)])
        bench, live = self._adapter().bench, self._settings().template
        return bench.desk(
            self._adapter(),
            [
                bench.kept(
                    capture.id,
                    json.loads(capture.request),
                    capture.received_at.replace(tzinfo=timezone.utc),
                )
                for capture in captures
            ],
            self._settings(),
            self.capture_facts or {},
            self.mapping or {},
            {'id': self._template_key(), 'version': '1.0.0', 'label': self.name[:60]},
            self._capture_salt(),
            hosts=self._recording_hosts(),
            live=json.loads(live) if live else None,
        )

    def _template_key(self):
        """Return the id of the template that is made for this PBX: that of its own one, else made of
        its name."""
        own = self.template_id
        if own and own.company_id and not own.is_shipped:
            return own.key
        return f"{re.sub('[^a-z0-9]+', '-', self.name.lower()).strip('-')[:40] or 'pbx'}-{self.id}"

    def _unread(self):
        """Return the deliveries of the last month that nobody could read, as whole requests."""
        since = fields.Datetime.now() - timedelta(days=REPLAYED_DAYS)
        return self.env['telephony.event'].search(
            [
                ('account_id', '=', self.id),
                ('state', '=', 'failed'),
                ('received_at', '>=', since),
                ('payload', '=like', '{"unread"%'),
            ],
            limit=MOST_REQUESTS,
        )

    def _templates(self):
        """Return the templates to choose from."""
        domain = [('state', '=', 'live'), ('company_id', 'in', (False, self.company_id.id))]
        return [
            {'id': template.id, 'name': template.display_name}
            for template in self.env['telephony.template'].search(domain)
        ]

    def _ready_template(self):
        """Return the template that reads the ready body, in its newest version."""
        key = self._adapter().bench.ready_template
        known = self.env['telephony.template'].search(
            [('key', '=', key), ('state', '=', 'live'), ('company_id', '=', False)]
        )
        return max(known, key=known._in_order, default=known)

    def _live_with(self, content, samples):
        """Read the PBX by this template. The same again changes nothing.

        :param samples: the captured calls. Those who made them are in no template: it keeps what is
            made up in their place, if that gives the same calls
        """
        Template = self.env['telephony.template'].with_context(active_test=False)
        live = self.template_id
        if live and (live.key, live.version) == (content['id'], content['version']):
            return
        # a version that somebody has drafted is another template
        first, second, third = map(int, content['version'].split('.'))
        key = content['id']
        while Template.search_count([('key', '=', key), ('version', '=', content['version'])]):
            third += 1
            content['version'] = f'{first}.{second}.{third}'
        try:
            text = self._adapter().template_to_share(json.dumps({**content, 'samples': samples}))
        except ProviderError:
            text = json.dumps(content, ensure_ascii=False, indent=2)
        template = Template.create({'content': text, 'company_id': self.company_id.id})
        template.action_go_live()
        self.template_id = template

    def _file_captured(self, captures):
        Event, bench = self.env['telephony.event'], self._adapter().bench
        for capture in captures:
            rows = Event._rows(self, bench.restored(json.loads(capture.request)))
            Event._store(self, [row for row in rows if not row.unread], capture.received_at)
        self.env.cr.postcommit.add(
            partial(Event._process_in_new_transaction, self.env.cr.dbname, self.id)
        )

    def _forget_captures(self):
        self.env['telephony.capture'].sudo().search([('account_id', '=', self.id)]).unlink()

    def _in_words(self, value):
        """Return data with its facts in the language of the reader."""
        if isinstance(value, Words):
            return told(self.env, value)
        if isinstance(value, dict):
            return {name: self._in_words(part) for name, part in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._in_words(part) for part in value]
        return value
