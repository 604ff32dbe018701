"""Settings of the whole database, the system parameters `crm_telephony.<name>`, and their
defaults."""

DEFAULTS = {
    # a call whose end never came is closed after so many hours: nobody talks that long
    'lost_call_hours': 4,
    # raw deliveries of PBXs are kept for so many days; the calls stay
    'event_retention_days': 90,
    # of a number that becomes known late: calls of so many days are looked at, for deals of so
    # many, and so many at most
    'late_days': 365,
    'late_deal_days': 30,
    'late_count': 200,
}


def setting(env, name: str) -> int:
    """The value of a setting, its default where none was entered or where it is no whole number."""
    value = env['ir.config_parameter'].sudo().get_param(f'crm_telephony.{name}')
    return int(value) if value and value.strip().isdecimal() else DEFAULTS[name]
