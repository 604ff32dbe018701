def migrate(cr, version):
    """The lines of calls in chatters were all by OdooBot: those of calls in which somebody of us
    talked, or that somebody placed, are by that person from now on. Texts that were stored as words
    stay as they are, and are shown so."""
    cr.execute("""
        UPDATE mail_message message
           SET author_id = employee.partner_id
          FROM telephony_call call
          JOIN res_users employee ON employee.id = call.user_id
         WHERE message.id = call.message_id
           AND message.author_id = (
               SELECT res_id FROM ir_model_data WHERE module = 'base' AND name = 'partner_root')""")
