import base64
import json

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError

from ...providers import registry
from ...providers.base import ProviderError
from ..core.words_field import told

# A secret of so many characters stands in no text by chance.
LONG_SECRET = 8


class TelephonyTemplate(models.Model):
    """How the deliveries of one kind of PBX are read, as a file that can be shared: mapping, samples
    and the calls that must come of them. A draft is read by nobody; a live one does not change,
    because others may have the same file."""

    _name = 'telephony.template'
    _description = "Template of another PBX"
    _inherit = ['telephony.settings.mixin']
    _order = 'name, version desc, id'
    _cached_fields = frozenset(('content', 'state'))

    name = fields.Char(required=True, translate=True)
    key = fields.Char(
        string="Id", required=True, readonly=True, help="What all versions of this template share."
    )
    version = fields.Char(required=True, readonly=True)
    state = fields.Selection(
        [('draft', "Draft"), ('live', "In Use")],
        required=True,
        default='draft',
        readonly=True,
        copy=False,
        help="A draft is read by no PBX. A live template does not change any more: change a new draft of it.",
    )
    is_shipped = fields.Boolean(
        string="Comes With Odoo", readonly=True, copy=False, help="It was installed with the addon."
    )
    company_id = fields.Many2one(
        'res.company',
        readonly=True,
        index='btree_not_null',
        help="Whose it is. Empty: all companies may choose it.",
    )
    content = fields.Text(
        string="Template File",
        required=True,
        help="The template as a file holds it, in JSON. docs/any-pbx.md in the addon's folder tells its language.",
    )
    account_ids = fields.One2many('telephony.account', 'template_id', string="PBXs")
    account_count = fields.Integer(string="PBXs That Use It", compute='_compute_account_count')
    is_by_address_only = fields.Boolean(
        string="Known by the Address Alone",
        compute='_compute_is_by_address_only',
        help="Deliveries are taken for genuine because they came to the secret address. Whoever learns it can forge calls.",
    )
    summary = fields.Text(compute='_compute_facts', help="What the template does, in sentences.")
    problems = fields.Text(
        compute='_compute_facts',
        help="What its own samples give otherwise than they should.",
    )
    lacks = fields.Text(compute='_compute_facts', help="What its samples do not show.")
    newer_id = fields.Many2one(
        'telephony.template', string="Newer Version", compute='_compute_newer_id'
    )
    file = fields.Binary(compute='_compute_file', string="File")
    file_name = fields.Char(compute='_compute_file')

    _version_uniq = models.UniqueIndex(
        '(key, version, COALESCE(company_id, 0))',
        "There is a template of this id and version already. Give a changed one a higher version.",
    )

    # === COMPUTES === #

    @api.depends('name', 'version', 'state')
    def _compute_display_name(self):
        for template in self:
            name = f'{template.name} {template.version}'
            template.display_name = (
                self.env._("%(name)s (draft)", name=name) if template.state == 'draft' else name
            )

    @api.depends('account_ids')
    def _compute_account_count(self):
        counts = dict(
            self.env['telephony.account']
            .with_context(active_test=False)
            ._read_group([('template_id', 'in', self.ids)], ['template_id'], ['__count'])
        )
        for template in self:
            template.account_count = counts.get(template._origin, 0)

    @api.depends('content')
    def _compute_is_by_address_only(self):
        for template in self:
            try:
                auth = json.loads(template.content or '{}').get('auth') or {}
                schemes = auth.get('any', [auth])
                template.is_by_address_only = any('address_only' in scheme for scheme in schemes)
            except (ValueError, TypeError, AttributeError):
                template.is_by_address_only = False

    @api.depends('content')
    @api.depends_context('lang')
    def _compute_facts(self):
        """The samples are played, so this is for the form of one template, not for lists."""
        for template in self:
            try:
                facts = self._facts(template.content or '')
            except ProviderError as error:
                template.summary = template.lacks = False
                template.problems = told(self.env, error.args[0])
                continue
            for name in ('summary', 'problems', 'lacks'):
                sentences = [told(self.env, sentence) for sentence in getattr(facts, name)]
                template[name] = '\n'.join(sentences) or False

    @api.depends('key', 'version')
    def _compute_newer_id(self):
        known = self.search([('key', 'in', self.mapped('key')), ('state', '=', 'live')])
        by_key = known.grouped('key')
        for template in self:
            newest = max(
                by_key.get(template.key, known.browse()), key=self._in_order, default=known.browse()
            )
            is_newer = newest and self._in_order(newest) > self._in_order(template)
            template.newer_id = newest if is_newer else False

    @api.depends('content')
    def _compute_file(self):
        for template in self:
            template.file_name = f'{template.key}-{template.version}.telephony.json'
            try:
                template.file = base64.b64encode(template._to_share().encode())
            except ProviderError:  # action_export says why
                template.file = False

    def _to_share(self):
        """Return the file as others may have it.

        :raise ProviderError: without what belongs to somebody its samples give other calls
        """
        if self.is_shipped:
            return self.content
        return self._reader().template_to_share(self.content or '')

    @staticmethod
    def _in_order(template):
        return [
            int(part) if part.isdecimal() else 0 for part in (template.version or '').split('.')
        ]

    # === WRITING === #

    @api.constrains('content', 'state')
    def _check_samples(self):
        """Check that the samples of live templates give their calls."""
        for template in self.filtered(lambda template: template.state == 'live'):
            if problems := self._facts(template.content).problems:
                raise ValidationError(
                    '\n'.join(told(self.env, sentence) for sentence in problems[:5])
                )

    @api.constrains('content')
    def _check_content(self):
        for template in self:
            try:
                facts = self._facts(template.content)
            except ProviderError as error:
                raise ValidationError(told(self.env, error.args[0])) from None
            if (facts.key, facts.version) != (template.key, template.version):
                raise ValidationError(
                    self.env._("Id and version in the file are not those of the template.")
                )
            if self._holds_secret(template.content):
                raise ValidationError(
                    self.env._(
                        "The template holds a secret or the webhook address of a PBX. Take it out: the secret belongs on the "
                        "PBX's form, because templates are shared."
                    )
                )

    def _holds_secret(self, text):
        """Return whether a text holds a secret of a PBX that the user may read: a short one as a
        value of its own, because it may be part of any word."""
        accounts = self.env['telephony.account'].with_context(active_test=False).search([])
        return any(
            (secret if len(secret) >= LONG_SECRET else json.dumps(secret)) in text
            for account in accounts
            for secret in (account.api_secret, account.webhook_token)
            if secret
        )

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            vals.update(self._values_of(vals.get('content') or '', vals))
        templates = super().create(vals_list)
        templates._translate_names()
        return templates

    def write(self, vals):
        if 'content' in vals:
            if any(
                template.state == 'live' and template.content != vals['content']
                for template in self
            ):
                raise UserError(
                    self.env._("A live template does not change. Make a new draft of it instead.")
                )
            vals = {**vals, **self._values_of(vals['content'] or '', vals)}
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_unused(self):
        if used := self.filtered('account_count'):
            raise UserError(
                self.env._(
                    "PBXs are read by this template: %(names)s. Choose another one for them first.",
                    names=', '.join(used.account_ids.mapped('name')),
                )
            )

    def _values_of(self, content, vals):
        """Return the fields that follow from a template's file.

        :raise ValidationError: it cannot be used
        """
        try:
            facts = self._facts(content)
        except ProviderError as error:
            raise ValidationError(told(self.env, error.args[0])) from None
        return {
            'key': facts.key,
            'version': facts.version,
            'name': vals.get('name') or facts.labels.get('en') or next(iter(facts.labels.values())),
        }

    def _translate_names(self):
        """Name templates in each installed language as their files do."""
        for code, _name in self.env['res.lang'].get_installed():
            for template in self:
                labels = self._facts(template.content).labels
                if label := labels.get(code) or labels.get(code[:2]):
                    template.with_context(lang=code).name = label

    @api.model
    def _reader(self):
        """Return the adapter that takes templates."""
        return next(provider for provider in registry.values() if provider.takes_template)

    @api.model
    def _facts(self, content):
        """Return the :class:`TemplateFacts` of a template's file.

        :raise ProviderError: it cannot be used
        """
        return self._reader().template_facts(content)

    @api.model
    def _load_shipped(self):
        """Enter the templates that come with the addon, at each update. A new version stands beside
        the old one: no PBX changes how it reads by an update."""
        for text in self._reader().templates():
            facts = self._facts(text)
            known = self.search(
                [
                    ('key', '=', facts.key),
                    ('version', '=', facts.version),
                    ('company_id', '=', False),
                ]
            )
            if not known:
                self.create({'content': text, 'state': 'live', 'is_shipped': True})
                continue
            shipped = known.filtered('is_shipped')
            if shipped and shipped.content != text:
                # samples and texts may be mended without a new meaning
                super(TelephonyTemplate, shipped).write({'content': text})
            shipped._translate_names()  # a language may be new

    # === ACTIONS === #

    def action_go_live(self):
        """Let PBXs be read by these drafts. Their own samples must give their calls."""
        self.state = 'live'
        return True

    def action_new_draft(self):
        """Open a draft with the content of this template and the next version."""
        self.ensure_one()
        return self._new_draft()._get_records_action()

    def _new_draft(self):
        """Return a draft of this template, under the next free version."""
        self.ensure_one()
        data = json.loads(self.content)
        known = self.with_context(active_test=False).search([('key', '=', self.key)])
        first, second, third = max(map(self._in_order, known))
        data['version'] = f'{first}.{second}.{third + 1}'
        return self.create(
            {
                'content': json.dumps(data, ensure_ascii=False, indent=2),
                'company_id': self.env.company.id,
            }
        )

    def action_export(self):
        """Download the template as a file, with nothing in its samples that belongs to somebody."""
        self.ensure_one()
        try:
            self._to_share()
        except ProviderError as error:
            raise UserError(told(self.env, error.args[0])) from None
        return {
            'type': 'ir.actions.act_url',
            'url': f'/web/content/telephony.template/{self.id}/file/{self.file_name}?download=true',
            'target': 'download',
        }

    def action_take_newer(self):
        """Let the PBXs that use this template be read by its newer version."""
        self.ensure_one()
        self.account_ids.template_id = self.newer_id
        return self.newer_id._get_records_action()
