import base64
import binascii

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..models.core.words_field import told
from ..providers.base import ProviderError


class TelephonyTemplateImport(models.TransientModel):
    """Takes a template from a file: says what it does, and enters it as a draft if its own samples
    give their calls."""

    _name = 'telephony.template.import'
    _description = "Import a template"

    file = fields.Binary(string="Template File", required=True, attachment=False)
    file_name = fields.Char()
    name = fields.Char(compute='_compute_facts')
    summary = fields.Text(string="What It Does", compute='_compute_facts')
    problem = fields.Text(string="Why It Cannot Be Imported", compute='_compute_facts')
    lacks = fields.Text(string="What Its Samples Do Not Show", compute='_compute_facts')

    @api.depends('file')
    @api.depends_context('lang')
    def _compute_facts(self):
        for wizard in self:
            wizard.name = wizard.summary = wizard.problem = wizard.lacks = False
            if not wizard.file:
                continue
            try:
                facts = wizard._facts()
            except ProviderError as error:
                wizard.problem = told(self.env, error.args[0])
                continue
            lang = self.env.lang or 'en_US'
            label = facts.labels.get(lang[:2]) or next(iter(facts.labels.values()))
            wizard.name = f'{label} {facts.version}'
            wizard.summary = '\n'.join(told(self.env, sentence) for sentence in facts.summary)
            wizard.lacks = '\n'.join(told(self.env, sentence) for sentence in facts.lacks)
            problems = [told(self.env, sentence) for sentence in facts.problems]
            if (known := wizard._known(facts)) and known.content != wizard._text():
                problems.append(
                    self.env._(
                        "There is a template of this id and version with another content. Whoever changes a template gives "
                        "it a higher version."
                    )
                )
            wizard.problem = '\n'.join(problems) or False

    def _text(self):
        """Return the file as text; a file that is no text gives replacement characters, which no
        template holds."""
        try:
            return base64.b64decode(self.file).decode('utf-8-sig', 'replace')
        except binascii.Error:
            return ''

    def _facts(self):
        return self.env['telephony.template']._facts(self._text())

    def _known(self, facts):
        return self.env['telephony.template'].search(
            [
                ('key', '=', facts.key),
                ('version', '=', facts.version),
                ('company_id', 'in', (False, self.env.company.id)),
            ],
            limit=1,
        )

    def action_import(self):
        """Enter the template as a draft, and open it. One that is there already is opened."""
        self.ensure_one()
        if self.problem:
            raise UserError(self.problem)
        facts = self._facts()
        template = self._known(facts) or self.env['telephony.template'].create(
            {'content': self._text(), 'company_id': self.env.company.id}
        )
        return template._get_records_action()
