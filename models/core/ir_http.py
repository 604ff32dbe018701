from werkzeug.exceptions import abort

from odoo import models
from odoo.http import Response, request

from ...tools import turns

OUR_PREFIX = '/telephony'
WEBHOOK_PREFIX = '/telephony/webhook/'
RETRY_AFTER = '30'


class IrHttp(models.AbstractModel):
    _inherit = 'ir.http'

    @classmethod
    def _match(cls, path_info):
        if '\0' in path_info and path_info.startswith(OUR_PREFIX):
            # nothing is there, and Odoo, which looks such addresses up in the database, cannot even
            # ask for one
            abort(Response("no such address", status=404))
        return super()._match(path_info)

    @classmethod
    def _pre_dispatch(cls, rule, args):
        super()._pre_dispatch(rule, args)
        if rule.endpoint.routing.get('keep_body'):
            # Odoo's dispatcher parses forms and throws the bytes away; signatures and lenient
            # parsers need them. The route's max_content_length is in force here, so a larger body
            # is refused (413) before it is read.
            request.httprequest.get_data(cache=True)

    @classmethod
    def _handle_error(cls, exception):
        if isinstance(exception, turns.BUSY) and request.httprequest.path.startswith(
            WEBHOOK_PREFIX
        ):
            return Response(
                "busy, send it again later", status=503, headers=[('Retry-After', RETRY_AFTER)]
            )
        return super()._handle_error(exception)
