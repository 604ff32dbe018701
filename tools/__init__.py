"""Plain Python that providers and models share: nothing here knows Odoo or a PBX."""
