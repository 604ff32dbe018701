from odoo import api, models


class ResLang(models.Model):
    _inherit = 'res.lang'

    @api.model
    def _telephony_add_kazakh(self):
        """Odoo knows no Kazakh, and customers want their texts in it. It is there to be switched
        on, unless it is already."""
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
