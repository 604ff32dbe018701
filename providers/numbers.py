"""Phone numbers: every spelling that a PBX or a person uses becomes E.164; what is no outside
number stays what it is.

All numbers are parsed here. The rules that the library does not have, and their reasons, are in
:func:`to_e164` and :func:`_readings`.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumber, timezone

# Texts that PBXs send instead of a hidden or absent number.
# fmt: off
HIDDEN = frozenset({
    '', 's', 'none', 'null', 'false',
    'anonymous', 'unknown', 'unavailable', 'private', 'restricted', 'withheld', 'hidden',
    'asserted-identity', 'anonim', 'private number', 'unknown number',
    'номер скрыт', 'скрытый номер', 'скрыт', 'неизвестно', 'неизвестный номер',
    'номер не определен', 'номер не определён', 'аноним',
})
# fmt: on
# Extensions and short codes have at most so many digits; any subscriber's number has more.
SHORT = 6
# An international number without its plus has at least so many digits. With fewer a local number
# (683-40-02) would turn up in a small country (+683 is Niue).
INTERNATIONAL = 9

# So many characters of a field are read, because the search tries many readings. Nobody types more.
LONGEST_FIELD = 500

# The usual codes for an outside line, longest first, for an account that has entered none.
USUAL_CODES = ('99', '9', '0')

# "Ann" <sip:+77771234567@pbx>;tag=1
_NAME_AND_NUMBER = re.compile(r'^.*<([^<>]*)>\s*(?:;.*)?$', re.DOTALL)
_NAME_AND_BRACKETS = re.compile(r'^[^\d+(]+\((\+?\d{7,15})\)$')  # Ann (77771234567)
_SIP = re.compile(r'^(?:sips?|tel):', re.IGNORECASE)
# *67, *31#: a service of the network, dialled before the number
_SERVICE = re.compile(r'^(?:\*\d{2,3}#|#\d{2,3}#|\*\d{2})+(?=\s*[\d+])')
_PAUSE = re.compile(r'[,wp]+', re.IGNORECASE)  # 9w87011234567: dialled after a pause
_FLOAT = re.compile(r'^(\+?\d{7,15})\.0+$')  # what a spreadsheet makes of a number
# What stands between the numbers of one field; a slash may be within one.
_AND = re.compile(r'\s(?:и|или|және|and|or)\s')
_BETWEEN = re.compile(r'[;,|\n\r]')
_PIECE = re.compile(r'[^/;,|\n\r]+')
# Marks of writing direction and the like, which telephones' address books copy along with a number.
_MARKS = re.compile('[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]')
# Marks that shape or break a word, which only a number can do without.
_INVISIBLE = re.compile('[\u00ad\u200c\u200d]')
_WIDE_SIGNS = str.maketrans('＋－（）．／', '+-()./')
_NUMBER = re.compile(r'^\+?[\d\s().\-/\u00a0\u2010-\u2015]+$')


def plain(text: str) -> str:
    """Return the text with ordinary spaces (before AM stands U+202F these days), digits 0 to 9
    whatever their script, and no marks of writing direction."""
    if text.isascii():
        return text
    return ''.join(map(_plain, _MARKS.sub('', text)))


def _plain(char: str) -> str:
    if char.isascii():
        return char
    return ' ' if char.isspace() else str(unicodedata.decimal(char, char))


def clean(raw: str | None) -> str:
    """Return a delivered number without its wrapping: the user part of a SIP address, the number
    behind a display name, no parameters; '' for hidden callers. The result may still be an
    extension, a SIP name or nonsense."""
    text = (
        _INVISIBLE.sub('', plain(str(raw or '')))
        .translate(_WIDE_SIGNS)
        .strip()
        .strip('"\'')
        .strip()
    )
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
def to_e164(
    raw: str | None, country: str = '', codes: tuple[str, ...] = (), is_dialled: bool = False
) -> str:
    """Return the E.164 of an outside number; '' for extensions, short codes, hidden callers, masked
    and impossible numbers.

    :param raw: the number as delivered
    :param country: ISO code whose national spellings are understood ('KZ'), of the PBX, not of the
        caller
    :param codes: what employees dial before a number for an outside line; it is no part of the
        number
    :param is_dialled: an employee dialled it, so that a code may stand before it, also one that
        nobody has entered
    """
    # a # at the end only ends the dialling; a pattern for it would look at each of many
    parts = _PAUSE.split(_SERVICE.sub('', clean(raw).rstrip('#')).strip())
    # phonenumbers would read 101 as +7101 and find a customer
    text = next((part for part in parts if len(re.sub(r'\D', '', part)) > SHORT), '')
    text = _FLOAT.sub(r'\1', text)
    if not _NUMBER.match(text):
        return ''
    number = next(filter(None, _readings(text, country, codes, is_dialled)), None)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if number else ''


def _readings(
    text: str, country: str, codes: tuple[str, ...], is_dialled: bool
) -> Iterator[PhoneNumber | None]:
    """Yield what a number may be, the likeliest first, and None for each way in which it cannot be
    read."""
    digits = re.sub(r'\D', '', text)
    if text.startswith('+'):
        yield _valid(text, country)
        # +8 701…: the trunk prefix of the country where the country's code should stand
        yield _valid(digits, country) if _begins_at_home(digits, country) else None
        return

    def without(code: str) -> PhoneNumber | None:
        tail = digits.removeprefix(code) if digits.startswith(code) else ''
        if len(tail) <= SHORT:
            return None
        return _valid('+' + tail[2:] if tail.startswith('00') else tail, country)

    entered = sorted(codes, key=len, reverse=True)
    if is_dialled:
        yield from map(without, entered)
    if digits.startswith('00'):
        # the usual exit code, also in countries whose own is another (8~10 in Kazakhstan)
        yield _valid('+' + digits[2:], country)
    yield _valid(text, country)
    if not is_dialled:
        yield from map(without, entered)
    elif not entered:
        # 9 and 8 701… is no Iranian number: behind the code stands the prefix of the own country
        yield from (
            without(code)
            for code in USUAL_CODES
            if _begins_at_home(digits.removeprefix(code), country)
        )
    if len(digits) >= INTERNATIONAL:
        # PBXs send international numbers without the plus (442079460111 to a company in Kazakhstan)
        yield _valid('+' + digits, country)
    if is_dialled and not entered:
        yield from map(without, USUAL_CODES)


def _valid(text: str, country: str) -> PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, country or None) if text else None
    except phonenumbers.NumberParseException:
        return None
    return number if number and phonenumbers.is_valid_number(number) else None


def _begins_at_home(digits: str, country: str) -> bool:
    """Return whether this is a whole number of the country, written with its trunk prefix or its
    code: 8 701… or 7 701…"""
    home = PhoneMetadata.metadata_for_region(country, None) if country else None
    if not home:
        return False
    beginnings = tuple(filter(None, (home.national_prefix, str(home.country_code))))
    if not digits.startswith(beginnings):
        return False
    number = _valid(digits, country)
    return bool(
        number
        and number.country_code == home.country_code
        and len(digits) > len(str(number.national_number))
    )


def numbers_in(text: str | None, country: str = '') -> tuple[str, ...]:
    """Return all outside numbers in a field that a person filled in, as E.164 in their order. There
    may be several, with names or notes beside them, in any spelling."""
    text = str(text or '')
    if len(text) > LONGEST_FIELD:
        # half a number may be another one
        text = text[:LONGEST_FIELD].rstrip('+0123456789-/(). ')
    text = _AND.sub(lambda match: ';' * len(match[0]), plain(text))
    if not _BETWEEN.search(text) and (whole := to_e164(text, country)):
        return (whole,)
    told = [
        (
            match.start,
            match.end,
            phonenumbers.format_number(match.number, phonenumbers.PhoneNumberFormat.E164),
        )
        for match in phonenumbers.PhoneNumberMatcher(text, country or None)
    ]
    # spellings that only to_e164 knows
    told += [
        (*piece.span(), number)
        for piece in _PIECE.finditer(text)
        if not any(start < piece.end() and piece.start() < end for start, end, _number in told)
        and (number := to_e164(piece[0], country))
    ]
    if not told and (words := text.split()):
        # 8 701 123 45 67 8 702 765 43 21
        halves = (
            (to_e164(' '.join(words[:place]), country), to_e164(' '.join(words[place:]), country))
            for place in range(1, len(words))
        )
        return next(filter(all, halves), ())
    return tuple(dict.fromkeys(number for _start, _end, number in sorted(told)))


def normalise(
    raw: str | None, country: str = '', codes: tuple[str, ...] = (), is_dialled: bool = False
) -> str:
    """Return the E.164 of a number, see :func:`to_e164`; if it has none, what was delivered without
    its wrapping."""
    return to_e164(raw, country, codes, is_dialled) or clean(raw)


@lru_cache(maxsize=8192)
def pretty(number: str) -> str:
    """Return an E.164 number as people read it, '+7 777 123 4567'; anything else as it is."""
    try:
        return phonenumbers.format_number(
            phonenumbers.parse(number), phonenumbers.PhoneNumberFormat.INTERNATIONAL
        )
    except phonenumbers.NumberParseException:
        return number


def national(number: str) -> str:
    """Return the digits of an E.164 number that every spelling of it has: those behind country code
    and trunk prefix, or all of them if it cannot be parsed or so few are left that they would be
    found in anything."""
    digits = re.sub(r'\D', '', number)
    try:
        own = phonenumbers.national_significant_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return digits
    return own if len(own) > SHORT else digits


def masked(number: str) -> str:
    """Return an E.164 number of which nobody can call the rest: '+7 777 *** ** 67'. An extension is
    nobody's number and returned as it is."""
    if not number.startswith('+'):
        return number
    own = national(number)
    stars = '*' * max(len(own) - 5, 2)
    code = re.sub(r'\D', '', number).removesuffix(own)
    return ' '.join(filter(None, (f'+{code}', own[:3], stars[:3], stars[3:], own[-2:])))


def as_dialled(number: str, country: str = '') -> str:
    """Return an E.164 number as it is dialled in a country: 02079460188 at home, 00442079460188 or
    8104420… elsewhere. It stays as it is if it cannot be parsed or no country is given."""
    try:
        parsed = phonenumbers.parse(number) if country else None
    except phonenumbers.NumberParseException:
        parsed = None
    if not parsed:
        return number
    return re.sub(r'\D', '', phonenumbers.format_out_of_country_calling_number(parsed, country))


@lru_cache(maxsize=8192)
def is_mobile(number: str) -> bool:
    """Return whether an E.164 number can get SMS: it is a mobile, or its country's plan does not
    tell mobiles from landlines."""
    return phonenumbers.number_type(phonenumbers.parse(number)) in (
        phonenumbers.PhoneNumberType.MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
    )


@lru_cache(maxsize=8192)
def zones_of(number: str) -> tuple[str, ...]:
    """Return the IANA names of the time zones in which an E.164 number may be: one for most
    landlines, many for the mobiles of a large country."""
    return timezone.time_zones_for_number(phonenumbers.parse(number))
