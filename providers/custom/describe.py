"""What a template does, in sentences, for whoever decides whether to use it."""

from __future__ import annotations

from ..base import TemplateFacts, _
from . import samples
from .language import Template

BODY = {
    'json': _("JSON"),
    'form': _("form posts"),
    'query': _("the address's query"),
    'xml': _("XML"),
    'jwt': _("signed tokens"),
}
SCHEME = {
    'hmac': _("a signature (HMAC)"),
    'basic': _("user and password"),
    'bearer': _("the secret in a header"),
    'header': _("the secret in a header"),
    'field': _("the secret in a field"),
    'jwt': _("a signed token"),
    'ed25519': _("a signature (Ed25519)"),
    'address_only': _("the secret address alone"),
}


def facts(template: Template) -> TemplateFacts:
    """Return what a template says of itself, its samples played."""
    return TemplateFacts(
        key=template.key,
        version=template.version,
        labels=template.label,
        is_by_address_only=template.authentication.is_by_address_only,
        summary=tuple(summary(template)),
        problems=tuple(samples.problems(template)),
        lacks=tuple(samples.lacks(template)),
    )


def summary(template: Template) -> list[str]:
    """Return what a template reads, believes and answers, a sentence each."""
    kinds = dict.fromkeys(event.kind for rule in template.rules for event in rule.events)
    told = [
        _("It reads %(bodies)s.", bodies=[BODY[body] for body in template.request.bodies]),
        _(
            "Its %(count)s rules tell of: %(kinds)s.",
            count=len(template.rules),
            kinds=[*kinds],
        ),
        _(
            "A delivery is genuine by %(schemes)s.",
            schemes=[
                *dict.fromkeys(SCHEME[scheme.kind] for scheme in template.authentication.schemes)
            ],
        ),
    ]
    answerings = [template.answering, *(rule.answering for rule in template.rules)]
    bodies = dict.fromkeys(answering.body for answering in answerings if answering)
    told.append(
        _("It answers: %(bodies)s", bodies=[body for body in bodies if body])
        if any(bodies)
        else _("It answers nothing.")
    )
    if any(rule.asks for rule in template.rules):
        told.append(_("It lets the PBX ask who calls."))
    if template.recording_hosts:
        told.append(_("Recordings are fetched from: %(hosts)s.", hosts=[*template.recording_hosts]))
    return told
