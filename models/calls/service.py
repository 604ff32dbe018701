from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

# Classes of inbound calls whose caller wanted to talk to us.
CALLER_CLASSES = ('offered', 'blocked')


def class_of(call, was_offered, short_abandon_seconds):
    """Return the service class of a call: what it counts as where our service is measured.

    :param Mapping call: direction, outcome, end_unknown, is_excluded, is_manual, wait_seconds
    :param bool was_offered: a phone rang, or a queue took the caller
    :param int short_abandon_seconds: who hangs up earlier in the menu did not want to talk to us
    :return: a value of `telephony.call.service_class`; False for a call that is not inbound
    """
    if call['direction'] != 'inbound':
        return False
    if call['end_unknown'] or not call['outcome']:
        return 'open'
    if call['is_excluded']:
        return 'excluded'
    if call['is_manual']:
        return 'manual'
    # of a missed call the PBX says itself that a phone rang
    if was_offered or call['outcome'] in ('answered', 'voicemail', 'missed'):
        return 'offered'
    if call['outcome'] == 'busy':
        return 'blocked'
    return 'offered' if call['wait_seconds'] >= short_abandon_seconds else 'menu'


class TelephonyCall(models.Model):
    """Facts for the figures that are stored when a call is filed, so that a changed setting, or a
    company number that is given to another campaign, does not rewrite the past."""

    _inherit = 'telephony.call'

    menu_seconds = fields.Integer(
        string="Menu (s)",
        readonly=True,
        aggregator='avg',
        help="The part of the wait in which the caller heard a menu, before a phone rang or a queue took them.",
    )
    service_class = fields.Selection(
        [
            ('offered', "Offered"),
            ('blocked', "Could not get in"),
            ('menu', "Left in the menu"),
            ('excluded', "No customer"),
            ('manual', "By hand"),
            ('open', "End not known"),
        ],
        string="Service Class",
        compute='_compute_service_class',
        store=True,
        precompute=True,
        readonly=False,
        help="What an inbound call counts as. Offered: a phone rang, a queue took the caller, or they waited long enough. "
        "Could not get in: all lines were busy, no phone rang.",
    )
    is_short_abandon = fields.Boolean(
        string="Short Abandon",
        compute='_compute_service_class',
        store=True,
        precompute=True,
        readonly=False,
        help="The caller hung up so soon that nobody could have answered.",
    )
    service_wait = fields.Integer(
        string="Wait Without Menu (s)",
        compute='_compute_service_wait',
        search='_search_service_wait',
        aggregator='avg',
        help="From the moment when a phone or queue took the caller, to the answer or to the end.",
    )
    is_passed_on = fields.Boolean(
        string="Passed On",
        compute='_compute_is_passed_on',
        search='_search_is_passed_on',
        help="A second employee talked in this call.",
    )
    source_id = fields.Many2one(
        'utm.source',
        readonly=True,
        ondelete='set null',
        help="Of the company number, when the call came in.",
    )
    campaign_id = fields.Many2one(
        'utm.campaign',
        readonly=True,
        ondelete='set null',
        help="Of the company number, when the call came in.",
    )
    is_first_call = fields.Boolean(
        string="First Call",
        readonly=True,
        copy=False,
        help="The first call of this number to the company, as far as the log goes back.",
    )

    @api.depends('is_excluded')
    def _compute_service_class(self):
        """Classify calls that are logged by hand, and those of a number about which somebody decides
        later. Filing itself gives the values, see :meth:`_add_service`: it writes the legs last."""
        for call in self:
            seconds = call.company_id.telephony_short_abandon_seconds
            call.service_class = class_of(call, bool(call.queue or call.leg_ids), seconds)
            call.is_short_abandon = is_short_abandon(call, call.service_class, seconds)

    @api.depends('wait_seconds', 'menu_seconds')
    def _compute_service_wait(self):
        for call in self:
            call.service_wait = call.wait_seconds - call.menu_seconds

    def _search_service_wait(self, operator, value):
        if operator not in ('in', 'not in', '<', '<=', '>', '>='):
            return NotImplemented
        value = tuple(value) if operator in ('in', 'not in') else value
        return Domain.custom(
            to_sql=lambda model, alias, query: SQL(
                "%s %s %s", model._field_to_sql(alias, 'service_wait', query), SQL(operator), value
            )
        )

    def _field_to_sql(self, alias, field_expr, query=None):
        if field_expr != 'service_wait':
            return super()._field_to_sql(alias, field_expr, query)
        wait, menu = (
            super(TelephonyCall, self)._field_to_sql(alias, name, query)
            for name in ('wait_seconds', 'menu_seconds')
        )
        return SQL("(%s - COALESCE(%s, 0))", wait, menu)

    @api.depends('leg_ids.outcome')
    def _compute_is_passed_on(self):
        for call in self:
            answered = call.leg_ids.filtered(lambda leg: leg.outcome == 'answered')
            call.is_passed_on = len(answered) > 1

    def _search_is_passed_on(self, operator, value):
        if operator != 'in':
            return NotImplemented
        passed_on = Domain.custom(
            to_sql=lambda model, alias, _query: SQL(
                "(SELECT COUNT(*) FROM telephony_call_leg WHERE call_id = %s AND outcome = 'answered') > 1",
                SQL.identifier(alias, 'id'),
            )
        )
        return passed_on if True in value else ~passed_on

    @api.model
    def _add_service(self, account, records, facts, existing):
        """Add service class, source and campaign to the facts of calls that are about to be written.

        :param dict records: external id → CallRecord
        :param dict facts: external id → field values, changed here
        :param dict existing: external id → call, of those that are in the log already
        """
        origins = account._directory().origins
        seconds = account.company_id.telephony_short_abandon_seconds
        for ref, values in facts.items():
            call, record = existing.get(ref), records[ref]
            known = {
                **values,
                'is_manual': False,
                'is_excluded': values.get('is_excluded', bool(call and call.is_excluded)),
            }
            values['service_class'] = class_of(known, bool(record.legs or record.queue), seconds)
            values['is_short_abandon'] = is_short_abandon(values, values['service_class'], seconds)
            if not call or call.number_id.id != values['number_id']:
                source, campaign = origins.get(values['number_id'], (False, False))
                values.update(source_id=source, campaign_id=campaign)


def is_short_abandon(call, service_class, seconds):
    """Return whether the caller of an offered call hung up so soon that nobody could have answered.

    :param Mapping call: outcome, wait_seconds, menu_seconds
    """
    return (
        service_class == 'offered'
        and call['outcome'] == 'abandoned'
        and call['wait_seconds'] - call['menu_seconds'] < seconds
    )
