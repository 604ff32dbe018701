import hashlib
import os
import time
from io import BytesIO

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..core.words_field import WordsField

# Nobody writes a file of the filestore any more that has not grown for so long (seconds).
WRITTEN_SECONDS = 10
# Bytes by which a file on a remote storage is read ahead.
READ_AHEAD = 1024 * 1024


class TelephonyRecording(models.Model):
    """Our own copy of a recording: how it is stored, and how it goes away.

    :meth:`_store_sound` alone writes a copy, :meth:`_delete_sound` alone deletes a recording,
    whoever wants it: a rule, a person or an erasure.
    """

    _inherit = 'telephony.recording'

    sound = fields.Binary(attachment=True, groups=fields.NO_ACCESS, copy=False, exportable=False)
    copy_state = fields.Selection(
        [
            ('none', "Link only"),
            ('todo', "To be copied"),
            ('done', "Copied"),
            ('lost', "Could not be copied"),
        ],
        string="Our Copy",
        required=True,
        default='none',
        readonly=True,
        copy=False,
    )
    size = fields.Integer(string="Size (bytes)", readonly=True, aggregator='sum')
    megabytes = fields.Float(
        string="Size (MB)",
        compute='_compute_megabytes',
        store=True,
        precompute=True,
        aggregator='sum',
    )
    mimetype = fields.Char(string="Format", readonly=True)
    sha256 = fields.Char(string="SHA-256", readonly=True)
    pbx_copy = fields.Selection(
        [
            ('unknown', "Not known"),
            ('there', "There"),
            ('deleting', "To be deleted"),
            ('deleted', "Deleted"),
            ('cannot', "Must be deleted by hand"),
            ('failed', "Could not be deleted"),
        ],
        string="The PBX's Copy",
        required=True,
        default='unknown',
        readonly=True,
        copy=False,
    )
    deleted_at = fields.Datetime(string="Deleted On", readonly=True)
    deleted_by_id = fields.Many2one('res.users', string="Deleted By", readonly=True)
    deleted_why = WordsField(string="Why Deleted", readonly=True)

    @api.depends('size')
    def _compute_megabytes(self):
        for recording in self:
            recording.megabytes = recording.size / 1024**2

    def _store_sound(self, sound, mimetype, **values):
        """Keep the bytes of this recording as our copy. Odoo deletes the file if the transaction is
        undone, and keeps equal bytes once.

        :param bytes sound: the whole file; nothing else holds it in memory
        :param values: further field values, written with the copy; `sha256` if it is known
        :raise OSError: the file cannot be written. Nothing of it is left when the transaction is
            undone
        """
        self.ensure_one()
        if 'sha256' not in values:
            values['sha256'] = hashlib.sha256(sound).hexdigest()
        self._adopt(self._attach(sound, mimetype, 'sound'), values)

    def _adopt(self, attachment, values):
        """Make an attachment of this recording our copy, in place of the one that is there."""
        self.attachment_id.sudo().unlink()
        self.write(
            {
                'attachment_id': attachment.id,
                'copy_state': 'done',
                'state': 'ready',
                'error': False,
                'next_try_at': False,
                'size': attachment.file_size,
                'mimetype': attachment.mimetype,
                'quality': False,
                **values,
            }
        )
        self._after_stored()

    def _attach(self, sound, mimetype, field):
        """Create the attachment that holds these bytes for a binary field.

        A process that was killed, or a full disk, leaves a part of the file in the filestore, under
        the name of the whole. Odoo would take it for another file for ever, so it is deleted.

        :raise OSError: the file cannot be written
        """
        attachments, values = (
            self.env['ir.attachment'].sudo(),
            {
                'name': f'recording-{self.id}',
                'res_model': self._name,
                'res_id': self.id,
                'res_field': field,
                'mimetype': mimetype,
                'raw': sound,
            },
        )
        try:
            return attachments.create(dict(values))
        except OSError:
            self._drop_part(sound, 0)
            raise
        except UserError:
            if not self._drop_part(sound, WRITTEN_SECONDS):
                raise
            return attachments.create(values)

    @api.model
    def _drop_part(self, sound, seconds):
        """Delete the file in the filestore that holds only a part of these bytes, unless somebody
        writes it now: it has grown within the last `seconds`.

        :return: whether there was one
        """
        attachments = self.env['ir.attachment'].sudo()
        checksum = attachments._compute_checksum(sound)
        path = attachments._full_path(f'{checksum[:2]}/{checksum}')
        try:
            found = os.stat(path)
            if found.st_size == len(sound) or time.time() - found.st_mtime < seconds:
                return False
            os.unlink(path)
        except FileNotFoundError:
            return False
        return True

    def _sound_file(self, read_ahead=READ_AHEAD):
        """Open our copy, wherever it is stored: a binary file that can seek, or a context manager
        that gives one. Closing it is the caller's.

        Where the addon `fs_attachment` keeps it elsewhere, such as on S3, it is read from there in
        parts.

        :param int read_ahead: bytes that may be read from there beside those that are wanted
        """
        attachment = self.attachment_id
        if getattr(attachment, 'fs_filename', False):
            return attachment.open('rb', block_size=read_ahead)
        if attachment.store_fname:
            return open(attachment._full_path(attachment.store_fname), 'rb')
        return BytesIO(attachment.raw or b'')

    def _delete_sound(self, why, pbx_too=False, text_too=True, state='deleted'):
        """Delete these recordings: our copies, their addresses and names, and what was made of them.
        A row without contents stays, so that neither a replay nor the PBX's own log brings a
        recording back. What is held back by a legal hold is left out.

        :param Words why: the reason, which people read
        :param bool pbx_too: also ask the PBX to delete its copy
        :param bool text_too: also delete the text; a retention rule may keep it longer
        :param state: 'refused' if it was never to be kept
        :return: the recordings that were deleted
        """
        recordings = self.filtered(lambda recording: recording.state != 'deleted')
        recordings -= recordings._on_kept_back()
        recordings._before_deleted(pbx_too)
        recordings.attachment_id.sudo().unlink()
        if text_too:
            recordings._delete_text()
        recordings.write(
            {
                'state': state,
                'url': False,
                'ref': False,
                'attachment_id': False,
                'copy_state': 'none',
                'next_try_at': False,
                'error': False,
                'delete_after': False,
                'deleted_at': fields.Datetime.now(),
                'deleted_by_id': self.env.uid,
                'deleted_why': why,
                **self._emptied(),
            }
        )
        recordings._after_deleted()
        return recordings

    def _delete_text(self):
        """Delete the text of these recordings, of which none is held back."""
        self._before_text_deleted()
        self.write({'transcript': False, 'text_delete_after': False})

    def _emptied(self):
        """Return the values of fields that hold what was heard, or how it is got, for a recording
        without sound."""
        return {
            'size': 0,
            'mimetype': False,
            'sha256': False,
            'copy_next_at': False,
            'copy_error': False,
            'keep_until': False,
            'is_unprobed': False,
            'channels': 0,
            'rate': 0,
            'seconds': 0,
            'quality': False,
            'peaks': False,
        }

    # === HOOKS === #

    def _after_stored(self):
        """Runs when our copy of this recording is stored, in the same transaction: plan what is made
        of the sound, and when it is deleted."""

    def _on_kept_back(self):
        """Return those of these recordings that must not be deleted now; said by legal holds."""
        return self.browse()

    def _before_deleted(self, pbx_too):
        """Runs before these recordings are deleted, while their names and addresses are known.

        :param bool pbx_too: the PBX's copy is to be deleted, too
        """

    def _before_text_deleted(self):
        """Runs before the text of these recordings is deleted: delete what was made of it."""

    def _after_deleted(self):
        """Runs when these recordings are deleted: delete what was made of them elsewhere."""
