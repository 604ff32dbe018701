from functools import partial

from odoo import SUPERUSER_ID, http
from odoo.http import request

from ..providers.base import Refused, WebhookRequest
from .filer import filer

MAX_BODY = 1024 * 1024


class TelephonyWebhook(http.Controller):
    @http.route(
        [
            '/telephony/webhook/<string:provider>/<string:token>',
            '/telephony/webhook/<string:provider>/<string:token>/<path:suffix>',
        ],
        type='http',
        auth='none',
        readonly=False,
        csrf=False,
        save_session=False,
        max_content_length=MAX_BODY,
        keep_body=True,
    )
    def webhook(self, provider, token, suffix='', **_params):
        """Receive a delivery of a PBX: answer once its events are in the inbox, and file the calls
        after the answer is out."""
        # auth='none' spares forged deliveries the query for the public user
        request.update_env(user=SUPERUSER_ID)
        account = request.env['telephony.account']._from_webhook(provider, token)
        if not account:
            return request.make_response("no such address", status=404)
        try:
            reply = account._receive(self._delivery(suffix))
        except Refused as refusal:
            return request.make_response(str(refusal), status=refusal.status)
        response = request.make_response(
            reply.body, headers=[('Content-Type', reply.content_type)], status=reply.status
        )
        response.call_on_close(partial(filer.wake, account.env.cr.dbname, account.id))
        return response

    def _delivery(self, suffix):
        httprequest = request.httprequest
        return WebhookRequest(
            method=httprequest.method,
            suffix=suffix,
            url=httprequest.url,
            headers={name.lower(): value for name, value in httprequest.headers.items()},
            query={name: tuple(values) for name, values in httprequest.args.lists()},
            form={name: tuple(values) for name, values in httprequest.form.lists()},
            body=httprequest.get_data(cache=True),
            remote_addr=httprequest.remote_addr or '',
        )
