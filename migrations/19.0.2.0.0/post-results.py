# The results that the addon brings and that count as reached.
REACHED = {
    'disposition_agreed': "Agreed",
    'disposition_interested': "Interested",
    'disposition_thinking': "Will think about it",
    'disposition_answered': "Question answered",
    'disposition_not_interested': "Not interested",
}


def migrate(cr, version):
    """Let the addon's own results that say that the customer was reached count so, unless the firm
    has renamed them; the firm's own results stay as they are. Let the rule about short talks wait
    ten minutes for a result before it asks."""
    cr.execute(
        """
        UPDATE telephony_disposition result
           SET counts_as_reached = TRUE
          FROM ir_model_data data
         WHERE data.module = 'crm_telephony' AND data.model = 'telephony.disposition' AND data.res_id = result.id
           AND (data.name, result.name->>'en_US') IN %s""",
        [tuple(REACHED.items())],
    )
    cr.execute("""
        UPDATE telephony_rule rule
           SET result_wait = 10
          FROM ir_model_data data
         WHERE data.module = 'crm_telephony' AND data.name = 'rule_short' AND data.res_id = rule.id
           AND rule.contact = 'short'""")
