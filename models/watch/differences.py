"""What has changed in calls: their facts before and after, as JSON, and as a person reads it."""

from odoo import fields
from odoo.tools import format_datetime

from ...tools.clocks import clock

# The facts that people see, and that follow-ups and figures depend on.
FACTS = (
    'state',
    'direction',
    'customer_number',
    'start_at',
    'outcome',
    'talk_seconds',
    'user_id',
    'extension',
    'queue',
    'end_unknown',
)
# Clocks differ, and a PBX's log rounds: such a difference (seconds) is none.
SAME_SECONDS = 2


def snapshot(calls):
    """Return the facts of these calls: dict call id → dict field → value as JSON takes it."""
    calls.fetch(FACTS)
    return {call.id: facts_of(call) for call in calls}


def facts_of(call):
    return {name: as_json(call._fields[name].convert_to_write(call[name], call)) for name in FACTS}


def as_json(value):
    return fields.Datetime.to_string(value) if hasattr(value, 'isoformat') else value or False


def differences(before, after):
    """Return what differs between two snapshots of a call: dict field → [before, after]."""
    return {
        name: [before[name], after[name]]
        for name in FACTS
        if name in before and name in after and not _is_same(name, before[name], after[name])
    }


def _is_same(name, before, after):
    if name == 'start_at' and before and after:
        times = map(fields.Datetime.to_datetime, (before, after))
        return abs((next(times) - next(times)).total_seconds()) <= SAME_SECONDS
    if name == 'talk_seconds':
        return abs((before or 0) - (after or 0)) <= SAME_SECONDS
    return (before or False) == (after or False)


def told_differences(env, changes):
    """Return differences in words of the reader: "Outcome: Missed → Answered; Talk: – → 1:05"."""
    calls = env['telephony.call'].sudo()
    return "; ".join(
        f"{calls._fields[name]._description_string(env)}: {_told(calls, name, before)} → "
        f"{_told(calls, name, after)}"
        for name, (before, after) in (changes or {}).items()
        if name in calls._fields
    )


def _told(calls, name, value):
    field = calls._fields[name]
    if name == 'talk_seconds':
        return clock(value)
    if not value:
        return calls.env._("no") if field.type == 'boolean' else "–"
    if field.type == 'boolean':
        return calls.env._("yes")
    if field.type == 'selection':
        return dict(field._description_selection(calls.env)).get(value, value)
    if field.type == 'many2one':
        return calls.env[field.comodel_name].sudo().browse(value).exists().display_name or "–"
    if field.type == 'datetime':
        return format_datetime(calls.env, value, dt_format='medium')
    return str(value)
