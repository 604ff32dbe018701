from odoo import api, models
from odoo.fields import Domain


class ResLang(models.Model):
    _inherit = 'res.lang'

    @api.model
    def _telephony_add_kazakh(self):
        """Add Kazakh, switched off, unless there is some already: Odoo has none, and customers want
        their texts in it."""
        known = Domain.OR(Domain(name, '=like', 'kk%') for name in ('code', 'iso_code', 'url_code'))
        if not self.with_context(active_test=False).search_count(known, limit=1):
            self.create(
                {
                    'name': "Kazakh / Қазақ тілі",
                    'code': 'kk_KZ',
                    'iso_code': 'kk',
                    'url_code': 'kk',
                    'active': False,
                    'date_format': '%d.%m.%Y',
                    'time_format': '%H:%M:%S',
                    'week_start': '1',
                    'grouping': '[3,0]',
                    'decimal_point': ',',
                    'thousands_sep': '\u00a0',
                }
            )
