import os

from odoo import api, fields, models

from ...tools import turns


class TelephonyRecording(models.Model):
    """Sees to it that the file of a deleted recording goes too, and says so only then.

    Odoo deletes the file of an attachment once a day, and keeps equal bytes once, for whoever has
    them. So a scheduled action asks Odoo to do it now, and looks afterwards.
    """

    _inherit = 'telephony.recording'

    file_state = fields.Selection(
        [
            ('waiting', "Being deleted"),
            ('gone', "Deleted"),
            ('shared', "Kept for another record"),
        ],
        string="File",
        readonly=True,
        copy=False,
        help="What has become of the file of a deleted recording. Kept for another record: something else in Odoo has the same "
        "bytes, and they are stored once.",
    )
    file_left = fields.Char(readonly=True, copy=False, groups=fields.NO_ACCESS)

    _file_left_idx = models.Index("(id) WHERE file_left IS NOT NULL")

    @api.model
    def _cron_sweep_files(self):
        """Let the filestore delete the files of deleted recordings, and note which are gone. What a
        running transaction keeps waiting is left to the next run."""
        waiting = self.search([('file_left', '!=', False)])
        if waiting:
            self.env['ir.attachment']._gc_file_store()
            with turns.gives_way(self.env, 'crm_telephony.ir_cron_sweep_files'):
                waiting._note_files()
                self.env['ir.cron']._commit_progress(len(waiting))

    def _note_files(self):
        """Write on these recordings whose file is gone, and whose is kept for somebody else."""
        attachments = self.env['ir.attachment'].sudo()
        names = self.mapped('file_left')
        is_any = ['|', ('res_field', '=', False), ('res_field', '!=', False)]  # fields' files too
        shared = set(
            attachments.search([('store_fname', 'in', names), *is_any]).mapped('store_fname')
        )
        gone = {name for name in names if name not in shared and not attachments._is_stored(name)}
        for state, found in (('shared', shared), ('gone', gone)):
            self.filtered(lambda recording, found=found: recording.file_left in found).write(
                {'file_state': state, 'file_left': False}
            )

    # === HOOKS === #

    def _before_deleted(self, pbx_too):
        """Note the names of the files while they are known."""
        super()._before_deleted(pbx_too)
        for recording in self.filtered('attachment_id'):
            name = recording.attachment_id.sudo().store_fname
            recording.file_left = name
            recording.file_state = 'waiting' if name else 'gone'

    def _after_deleted(self):
        """Ask for the files to be deleted as soon as this is committed."""
        super()._after_deleted()
        if any(recording.file_left for recording in self):
            turns.wake_cron(self.env, 'crm_telephony.ir_cron_sweep_files', [fields.Datetime.now()])


class TelephonyCall(models.Model):
    _inherit = 'telephony.call'

    @api.ondelete(at_uninstall=False)
    def _unlink_recordings(self):
        """Delete the recordings with their calls by way of Odoo, because PostgreSQL alone would
        leave their files."""
        self.sudo().recording_ids.unlink()


class IrAttachment(models.Model):
    _inherit = 'ir.attachment'

    @api.model
    def _is_stored(self, name):
        """Return whether there is a file of this store name, here or in a storage of another
        module."""
        if '://' in name:
            return bool(self._file_read(name))
        return os.path.exists(self._full_path(name))
