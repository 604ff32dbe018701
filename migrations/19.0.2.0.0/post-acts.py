def migrate(cr, version):
    """What people did with callbacks stood in the callbacks alone; now each act is a fact of its
    own (telephony.callback.act). Old callbacks tell who closed or cancelled them and to whom
    somebody gave them. The open ones are open, and keep the time and the priority that they have
    now, whatever moved them there. Each act stands behind the last call that was known then."""
    cr.execute("""
        WITH act AS (
            SELECT id, CASE state WHEN 'done' THEN 'done' ELSE 'cancelled' END AS kind,
                   COALESCE(done_at, write_date) AS at,
                   closed_by_id AS by_id, NULL::int AS owner_id, NULL::timestamp AS due_at, NULL AS priority,
                   close_reason AS reason, reason_id
              FROM telephony_callback WHERE close_kind IN ('by_hand', 'cancelled')
             UNION ALL
            SELECT id, 'given', taken_at, NULL, user_id, NULL, NULL, NULL, NULL
              FROM telephony_callback WHERE state = 'open' AND taken_at IS NOT NULL AND user_id IS NOT NULL
             UNION ALL
            SELECT id, 'reopened', NOW() AT TIME ZONE 'UTC', NULL, NULL, NULL, NULL, NULL, NULL
              FROM telephony_callback WHERE state = 'open'
             UNION ALL
            SELECT id, 'moved', NOW() AT TIME ZONE 'UTC', NULL, NULL, due_at, NULL, NULL, NULL
              FROM telephony_callback WHERE state = 'open'
             UNION ALL
            SELECT id, 'urged', NOW() AT TIME ZONE 'UTC', NULL, NULL, NULL, priority, NULL, NULL
              FROM telephony_callback WHERE state = 'open'
        )
        INSERT INTO telephony_callback_act (company_id, customer_number, kind, at, user_id, after_call_id, after_at,
                                            opened_by_id, owner_id, due_at, priority, reason, reason_id)
        SELECT callback.company_id, callback.customer_number, act.kind, DATE_TRUNC('second', act.at), act.by_id,
               seen.id, seen.moment, callback.origin_call_id, act.owner_id, act.due_at, act.priority,
               act.reason, act.reason_id
          FROM act
          JOIN telephony_callback AS callback USING (id)
          LEFT JOIN LATERAL (
               SELECT call.id, COALESCE(call.ended_at, call.start_at) AS moment
                 FROM telephony_call AS call
                WHERE call.customer_number = callback.customer_number AND call.company_id = callback.company_id
                  AND call.state = 'ended' AND (call.create_date <= act.at OR call.id = callback.origin_call_id)
             ORDER BY COALESCE(call.ended_at, call.start_at) DESC, call.is_reached DESC NULLS LAST,
                      call.start_at DESC, call.id DESC
                LIMIT 1) AS seen ON TRUE
         ORDER BY act.at, callback.id, act.kind <> 'reopened', act.kind""")
