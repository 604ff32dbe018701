def migrate(cr, version):
    """Clear the minutes to a talk of callbacks that were closed by hand, because nobody talked and
    they spoiled the mean."""
    cr.execute("""
        UPDATE telephony_callback
           SET served_minutes = NULL,
               first_try_minutes = CASE WHEN first_try_at != done_at THEN first_try_minutes END,
               first_try_at = NULLIF(first_try_at, done_at)
         WHERE close_kind = 'by_hand'""")
