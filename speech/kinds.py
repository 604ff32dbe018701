"""What a file is, by its first bytes: its name and its Content-Type are only what somebody says."""

from __future__ import annotations

import codecs
import re

from . import mp3

# How much of a file is looked at.
HEAD = 512
_MAGIC = (
    (b'fLaC', 'audio/flac'),
    (b'ID3', 'audio/mpeg'),
    (b'#!AMR', 'audio/amr'),
    (b'.snd', 'audio/basic'),
    (b'\x1aE\xdf\xa3', 'video/webm'),
    (b'PK\x03\x04', 'application/zip'),
    (b'PK\x05\x06', 'application/zip'),
    (b'\x1f\x8b', 'application/gzip'),
    (b'%PDF-', 'application/pdf'),
    (b'\x89PNG', 'image/png'),
    (b'\xff\xd8\xff', 'image/jpeg'),
    (b'GIF8', 'image/gif'),
)
# By the form of a RIFF file, and by the brand of an MP4.
_FORMS = {b'WAVE': 'audio/wav', b'AVI ': 'video/x-msvideo', b'WEBP': 'image/webp'}
_BRANDS = {
    b'M4A': 'audio/mp4',
    b'M4B': 'audio/mp4',
    b'qt ': 'video/quicktime',
    b'3gp': 'video/3gpp',
}
_HTML = re.compile(rb'(<!--.*?-->\s*)*<(!doctype html|html|head|body|title|script)\b', re.I | re.S)
_JSON = re.compile(rb'[\[{]\s*(["\[\]{}\d-]|true|false|null)')
_GSM_FRAME = 33


def looks_like(first_bytes: bytes) -> str:
    """Return the MIME type of what begins with these bytes (512 are enough), '' if nothing known
    does."""
    head = bytes(first_bytes[:HEAD])
    for magic, mimetype in _MAGIC:
        if head.startswith(magic):
            return mimetype
    if head[:4] == b'RIFF':
        return _FORMS.get(head[8:12], '')
    if head[4:8] == b'ftyp':
        return _BRANDS.get(head[8:11], 'video/mp4')
    if head[:4] == b'FORM' and head[8:12] in (b'AIFF', b'AIFC'):
        return 'audio/aiff'
    if head[:4] == b'OggS':
        return 'video/ogg' if b'\x80theora' in head else 'audio/ogg'
    return _frames(head) or _text(head)


def _frames(head: bytes) -> str:
    """Sound that has no head: frames follow one another from the first byte."""
    if found := mp3.frame(head):
        following = head[found.length : found.length + mp3.HEADER]
        return 'audio/mpeg' if len(following) < mp3.HEADER or mp3.frame(following) else ''
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return 'audio/aac'
    starts = head[::_GSM_FRAME]
    if len(starts) > 1 and all(byte >> 4 == 0xD for byte in starts):
        return 'audio/x-gsm'
    return ''


def _text(head: bytes) -> str:
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if _HTML.match(text):
        return 'text/html'
    if text.startswith(b'<?xml'):
        return 'text/html' if b'<html' in text.lower() else 'text/xml'
    if _JSON.match(text):
        return 'application/json'
    try:
        words = codecs.getincrementaldecoder('utf-8')().decode(text)  # may end within a letter
    except UnicodeDecodeError:
        return ''
    return 'text/plain' if words and not re.search(r'[\x00-\x08\x0e-\x1f\x7f]', words) else ''
