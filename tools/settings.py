"""Settings of the whole database, the system parameters `crm_telephony.<name>`, and their
defaults."""

DEFAULTS = {
    # hours after which a call without an end is closed: nobody talks that long
    'lost_call_hours': 4,
    # days for which events are kept; their calls stay
    'event_retention_days': 90,
    # days for which the listening log is kept
    'listen_days': 1095,
    # late match: days back for contacts, days back for deals, and how many calls of a number at most
    'late_days': 365,
    'late_deal_days': 30,
    'late_count': 200,
}


def setting(env, name: str) -> int:
    """Return the value of a setting; its default if none was entered or it is no whole number."""
    value = env['ir.config_parameter'].sudo().get_param(f'crm_telephony.{name}')
    return int(value) if value and value.strip().isdecimal() else DEFAULTS[name]
