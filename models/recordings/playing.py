import re
from contextlib import ExitStack

from odoo import models
from odoo.http import request

from ..calls.recording import PLAYER_HEADERS

# Bytes that are read at once, and that may be read beside those that the player asks for.
PIECE, READ_AHEAD = 1024 * 1024, 64 * 1024
_RANGE = re.compile(r'bytes=(\d{0,15})-(\d{0,15})', re.ASCII)


def asked_of(byte_range, size):
    """Return the first byte that a player asks for, and the one behind the last.

    :param byte_range: its Range header; what is not one simple range asks for all
    :return: None if it asks for all; (0, 0) if nothing of it is there
    """
    match = _RANGE.fullmatch((byte_range or '').strip())
    first, last = match.groups() if match else ('', '')
    if not (first or last):
        return None
    if not first:  # so many from the end
        return (max(size - int(last), 0), size) if size and int(last) else (0, 0)
    begin, end = int(first), min(int(last) + 1 if last else size, size)
    if last and int(last) < int(first):
        return None
    return (begin, end) if begin < end else (0, 0)


class TelephonyRecording(models.Model):
    """Plays our own copy. Odoo does it where the file lies on its own disk; a file that another
    addon keeps elsewhere is read here, and only the part that is asked for."""

    _inherit = 'telephony.recording'

    def _on_own_copy(self, byte_range):
        if response := super()._on_own_copy(byte_range):
            return response
        attachment = self.attachment_id
        if not attachment:
            return None
        if getattr(attachment, 'fs_filename', False):
            return self._part_response(byte_range)
        stream = self.env['ir.binary']._get_stream_from(attachment, 'raw')
        return stream.get_response(as_attachment=False, max_age=0)

    def _part_response(self, byte_range):
        """Return the response with the bytes that a Range header asks for. It reads them while they
        are sent."""
        size = self.attachment_id.file_size
        asked = asked_of(byte_range, size)
        begin, end = asked or (0, size)
        headers = {
            **PLAYER_HEADERS,
            'Content-Type': self.mimetype or self.attachment_id.mimetype,
            'Content-Length': str(end - begin),
            'Accept-Ranges': 'bytes',
        }
        if asked:
            headers['Content-Range'] = (
                f'bytes {begin}-{end - 1}/{size}' if begin < end else f'bytes */{size}'
            )
        status = 200 if not asked else 206 if begin < end else 416
        with ExitStack() as stack:
            file = stack.enter_context(
                self._sound_file(READ_AHEAD)
            )  # the cursor is closed when it is read
            response = request.make_response(
                _pieces(file, begin, end), status=status, headers=list(headers.items())
            )
            response.direct_passthrough = True
            response.call_on_close(stack.pop_all().close)
        return response


def _pieces(file, begin, end):
    """Yield the bytes of a file from `begin` on, up to `end`."""
    file.seek(begin)
    while begin < end and (piece := file.read(min(PIECE, end - begin))):
        begin += len(piece)
        yield piece
