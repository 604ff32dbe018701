def migrate(cr, version):
    """Rules that exist go on as before, also for callers who left in the menu at once."""
    cr.execute("UPDATE telephony_rule SET menu_too = TRUE")
