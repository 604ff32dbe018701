"""Another PBX: a template, which is data, says how its deliveries are read.

Without a template a delivery is kept as it came, to be read once there is one. The language of
templates is told in language.py and docs/any-pbx.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from xml.sax.saxutils import escape

from ..base import (
    Account,
    Answer,
    CallEvent,
    Identity,
    Provider,
    ProviderError,
    Question,
    Refused,
    Reply,
    Stored,
    TemplateFacts,
    WebhookRequest,
    _,
)
from . import schemes
from .bench import Bench
from .describe import facts
from .documents import scope_of, split
from .errors import BadTemplate
from .evaluation import read, rule_of, translate
from .language import Answering, Rule, Template, authentication_of, load, loaded
from .operations import Reader
from .pseudonym import shared

NO_TEMPLATE = _(
    "There is no template yet that says how these deliveries are read. Choose one on the PBX's form, then replay this event."
)
USER, SECRET = _("User of the login"), _("Secret")
SHIPPED = Path(__file__).parent / 'templates'
# How our own note is called that a call's end never came: no event of a template may be called so.
LOST = 'lost'
_ECHO = re.compile(r'[A-Za-z0-9._-]{1,200}')
_PLACEHOLDER = re.compile(r'\{(webhook_url|caller_name|manager|echo)\}')
_CONTROL = re.compile('[\x00-\x1f\x7f]')


class Custom(Provider):
    code = 'custom'
    label = _("Another PBX")
    # until a template says which it needs
    api_secret_label = ''
    takes_template = True
    bench = Bench()
    signs = False
    setup_steps = (
        _("Choose the template of your PBX on this form, and save."),
        _("Enter the webhook address in the PBX, for the events of calls."),
        _(
            "If the PBX signs its events or sends a login, enter the same secret here and in the PBX."
        ),
        _("Enter the company's numbers and the extensions: they tell who calls whom."),
    )

    def __init__(self, text: str = '', webhook_url: str = ''):
        """:param text: the template; without one nothing can be read"""
        self.text, self.webhook_url = text, webhook_url
        self.template: Template | None = None
        self.problem = NO_TEMPLATE
        if not text:
            return
        try:
            self.template = loaded(text)
        except BadTemplate as error:
            self.problem = error.args[0]
            self.signs = True
            return
        authentication = self.template.authentication
        self.signs = not authentication.is_by_address_only
        kinds = {scheme.kind for scheme in authentication.schemes}
        self.api_key_label = USER if 'basic' in kinds else ''
        self.api_secret_label = '' if kinds == {'address_only'} else SECRET
        self.tells_outgoing_answer = self.template.tells_outgoing_answer
        self.recording_hosts = self.template.recording_hosts

    def of(self, account: Account) -> Provider:
        return bound(account.template, account.webhook_url)

    def templates(self) -> Iterator[str]:
        for path in sorted(SHIPPED.glob('*.json')):
            yield path.read_text('utf-8')

    def template_facts(self, text: str) -> TemplateFacts:
        return _facts(text)

    def template_to_share(self, text: str) -> str:
        return shared(load(text))

    def unusable(self) -> str:
        return self.problem if self.text and not self.template else ''

    def steps_in(self, language: str) -> Sequence[str]:
        return self.template and self.template.setup_in(language) or self.setup_steps

    def known(self) -> Template:
        """Return the template.

        :raise ProviderError: there is none, or it cannot be used
        """
        if not self.template:
            raise ProviderError(self.problem)
        return self.template

    # --- receiving ---------------------------------------------------------------------------------------------------

    def handshake(self, request: WebhookRequest) -> Reply | None:
        """The answer to a request that holds nothing but the text that it wants back."""
        field = self.template and self.template.answering.echo
        if not field or {*request.query, *request.form} != {field}:
            return None
        text = request.param(field)
        return (
            Reply(self.template.answering.body.replace('{echo}', text))
            if _ECHO.fullmatch(text)
            else None
        )

    def verify(self, request: WebhookRequest, account: Account) -> None:
        """Check that the request is from this PBX. Some schemes need no secret, so each asks for its
        own."""
        self.authenticate(request, account)

    def authenticate(self, request: WebhookRequest, account: Account) -> None:
        if not self.text:
            return  # the secret address alone; nothing of it can become a call yet
        try:
            authentication = (
                self.template.authentication if self.template else authentication_of(self.text)
            )
        except ProviderError:
            raise Refused(
                _("The template of this PBX cannot be used, so nothing can be checked by it.")
            ) from None
        schemes.check(authentication, self.template, request, account)

    def split(self, request: WebhookRequest) -> list[dict]:
        return split(self.known(), request)

    def identify(self, payload: Mapping, account: Account) -> Identity:
        reading = read(self.known(), payload, account)
        if reading.ignored:
            return Identity('ignored', '', reading.key, ignored=reading.ignored)
        kinds = dict.fromkeys(event.kind for event in reading.events)
        return Identity(
            kind='+'.join('no end' if kind == LOST else kind for kind in kinds),
            call_ref=reading.call_ref,
            key=reading.key,
        )

    def translate(self, stored: Sequence[Stored], account: Account) -> list[CallEvent]:
        return translate(self.known(), stored, account)

    # --- answering ---------------------------------------------------------------------------------------------------

    def question(self, request: WebhookRequest, account: Account) -> Question | None:
        if not self.template or not any(rule.asks for rule in self.template.rules):
            return None
        rule, reader = self._rule(request, account)
        if not rule or not rule.asks:
            return None
        asks = rule.asks
        return Question(
            asks.kind,
            number=asks.number.value(reader) or '',
            called=(asks.called.value(reader) if asks.called else '') or '',
        )

    def reply(self, request: WebhookRequest, answer: Answer | None = None) -> Reply:
        if not self.template:
            return Reply()
        answering = self.template.answering
        if any(rule.answering for rule in self.template.rules):
            rule, _reader = self._rule(request, Account())
            answering = rule.answering if rule and rule.answering else answering
        return reply_of(answering, request, answer, self.webhook_url)

    def _rule(self, request: WebhookRequest, account: Account) -> tuple[Rule | None, Reader | None]:
        """Return the rule of a request's first item; none if it cannot be read, which must not keep
        the PBX from its answer."""
        try:
            payload = split(self.template, request)[0]
            reader = Reader(scope_of(self.template, payload), account)
            return rule_of(self.template, reader), reader
        except ProviderError:
            return None, None


@lru_cache(maxsize=16)
def _facts(text: str) -> TemplateFacts:
    return facts(load(text))


@lru_cache(maxsize=64)
def bound(text: str, webhook_url: str) -> Custom:
    """Return the adapter that reads by this template."""
    return Custom(text, webhook_url)


def reply_of(
    answering: Answering, request: WebhookRequest, answer: Answer | None, webhook_url: str
) -> Reply:
    """Return what a PBX gets, with the values for its placeholders."""
    content_type = f'{answering.content_type}; charset=utf-8'
    body, known = answering.body, answer or Answer()
    if answering.nobody and not (known.caller_name or known.manager):
        return Reply(answering.nobody, content_type=content_type)
    if '{' in body:
        echo = request.param(answering.echo) if answering.echo else ''
        values = {
            'webhook_url': webhook_url,
            'caller_name': known.caller_name,
            'manager': known.manager,
            'echo': echo if _ECHO.fullmatch(echo) else '',
        }
        body = _PLACEHOLDER.sub(
            lambda match: escaped(values[match[1]], answering.content_type), body
        )
    return Reply(body, content_type=content_type)


def escaped(text: str, content_type: str) -> str:
    """Return a text as it may stand in a reply of this type."""
    text = _CONTROL.sub(' ', text)
    if content_type == 'application/json':
        return json.dumps(text)[1:-1]
    if content_type == 'application/xml':
        return escape(text, {'"': '&quot;', "'": '&apos;'})
    return text
