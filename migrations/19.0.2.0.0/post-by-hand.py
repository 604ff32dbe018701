def migrate(cr, version):
    """A callback that was closed by hand had minutes to a talk, though nobody talked: they spoiled
    the mean."""
    cr.execute("""
        UPDATE telephony_callback
           SET served_minutes = NULL,
               first_try_minutes = CASE WHEN first_try_at != done_at THEN first_try_minutes END,
               first_try_at = NULLIF(first_try_at, done_at)
         WHERE close_kind = 'by_hand'""")
