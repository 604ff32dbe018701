def migrate(cr, version):
    """Make the columns that Odoo would else compute call by call; post-figures.py fills them."""
    cr.execute(
        """ ALTER TABLE telephony_call
                ADD COLUMN IF NOT EXISTS service_class VARCHAR,
                ADD COLUMN IF NOT EXISTS is_short_abandon BOOLEAN """
    )
