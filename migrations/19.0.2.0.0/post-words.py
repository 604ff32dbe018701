def migrate(cr, version):
    """Make the employee who talked or called the author of a call's chatter line, which was OdooBot
    so far. Texts that were stored in one language stay and are shown as they are."""
    cr.execute("""
        UPDATE mail_message message
           SET author_id = employee.partner_id
          FROM telephony_call call
          JOIN res_users employee ON employee.id = call.user_id
         WHERE message.id = call.message_id
           AND message.author_id = (
               SELECT res_id FROM ir_model_data WHERE module = 'base' AND name = 'partner_root')""")
