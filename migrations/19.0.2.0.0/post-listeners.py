from odoo import SUPERUSER_ID, api
from odoo.tools import convert_file


def migrate(cr, version):
    """Store who may listen to each ended call. So far it was whoever owned the deal or contact at the
    moment; from now on it is fixed when a call ends, for past calls by today's owners. People who
    put a call on a deal of their own do not get to listen by that."""
    cr.execute("""
        INSERT INTO telephony_call_listener_rel (call_id, user_id)
        SELECT call.id, COALESCE(lead.user_id, contact.user_id, firm.user_id) AS owner_id
          FROM telephony_call AS call
          LEFT JOIN crm_lead AS lead ON lead.id = call.lead_id
          LEFT JOIN res_partner AS contact ON contact.id = call.partner_id
          LEFT JOIN res_partner AS firm ON firm.id = contact.commercial_partner_id
         WHERE call.state = 'ended' AND COALESCE(lead.user_id, contact.user_id, firm.user_id) IS NOT NULL
           AND NOT (call.match_state = 'manual'
                    AND call.settled_by_id IS NOT DISTINCT FROM COALESCE(lead.user_id, contact.user_id, firm.user_id))
         UNION
        SELECT call.id, callback.user_id
          FROM telephony_callback AS callback
          JOIN telephony_call AS call ON call.callback_id = callback.id
         WHERE call.state = 'ended' AND callback.user_id IS NOT NULL
         UNION
        SELECT call.id, callback.user_id
          FROM telephony_callback AS callback
          JOIN telephony_call AS call
            ON call.customer_number = callback.customer_number AND call.company_id = callback.company_id
           AND COALESCE(call.ended_at, call.start_at) >= callback.lost_at AND call.outcome != 'answered'
         WHERE callback.state = 'open' AND call.state = 'ended' AND callback.user_id IS NOT NULL
        ON CONFLICT DO NOTHING""")
    cr.execute("UPDATE telephony_call SET is_owned = TRUE WHERE state = 'ended'")
    # an update leaves the access rules as they are
    convert_file(
        api.Environment(cr, SUPERUSER_ID, {}),
        'crm_telephony',
        'security/crm_telephony_rules.xml',
        {},
        mode='init',
    )
