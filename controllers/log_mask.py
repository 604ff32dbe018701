import logging
import re

_TOKEN = re.compile(r'(/telephony/webhook/[^/\s]+/)[^/?\s"]+')


class TokenMask(logging.Filter):
    """Keeps the tokens of webhook addresses out of the server's access log."""

    def filter(self, record):
        if isinstance(record.args, tuple):
            record.args = tuple(
                _TOKEN.sub(r'\1***', one) if isinstance(one, str) else one for one in record.args
            )
        if isinstance(record.msg, str):
            record.msg = _TOKEN.sub(r'\1***', record.msg)
        return True


logging.getLogger('werkzeug').addFilter(TokenMask())
