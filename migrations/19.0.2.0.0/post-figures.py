from odoo import SUPERUSER_ID, api
from odoo.tools import SQL


def migrate(cr, version):
    """Fill the facts of the figures for past calls, as far as they can be known: the menu from the
    first phone that rang, source and campaign from the company number as it is now. Working hours
    and causes are found by the scheduled action, period by period."""
    env = api.Environment(cr, SUPERUSER_ID, {})
    cr.execute(
        """ UPDATE telephony_call AS call
               SET menu_seconds = CASE WHEN call.direction = 'inbound' THEN LEAST(GREATEST(COALESCE(
                       EXTRACT(EPOCH FROM leg.start_at - call.start_at)::int, 0), 0), call.wait_seconds) ELSE 0 END
              FROM telephony_call AS same
         LEFT JOIN LATERAL (SELECT MIN(start_at) AS start_at FROM telephony_call_leg
                             WHERE call_id = same.id AND start_at IS DISTINCT FROM answered_at) AS leg ON TRUE
             WHERE same.id = call.id AND call.menu_seconds IS NULL """
    )
    cr.execute(
        """ UPDATE telephony_call AS call
               SET source_id = number.source_id, campaign_id = number.campaign_id
              FROM telephony_number AS number
             WHERE number.id = call.number_id
               AND (number.source_id IS NOT NULL OR number.campaign_id IS NOT NULL) """
    )
    # as models/calls/service.py class_of says
    cr.execute(
        """ UPDATE telephony_call AS call
               SET service_class = CASE
                       WHEN call.end_unknown OR call.outcome IS NULL THEN 'open'
                       WHEN call.is_excluded THEN 'excluded'
                       WHEN call.is_manual THEN 'manual'
                       WHEN COALESCE(call.queue, '') != '' OR call.outcome IN ('answered', 'voicemail', 'missed')
                         OR EXISTS (SELECT FROM telephony_call_leg WHERE call_id = call.id) THEN 'offered'
                       WHEN call.outcome = 'busy' THEN 'blocked'
                       WHEN call.wait_seconds >= company.telephony_short_abandon_seconds THEN 'offered'
                       ELSE 'menu' END
              FROM res_company AS company
             WHERE company.id = call.company_id AND call.direction = 'inbound' """
    )
    cr.execute(
        """ UPDATE telephony_call AS call
               SET is_short_abandon = TRUE
              FROM res_company AS company
             WHERE company.id = call.company_id AND call.service_class = 'offered' AND call.outcome = 'abandoned'
               AND call.wait_seconds - call.menu_seconds < company.telephony_short_abandon_seconds """
    )
    calls = env['telephony.call']
    env.execute_query(calls._recount_sql(SQL("customer_number IS NOT NULL")))
    cr.execute(
        "SELECT company_id, MIN(start_at)::date, MAX(start_at)::date FROM telephony_call GROUP BY 1"
    )
    for company_id, first, last in cr.fetchall():
        if first:
            env['telephony.recompute'].create(
                {'company_id': company_id, 'first': first, 'last': last, 'user_id': SUPERUSER_ID}
            )._begin('running')
