"""Fingerprints: what recognises a text that we must not keep."""

from odoo.tools import hmac


def fingerprint(env, kind: str, text: str) -> str:
    """Return 64 hexadecimal digits that only this database makes of `text`.

    The text can be recognised by them, but not found out: they are an HMAC with the database's own
    secret, so that nobody can try all phone numbers elsewhere. Whoever changes the system parameter
    `database.secret` loses what was recognised.

    :param kind: what the text is; the same text of another kind has another fingerprint
    """
    return hmac(env(su=True), f'crm_telephony.{kind}', text)
