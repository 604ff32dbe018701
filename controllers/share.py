from babel.dates import format_timedelta

from odoo import fields, http
from odoo.http import request
from odoo.tools import babel_locale_parse, format_datetime

from ..providers.numbers import masked
from ..tools.clocks import clock

# Of whatever is answered here: nobody keeps it, indexes it, or learns the address from it.
PRIVATE = {
    'Cache-Control': 'no-store',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'X-Robots-Tag': 'noindex, nofollow',
}
PAGE = {
    **PRIVATE,
    'Content-Security-Policy': "default-src 'none'; style-src 'self'; media-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
}
LONGEST_FORM = 4096
MOMENT = 'd MMMM y, HH:mm'


class TelephonyShareController(http.Controller):
    """What somebody with a shared link sees. A link that is unknown, closed, used up or has run out
    gets the same answer, after the same one look-up."""

    # no CSRF token, because the link alone counts and no login is used
    @http.route(
        '/telephony/shared/<string:token>',
        type='http',
        auth='public',
        methods=['GET', 'POST'],
        readonly=False,
        csrf=False,
        save_session=False,
        max_content_length=LONGEST_FORM,
    )
    def shared(self, token, t='', pin='', **_params):
        """Show the page of a link; *Play* posts to it, and it answers with the address of the page
        with the player, so that a page that is loaded again counts no second play."""
        share = request.env['telephony.share']._of_token(token)
        if share and request.httprequest.method == 'POST':
            if not share._accepts(str(pin)):
                return self._page(share, error=True) if share.state == 'active' else self._gone()
            if play := share._begin_play():
                return self._to(f'/telephony/shared/{token}?t={play}')
            return self._gone()
        if share and share._is_play(t):
            return self._page(share, sound=f'/telephony/shared/{token}/sound?t={t}')
        return self._page(share) if share.status == 'active' else self._gone()

    @http.route(
        '/telephony/shared/<string:token>/sound',
        type='http',
        auth='public',
        methods=['GET'],
        readonly=False,
        save_session=False,
    )
    def sound(self, token, t='', **_params):
        """Return the sound, or the Range of it, to the page of a play."""
        share = request.env['telephony.share']._of_token(token)
        if not share or not share._is_play(t):
            return self._gone()
        response = share.recording_id._stream(request.httprequest.headers.get('Range'))
        if response.status_code >= 400 and response.status_code != 416:
            # the reason names the PBX, which is nobody's business outside
            response = request.make_response('', status=response.status_code)
        response.headers.update(PRIVATE)
        return response

    def _page(self, share, sound='', error=False):
        call, env = share.recording_id.call_id, request.env
        zone = share.company_id._telephony_zone()
        left = share.expires_at - fields.Datetime.now()
        values = {
            'share': share,
            'sound': sound,
            'error': error,
            'date': call.start_at
            and format_datetime(env, call.start_at, tz=zone.zone, dt_format=MOMENT),
            'length': clock(share.recording_id.duration or call.talk_seconds),
            'number': masked(call.customer_number or ''),
            'left': format_timedelta(left, locale=babel_locale_parse(env.lang or 'en_US')),
        }
        return self._rendered(values, 403 if error else 200)

    def _gone(self):
        return self._rendered({}, 404)

    def _rendered(self, values, status):
        values['lang'] = (request.env.lang or 'en_US').replace('_', '-')
        page = request.env['ir.qweb']._render('crm_telephony.shared_recording', values)
        return request.make_response(page, headers=list(PAGE.items()), status=status)

    def _to(self, address):
        response = request.redirect(address, code=303)
        response.headers.update(PRIVATE)
        return response
