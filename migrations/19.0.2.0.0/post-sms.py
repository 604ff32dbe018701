# Of the text about a missed call: what stood where a case was wanted ("до понедельник"), and what
# needs none.
REWORDED = {
    'ru_RU': (
        "{{ object.company_id.name }}: извините, мы пропустили ваш звонок. Перезвоним до {{ object.promised_time }}.",
        "{{ object.company_id.name }}: извините, мы пропустили ваш звонок. Перезвоним. Крайний срок: "
        "{{ object.promised_time }}.",
    ),
    'kk_KZ': (
        "{{ object.company_id.name }}: кешіріңіз, қоңырауыңызға жауап бере алмадық. Сізге {{ object.promised_time }} дейін "
        "қайта қоңырау шаламыз.",
        "{{ object.company_id.name }}: кешіріңіз, қоңырауыңызға жауап бере алмадық. Қайта қоңырау шалу мерзімі: "
        "{{ object.promised_time }}.",
    ),
}


def migrate(cr, version):
    """What the firm has worded itself stays."""
    for lang, (old, new) in REWORDED.items():
        cr.execute(
            """
            UPDATE sms_template template
               SET body = template.body || jsonb_build_object(%s, %s)
              FROM ir_model_data data
             WHERE data.module = 'crm_telephony' AND data.name = 'sms_template_missed' AND data.model = 'sms.template'
               AND data.res_id = template.id AND template.body->>%s = %s""",
            [lang, new, lang, old],
        )
