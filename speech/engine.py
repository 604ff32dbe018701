"""Asks an engine what was said: any server that speaks `POST /v1/audio/transcriptions`.

Engines answer in several shapes and not always well. What is read here is what all of them mean;
what cannot be read is an error that says so, never a text.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from ..tools.words import Words
from ..tools.words import _lt as _
from .guard import Line
from .pieces import Piece

# An answer is believed up to so many bytes, and a line to so many letters.
MOST_BYTES, MOST_LETTERS = 10 << 20, 5000
# Of so many seconds of voice an engine that understands anything has at least a word.
SPEAKS = 5.0
# What may go better in a while, though the engine is there.
_LATER = {408, 409, 425, 429}
# What the settings of the engine are to blame for: the key, or the address.
_WRONG = {401, 403, 404, 405}
_BLOCK = 1 << 16


class EngineError(Exception):
    """Raised when an engine gives no text.

    :param words: a sentence for people
    :param retryable: the same request may succeed later
    :param is_away: the engine is not there or has no time; it is not the sound's fault
    :param is_wrong: its settings are, so it is not asked again before somebody has changed them
    :param is_too_large: the piece has to be shorter
    :param retry_after: seconds after which the engine wants to be asked again, None if it does not say
    """

    def __init__(
        self,
        words: Words,
        retryable: bool = False,
        is_away: bool = False,
        is_wrong: bool = False,
        is_too_large: bool = False,
        retry_after: float | None = None,
    ):
        super().__init__(words)
        self.words, self.retryable = words, retryable or is_away
        self.is_away, self.is_wrong = is_away, is_wrong
        self.is_too_large, self.retry_after = is_too_large, retry_after


@dataclass(frozen=True)
class Engine:
    """How to ask an engine. `url` is the whole address; `key` goes to it alone."""

    url: str
    key: str = field(default='', repr=False)
    model: str = ''
    hints: str = ''
    timeout: float = 90.0

    def ask(self, sound: bytes, language: str = '') -> Mapping[str, Any]:
        """Return what the engine answers to a WAV file, as it is.

        :param language: two letters; '' lets the engine find out
        :raise EngineError: it gives none
        """
        form = {
            'model': self.model or 'whisper-1',
            'temperature': '0',
            'response_format': 'verbose_json',
            'timestamp_granularities[]': 'segment',
            **({'language': language} if language else {}),
            **({'prompt': self.hints} if self.hints else {}),
        }
        until = time.monotonic() + self.timeout
        with requests.Session() as session:
            session.trust_env = False  # no proxy, no .netrc: the key goes to this address only
            try:
                with session.post(
                    self.url,
                    data=form,
                    files={'file': ('talk.wav', sound, 'audio/wav')},
                    headers={'Authorization': f'Bearer {self.key}'} if self.key else {},
                    timeout=self.timeout,
                    allow_redirects=False,
                    stream=True,
                ) as answer:
                    body = _body(answer, until)
            except (requests.RequestException, ValueError, OSError):
                raise EngineError(
                    _("The speech engine does not answer. It is asked again by itself."),
                    is_away=True,
                ) from None
        _check(answer, body)
        return _read(body)


def _body(answer: requests.Response, until: float) -> bytes:
    body = b''
    for block in answer.iter_content(_BLOCK):
        body += block
        if len(body) > MOST_BYTES:
            raise EngineError(_("The speech engine's answer is too long to be a transcript."))
        if time.monotonic() > until:
            raise EngineError(_("The speech engine takes too long."), is_away=True)
    return body


def _check(answer: requests.Response, body: bytes) -> None:
    status = answer.status_code
    if status == 200:
        return
    told = answer.headers.get('Retry-After', '')
    after = float(told) if told.isdecimal() and len(told) < 7 else None
    if status == 413:
        raise EngineError(_("The sound is too large for the speech engine."), is_too_large=True)
    if status in _LATER or status >= 500:
        raise EngineError(
            _("The speech engine has no time now (code %(code)s).", code=status),
            is_away=True,
            retry_after=after,
        )
    raise EngineError(
        _(
            "The speech engine refuses (code %(code)s): %(words)s. Check its address, key and model.",
            code=status,
            words=_complaint(body) or '–',
        ),
        is_wrong=status in _WRONG or 300 <= status < 400,
    )


def _complaint(body: bytes) -> str:
    """What an engine says about its refusal, in one line."""
    text = body[:2000].decode('utf-8', 'replace')
    try:
        told = json.loads(text)
        error = told.get('error', told) if isinstance(told, dict) else told
        text = (
            str(error.get('message') or error.get('detail') or error)
            if isinstance(error, dict)
            else str(error)
        )
    except ValueError:
        pass
    return clean(text)[:200].rstrip('.')


def _read(body: bytes) -> Mapping[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict) or not ({'text', 'segments', 'words'} & set(told)):
        raise EngineError(
            _(
                "What the speech engine answers is no transcript. Check its address: it ends with /v1/audio/transcriptions."
            ),
            is_wrong=True,
        )
    return told


def clean(text: Any) -> str:
    """Return a text in one line that PostgreSQL can store, whatever was told as one."""
    text = str(text)[:MOST_LETTERS].encode('utf-8', 'ignore').decode('utf-8')
    return ' '.join(text.replace('\x00', ' ').split())


def lines(told: Mapping[str, Any], piece: Piece) -> list[Line]:
    """Return the lines of an answer about a piece, in seconds of the recording and in their order.

    :raise EngineError: there is no text though somebody speaks
    """
    found = sorted(_lines(told, piece), key=lambda line: (line.start, line.end))
    if not found and piece.seconds >= SPEAKS:
        raise EngineError(
            _(
                "The speech engine heard nothing, though somebody speaks. It is asked again by itself."
            ),
            retryable=True,
        )
    return found


def _lines(told: Mapping[str, Any], piece: Piece) -> Iterator[Line]:
    segments = told.get('segments')
    if not isinstance(segments, list) or not segments:
        segments = [{'text': told.get('text') or ''}]
    for segment in segments:
        if not isinstance(segment, dict) or not (text := clean(segment.get('text') or '')):
            continue
        start, end = _number(segment.get('start')), _number(segment.get('end'))
        start = piece.start if start is None else piece.moment(start)
        end = piece.stretches[-1][1] if end is None else piece.moment(end)
        confidence = _number(segment.get('avg_logprob'))
        yield Line(
            start,
            max(start, end),
            piece.channel,
            text,
            confidence,
            _number(segment.get('no_speech_prob')),
            _number(segment.get('compression_ratio')),
        )


def language_told(told: Mapping[str, Any]) -> str:
    """Return the language that an engine has found, as two letters; '' if it told none that is
    known."""
    language = str(told.get('language') or '').strip().lower()
    return NAMES.get(language, language if language in NAMES.values() else '')


# Engines tell languages as codes or as English names.
NAMES = {
    'russian': 'ru', 'kazakh': 'kk', 'english': 'en', 'kyrgyz': 'ky', 'ukrainian': 'uk', 'uzbek': 'uz',
    'tajik': 'tg', 'turkish': 'tr', 'german': 'de', 'chinese': 'zh',
}  # fmt: skip


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None
