# The old and the new text about a missed call: the old one put the time where the language wants
# another case ("до понедельник").
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
    """Reword the SMS about a missed call, unless the firm has reworded it."""
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
