"""Phone numbers: every spelling that a PBX or a person uses becomes E.164; what is no outside number stays what it is.

The one place where numbers are parsed. Rules that the library does not have, and their reasons, are in :func:`to_e164`.
"""
import re
import unicodedata
from functools import lru_cache

import phonenumbers
from phonenumbers import timezone

# Texts that PBXs send instead of a hidden or absent number.
HIDDEN = frozenset({
    '', 'anonymous', 'unknown', 'unavailable', 'private', 'restricted', 'withheld', 'hidden', 'none', 'null', 'false',
    'asserted-identity', 's', 'anonim', 'private number', 'unknown number',
    'номер скрыт', 'скрытый номер', 'скрыт', 'неизвестно', 'неизвестный номер', 'номер не определен',
    'номер не определён', 'аноним',
})
# The longest thing that is dialled inside a company or as a short code; shorter than any subscriber's number.
SHORT = 6
# The least that is read as an international number without its plus. Below it a local number (683-40-02) would turn
# up in a small country (+683 is Niue).
INTERNATIONAL = 9

_NAME_AND_NUMBER = re.compile(r'^.*<([^<>]*)>\s*(?:;.*)?$', re.DOTALL)     # "Ann" <sip:+77771234567@pbx>;tag=1
_NAME_AND_BRACKETS = re.compile(r'^[^\d+(]+\((\+?\d{7,15})\)$')     # Ann (77771234567)
_SIP = re.compile(r'^(?:sips?|tel):', re.IGNORECASE)
# Marks of writing direction and the like, which telephones' address books copy along with a number.
_MARKS = re.compile('[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]')
# Those that shape a word of some scripts or end its line, too.
_INVISIBLE = re.compile('[\u00ad\u200c\u200d]')
_WIDE_SIGNS = str.maketrans('＋－（）．／', '+-()./')
_NUMBER = re.compile(r'^\+?[\d\s().\-/\u00a0\u2010-\u2015]+$')


def plain(text: str) -> str:
    """A text as machines write it: any space of Unicode is an ordinary one (before AM stands U+202F these days), any script's
    digits are 0 to 9, and marks of writing direction are gone."""
    if text.isascii():
        return text
    return ''.join(map(_plain, _MARKS.sub('', text)))


def _plain(char: str) -> str:
    if char.isascii():
        return char
    return ' ' if char.isspace() else str(unicodedata.decimal(char, char))


def clean(raw: str | None) -> str:
    """What was delivered without its wrapping: the user part of a SIP address, the number behind a display name, no
    parameters. Hidden callers give ''. The result may still be an extension, a SIP name or nonsense."""
    text = _INVISIBLE.sub('', plain(str(raw or ''))).translate(_WIDE_SIGNS).strip().strip('"\'').strip()
    if match := _NAME_AND_NUMBER.match(text) or _NAME_AND_BRACKETS.match(text):
        text = match[1].strip()
    if _SIP.match(text):
        address = text.split(':', 1)[1].split(';', 1)[0]
        user, at, _host = address.partition('@')
        if not at:
            user = address
        # a SIP name is kept whole, so that the person who looks at the call can tell who it was
        text = user if _NUMBER.match(user) or user.lower() in HIDDEN else address
    else:
        text = text.split(';', 1)[0].strip()
    return '' if text.lower() in HIDDEN else text


@lru_cache(maxsize=8192)
def to_e164(raw: str | None, country: str = '') -> str:
    """E.164 of an outside number, or '' for extensions, short codes, hidden callers, masked and impossible numbers.

    :param raw: the number as delivered
    :param country: ISO code whose national spellings are understood ('KZ'), of the PBX, not of the caller
    """
    text = clean(raw)
    if not text or not _NUMBER.match(text):
        return ''
    digits = re.sub(r'\D', '', text)
    if len(digits) <= SHORT:
        # phonenumbers would read 101 as +7101 and find a customer
        return ''
    if not text.startswith('+') and digits.startswith('00'):
        # the usual exit code, also in countries whose own is another (8~10 in Kazakhstan)
        text = '+' + digits[2:]
    for candidate in (text, '' if text.startswith('+') or len(digits) < INTERNATIONAL else '+' + digits):
        # the second try: PBXs send international numbers without the plus (442079460111 to a company in Kazakhstan)
        try:
            number = phonenumbers.parse(candidate, country or None) if candidate else None
        except phonenumbers.NumberParseException:
            continue
        if number and phonenumbers.is_valid_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return ''


def normalise(raw: str | None, country: str = '') -> str:
    """E.164 where the number can be parsed, else what was delivered without its wrapping."""
    return to_e164(raw, country) or clean(raw)


def as_dialled(number: str, country: str = '') -> str:
    """An E.164 number as it is dialled in a country: 02079460188 at home, 00442079460188 or 8104420… elsewhere. What cannot
    be parsed, or where no country is known, stays as it is."""
    try:
        parsed = phonenumbers.parse(number) if country else None
    except phonenumbers.NumberParseException:
        parsed = None
    if not parsed:
        return number
    return re.sub(r'\D', '', phonenumbers.format_out_of_country_calling_number(parsed, country))


@lru_cache(maxsize=8192)
def is_mobile(number: str) -> bool:
    """Whether an E.164 number takes SMS: a mobile one, or of a country whose plan does not tell mobiles from landlines."""
    return phonenumbers.number_type(phonenumbers.parse(number)) in (
        phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE)


@lru_cache(maxsize=8192)
def zones_of(number: str) -> tuple[str, ...]:
    """IANA names of the time zones where an E.164 number may be: one for most landlines, many for a large country's mobiles."""
    return timezone.time_zones_for_number(phonenumbers.parse(number))
