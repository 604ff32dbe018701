import base64
import hashlib
import json

from odoo import api, fields, models
from odoo.exceptions import UserError

from ...tools.spellings import Spellings
from ..core.words_field import told
from .places import AT_PBX

FORMAT = 'crm_telephony.erasure/1'


class TelephonyErasure(models.Model):
    """The report of an erasure: as JSON, which proves itself by its SHA-256, and as a page. It holds no
    number, and can be read back into a database from a backup that is older than the erasure."""

    _inherit = 'telephony.erasure'

    report_id = fields.Many2one(
        'ir.attachment', string="Report (JSON)", readonly=True, copy=False, ondelete='set null'
    )
    report_sha256 = fields.Char(string="SHA-256 of the Report", readonly=True, copy=False)
    verified_at = fields.Datetime(
        string="Looked Again",
        readonly=True,
        copy=False,
        help="When every text had been read once more in search of the numbers.",
    )
    left_after = fields.Integer(string="Still There", compute='_compute_left_after')
    report_upload = fields.Binary(
        string="Report of an Earlier Erasure",
        attachment=False,
        copy=False,
        help="After a database was restored from a backup that does not know the erasure: its JSON report.",
    )

    @api.depends('line_ids.left_after')
    def _compute_left_after(self):
        for erasure in self:
            erasure.left_after = sum(erasure.line_ids.mapped('left_after'))

    # === THE END === #

    def _erase_end(self, _place):
        """Say what came of it, make the report, and forget the numbers if nothing is left."""
        self._count_at_pbx()
        # phones that rang, settings, other recordings with the same bytes and what the PBX cannot
        # delete never go; what is held or still asked for does
        asked = 'deleting' in self._recordings_at_pbx().mapped('pbx_copy')
        is_left = bool(self.hold_ids or self.left_after or self._noted('files') or asked)
        spellings = Spellings(self._numbers())
        remains = {
            'pbx': self._noted('pbx'),
            'files': self._noted('files'),
            'res.partner': self.owner_ids.ids,
            'crm.lead': self.lead_ids.ids,
        }
        self.write(
            {
                'state': 'partial' if is_left else 'done',
                'verified_at': fields.Datetime.now(),
                'progress': False,
                'error': False,
                'remains': remains,
                'reason': spellings.blank(self.reason or ''),
                **({} if is_left else {'number': False, 'partner_id': False}),
            }
        )
        self._make_report()

    def _recordings_at_pbx(self):
        ids = [listed['id'] for listed in self._noted('pbx')]
        return self.env['telephony.recording'].browse(ids).exists()

    def _count_at_pbx(self):
        deleted = self._recordings_at_pbx().filtered(
            lambda recording: recording.pbx_copy == 'deleted'
        )
        listed = [
            {**told_of, 'gone': told_of.get('gone') or told_of['id'] in deleted.ids}
            for told_of in self._noted('pbx')
        ]
        self._note_down(pbx=listed)
        gone = sum(told_of['gone'] for told_of in listed)
        if kept := len(listed) - gone:
            self._line('pbx').kept_why = AT_PBX
        if listed:
            self._line('pbx').write({'found': len(listed), 'removed': gone, 'kept': kept})

    # === THE REPORT === #

    def _document(self):
        """Return what the report says, as plain values. Times are naive UTC in ISO form."""
        self = self.sudo()
        self.ensure_one()

        def moment(value):
            return value.isoformat(timespec='seconds') if value else None

        return {
            'format': FORMAT,
            'name': self.name,
            'company': self.company_id.name,
            'subject_hash': self.subject_hash,
            'shown': self.shown,
            'mode': self.mode,
            'in_messages': self.in_messages,
            'reason': self.reason or '',
            'requested_by': self.requested_by_id.name or '',
            'confirmed_by': self.confirmed_by_id.name or '',
            'state': self.state,
            'until': moment(self.until),
            'verified_at': moment(self.verified_at),
            'left_after': self.left_after,
            'holds': self.hold_ids.ids,
            'places': [
                {
                    'model': line.model,
                    'what': line.what,
                    'found': line.found,
                    'erased': line.removed,
                    'kept': line.kept,
                    'kept_why': told(self.env, line.kept_why),
                    'left_after': line.left_after,
                }
                for line in self.line_ids
            ],
            'still_at_pbx': [
                {name: listed[name] for name in ('pbx', 'call', 'at')}
                for listed in self._noted('pbx')
                if not listed['gone']
            ],
            'contacts': self._noted('res.partner'),
            'deals': self._noted('crm.lead'),
            'not_reached': self._not_reached(),
        }

    def _not_reached(self):
        """Return in words what no erasure in this database reaches."""
        _ = self.env._
        return [
            _("Backups of this database, and the log of changes that PostgreSQL keeps."),
            _("The PBX's own logs, and recordings that it keeps."),
            _("Call lists and address books of phones."),
            _("E-mails and SMS that were sent already."),
            _("Contacts and deals themselves: they are deleted where they are."),
        ]

    def _make_report(self):
        """Store the report as an attachment: JSON with the keys `report` and `sha256`, the sum of
        `report` as :func:`canonical` writes it."""
        document = self.with_context(lang=self.company_id._telephony_lang())._document()
        content = canonical(document)
        self.report_sha256 = hashlib.sha256(content.encode()).hexdigest()
        self.report_id = self.env['ir.attachment'].create(
            {
                'name': f'{self.name.replace("/", "-")}.json',
                'res_model': self._name,
                'res_id': self.id,
                'mimetype': 'application/json',
                'raw': f'{{"report":{content},"sha256":"{self.report_sha256}"}}'.encode(),
            }
        )

    def action_download_report(self):
        self.ensure_one()
        return {
            'type': 'ir.actions.act_url',
            'url': f'/web/content/{self.report_id.id}?download=true',
            'target': 'download',
        }

    # === READ BACK === #

    def action_read_report(self):
        """Make of this draft the erasure that a report tells of, so that it can be applied again.

        :raise UserError: the file is no such report, or was changed
        """
        self.ensure_one()
        self.check_access('write')
        if self.state != 'draft' or not self.report_upload:
            raise UserError(self.env._("Choose the JSON report of an earlier erasure."))
        try:
            told_by = json.loads(base64.b64decode(self.report_upload))
            document = told_by['report']
            is_whole = hashlib.sha256(canonical(document).encode()).hexdigest() == told_by['sha256']
            values = {name: document[name] for name in ('subject_hash', 'shown', 'mode', 'reason')}
            values['until'] = fields.Datetime.to_datetime(document['until'].replace('T', ' '))
            is_ours = document['format'] == FORMAT
        except (ValueError, TypeError, KeyError, AttributeError):
            is_whole = is_ours = False
        if not (is_whole and is_ours):
            raise UserError(
                self.env._(
                    "This is no report of an erasure, or it was changed since. Choose the JSON file as it was downloaded."
                )
            )
        self.sudo().write(
            {
                **values,
                'state': 'done',
                'requested_by_id': self.env.uid,
                'number': False,
                'partner_id': False,
                'report_upload': False,
            }
        )
        return True


def canonical(document):
    """Return a document as JSON of which everybody makes the same bytes: keys in order, no blanks."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(',', ':'))
