import hashlib

from odoo import fields, models

from ..core.words_field import WordsField


class TelephonyRecording(models.Model):
    """Our own copy of a recording: how it is stored, and how it goes away.

    :meth:`_store_sound` alone writes a copy, :meth:`_delete_sound` alone deletes a recording,
    whoever wants it: a rule, a person or an erasure.
    """

    _inherit = 'telephony.recording'

    sound = fields.Binary(attachment=True, groups=fields.NO_ACCESS, copy=False)
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

    def _store_sound(self, sound, mimetype, **values):
        """Keep the bytes of this recording as our copy. Odoo deletes the file if the transaction is
        undone, and keeps equal bytes once.

        :param bytes sound: the whole file; nothing else holds it in memory
        :param values: further field values, written with the copy
        """
        self.ensure_one()
        attachment = (
            self.env['ir.attachment']
            .sudo()
            .create(
                {
                    'name': f'recording-{self.id}',
                    'res_model': self._name,
                    'res_id': self.id,
                    'res_field': 'sound',
                    'mimetype': mimetype,
                    'raw': sound,
                }
            )
        )
        self.attachment_id.sudo().unlink()
        self.write(
            {
                'attachment_id': attachment.id,
                'copy_state': 'done',
                'state': 'ready',
                'error': False,
                'next_try_at': False,
                'size': len(sound),
                'mimetype': mimetype,
                'sha256': hashlib.sha256(sound).hexdigest(),
                **values,
            }
        )
        self._after_stored()

    def _delete_sound(self, why, pbx_too=False, text_too=True):
        """Delete these recordings: our copies, their addresses and names, and what was made of them.
        A row without contents stays, so that neither a replay nor the PBX's own log brings a
        recording back. What is held back by a legal hold is left out.

        :param Words why: the reason, which people read
        :param bool pbx_too: also ask the PBX to delete its copy
        :param bool text_too: also delete the text; a retention rule may keep it longer
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
                'state': 'deleted',
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
        """Return the values of fields that hold what was heard, for a recording without sound."""
        return {'size': 0, 'mimetype': False, 'sha256': False}

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
