from odoo import api, models


class ResLang(models.Model):
    _inherit = 'res.lang'

    @api.model
    def _telephony_add_kazakh(self):
        """Add Kazakh, switched off, unless there is some already: Odoo has none, and customers want
        their texts in it."""
        if not self.with_context(active_test=False).search_count([('iso_code', '=', 'kk')]):
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
