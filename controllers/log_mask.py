import logging
import re

_TOKEN = re.compile(r'(/telephony/(?:webhook/[^/\s]+|shared|health)/)[^/?\s"]+')


class TokenMask(logging.Filter):
    """Hides the tokens of webhook addresses, shared links and monitoring in the server's access log."""

    def filter(self, record):
        if isinstance(record.args, tuple):
            record.args = tuple(
                _TOKEN.sub(r'\1***', argument) if isinstance(argument, str) else argument
                for argument in record.args
            )
        if isinstance(record.msg, str):
            record.msg = _TOKEN.sub(r'\1***', record.msg)
        return True


logging.getLogger('werkzeug').addFilter(TokenMask())
