import hashlib
import logging
import os
import struct
import time
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError
from odoo.fields import Domain
from odoo.tools import config

from ...providers.base import ProviderError
from ...providers.capabilities import LocatesRecordings
from ...providers.fetch import (
    BrokenOff,
    DiskFull,
    Limits,
    NoSound,
    TooSlow,
)
from ...speech.kinds import HEAD, looks_like
from ...speech.mp3 import measure
from ...tools import turns
from ...tools.words import _lt
from ..calls.recording import GONE, LOCATE_SECONDS
from ..core.words_field import WordsField, in_words

_logger = logging.getLogger(__name__)

CRON = 'crm_telephony.ir_cron_copy_recordings'
# A copy takes at most so long (seconds), and never more than this share of the time that Odoo gives
# a scheduled action before it kills the process.
MOST_SECONDS, SHARE = 600, 0.5
# A server may put us off for so long (seconds).
LONGEST_AFTER = 3600
# Statuses of a link that has run out, or of a login that the server does not take.
RUN_OUT = (401, 403, 410)
# After so many tries that bring only a part the longest part is kept, and so many times a sound of
# another length than the PBX says is fetched again.
MOST_CUTS, DOUBTS = 4, 2
# Seconds of an MP3 that may be missing, and how a WAV says that it does not know its length.
LEFT_OUT, WAV_UNKNOWN, WAV_CHUNKS = 0.5, 0x7FFF0000, 64
# A file of so many bytes has the head of a sound and nothing else.
HEAD_ONLY = 44
# Sound that is played by browsers comes in these kinds of file.
KINDS = ('audio/', 'video/')
# A call that still goes on is looked at again after so long (seconds).
RUNNING_SECONDS = 60


class Cut(ProviderError):
    """Raised when a file ends before its own end.

    :param sound: what came, as a :class:`.fetch.Sound`
    :param kind: its MIME type
    """

    def __init__(self, sound, kind):
        super().__init__(_lt("Only a part of the recording came. Try again later."), retryable=True)
        self.sound, self.kind = sound, kind


class TelephonyRecording(models.Model):
    """The queue of recordings that are copied to Odoo.

    A try is planned before it is made: `copy_next_at` already says when the next one is, so that a
    file that kills the process is not tried for ever, and a killed try leaves nothing half.
    """

    _inherit = 'telephony.recording'

    sound_part = fields.Binary(attachment=True, groups=fields.NO_ACCESS, copy=False)
    copy_attempts = fields.Integer(readonly=True, copy=False, help="How often a copy was tried.")
    copy_next_at = fields.Datetime(string="Next Try", readonly=True, copy=False)
    copy_error = WordsField(string="About the Copy", readonly=True, copy=False)
    copy_refusals = fields.Integer(
        readonly=True, copy=False, help="How many tries in a row were refused for want of a login."
    )
    copy_cuts = fields.Integer(
        readonly=True, copy=False, help="How many tries brought only a part of the sound."
    )
    copy_doubts = fields.Integer(
        readonly=True,
        copy=False,
        help="How many tries brought a sound of another length than the PBX says.",
    )
    copied_at = fields.Datetime(
        string="Copied On",
        readonly=True,
        copy=False,
        help="When the copy was made or given up.",
    )

    _copy_next_idx = models.Index("(account_id, copy_next_at) WHERE copy_next_at IS NOT NULL")
    _copied_idx = models.Index("(account_id, copied_at) WHERE copied_at IS NOT NULL")
    _to_copy_idx = models.Index("(account_id, start_at) WHERE copy_state = 'todo'")

    # === WHAT IS COPIED, AND WHEN === #

    @api.model
    def _values_to_copy(self, call, vals):
        """Return the values of a recording that is to be kept: those of the queue, if the account
        keeps copies.

        :param dict vals: its `state` and `ref`
        """
        if not call.account_id._recording_settings().copies:
            return {}
        is_named = vals.get('ref') and vals.get('state', 'pending') == 'pending'
        if is_named and call.account_id._can(LocatesRecordings):
            return {'copy_state': 'todo'}  # until its address is known
        at = fields.Datetime.now() + timedelta(seconds=LOCATE_SECONDS[0])
        turns.wake_cron(self.env, CRON, [at])
        return {'copy_state': 'todo', 'copy_next_at': at}

    def _after_located(self):
        """Copy what has an address now, also what was given up because it had none."""
        super()._after_located()
        waits = self.copy_state == 'todo' and not self.copy_next_at
        if waits or self.copy_state == 'lost' and not self.copy_attempts:
            self._queue_copy()

    def _after_not_located(self):
        super()._after_not_located()
        if self.copy_state == 'todo':
            self._lose(self.error)

    def _before_deleted(self, pbx_too):
        """Delete the parts that have come, too."""
        super()._before_deleted(pbx_too)
        self._parts().unlink()

    def _after_stored(self):
        """Whoever has brought the sound, it is no longer waited for."""
        super()._after_stored()
        if self.copy_cuts:
            self._parts().unlink()
        self.write({'copy_next_at': False, 'copy_error': False, 'copied_at': fields.Datetime.now()})

    def _queue_copy(self):
        """Try to copy these recordings now, as if it had never been tried."""
        self.write(
            {
                'copy_state': 'todo',
                'copy_attempts': 0,
                'copy_refusals': 0,
                'copy_cuts': 0,
                'copy_doubts': 0,
                'copy_error': False,
                'copy_next_at': fields.Datetime.now(),
            }
        )
        turns.wake_cron(self.env, CRON, [fields.Datetime.now()])

    def action_copy(self):
        """Copy these recordings now, those that were given up and those of which there is only a
        link. Others stay as they are.

        :raise AccessError: the user is no supervisor
        """
        self.check_access('read')
        if not self.env.user.has_group('crm_telephony.group_supervisor'):
            raise AccessError(self.env._("Only supervisors can have recordings copied."))
        self.sudo().filtered(
            lambda recording: recording.copy_state in ('none', 'lost')
            and recording.state not in GONE
            and not recording.keep_until
        )._queue_copy()
        return True

    # === SCHEDULED ACTION === #

    @api.model
    def _cron_copy(self):
        """Copy what is due: one recording of each PBX in turn, so that a slow PBX holds up no
        other.

        What is left over is left to the next run at once; the action itself counts as done, because
        Odoo would repeat it within the time of this run.
        """
        due = Domain('copy_next_at', '<=', fields.Datetime.now())
        accounts = [account for (account,) in self._read_group(due, ['account_id'])]
        told, is_time = self.env['telephony.account'], True
        # one trigger for all
        copies = self.with_context(telephony_probed_later=True)
        while accounts and is_time:
            for account in list(accounts):
                recording = copies.search(
                    due & Domain('account_id', '=', account.id),
                    limit=1,
                    order='copy_next_at, id',
                )
                if not recording:
                    accounts.remove(account)
                    continue
                with turns.gives_way(self.env, CRON):
                    recording._copy()
                if recording.exists().copy_state == 'lost':
                    told |= account
                elif recording.exists().filtered_domain(due):  # somebody else writes it just now
                    accounts.remove(account)
                if not (is_time := self.env['ir.cron']._commit_progress(1)):
                    break
        with turns.gives_way(self.env):
            for account in told:
                account._tell_lost_copies()
        self._wake_probe()
        following = self.search(
            [('copy_next_at', '!=', False)], limit=1, order='copy_next_at'
        ).copy_next_at
        if following:
            soon = fields.Datetime.now() + timedelta(seconds=1)
            turns.wake_cron(self.env, CRON, [max(following, soon)])

    def _copy(self):
        """Try to copy this recording. Commits."""
        if self.copy_attempts >= len(LOCATE_SECONDS):  # the last try killed the process
            self._lose(self.copy_error or _lt("The server was stopped while it was copied."))
            return
        now = fields.Datetime.now()
        if self.call_id.state != 'ended':
            self.copy_next_at = now + timedelta(seconds=RUNNING_SECONDS)
            return
        attempts = self.copy_attempts + 1
        pause = LOCATE_SECONDS[min(attempts, len(LOCATE_SECONDS) - 1)]
        self.write({'copy_attempts': attempts, 'copy_next_at': now + timedelta(seconds=pause)})
        self.env['ir.cron']._commit_progress()
        with turns.isolated(self.env.cr, whole=True) as trial:
            sound, kind = self._fetch_sound()
            with sound.file:
                turns.retried(self.env.cr, lambda: self._keep_sound(sound, kind))
        if trial.error:
            turns.retried(self.env.cr, lambda: self._copy_failed(trial.error))

    def _fetch_sound(self):
        """Fetch the whole sound. Commits before it waits for the network, because nothing may be held
        meanwhile.

        :return: a :class:`.fetch.Sound`, and the MIME type that its bytes have
        :raise ProviderError: the PBX does not give it
        """
        if not self.url and self.ref and self._can_locate():
            self._locate()
        if not self.url:
            raise ProviderError(
                _lt("The PBX has not told where this recording is."), retryable=True
            )
        open_it, seconds = self._opener(), _most_seconds()
        limits = Limits(seconds, self.account_id.copy_max_megabytes * 1024**2)
        self.env['ir.cron']._commit_progress()
        begin = time.monotonic()
        try:
            sound = open_it('', limits)
        except BrokenOff as error:
            raise Cut(error.sound, _kind_of(error.sound)) from None
        except TooSlow:
            if time.monotonic() - begin < MOST_SECONDS:
                raise
            raise ProviderError(
                _lt("The recording did not come within %(seconds)s seconds.", seconds=MOST_SECONDS)
            ) from None
        kind = _kind_of(sound)
        if sound.status != 200 or _is_cut(sound, kind):
            raise Cut(sound, kind)
        return sound, kind

    def _is_waited_for(self):
        """Return whether the recording is still to be copied, after the network has taken a
        while."""
        self.invalidate_recordset()
        waiting = Domain('id', '=', self.id) & Domain('copy_state', '=', 'todo')
        return bool(self.search_fetch(waiting))

    def _keep_sound(self, sound, kind):
        """Store what came as our copy.

        :raise DiskFull: there is no room for it
        """
        if not self._is_waited_for():
            return
        sound.file.seek(0)
        try:
            self._store_sound(sound.file.read(), kind, sha256=sound.sha256, copy_refusals=0)
        except OSError as error:
            _logger.warning(
                "recording %s could not be written to the filestore (%s); it is tried again.",
                self.id,
                error,
            )
            raise DiskFull from None

    # === WHEN A TRY FAILS === #

    def _copy_failed(self, error):
        """Note why a try has failed, and what is done now."""
        if not self._is_waited_for():
            return
        if not isinstance(error, ProviderError):
            _logger.error(
                "recording %s of call %s could not be copied. The recording shows whether it is tried again.",
                self.id,
                self.call_id.id,
                exc_info=error,
            )
        words, is_refused = in_words(error), getattr(error, 'status', 0) in RUN_OUT
        self.write(
            {'copy_error': words, 'copy_refusals': self.copy_refusals + 1 if is_refused else 0}
        )
        if isinstance(error, NoSound):
            self.write({'state': 'failed', 'error': words})
        elif isinstance(error, DiskFull):
            self.account_id._tell_full_disk()
        elif isinstance(error, Cut):
            self._keep_part(error.sound, error.kind)
        elif after := getattr(error, 'retry_after', None):
            moment = fields.Datetime.now() + timedelta(seconds=min(after, LONGEST_AFTER))
            self.copy_next_at = max(self.copy_next_at, moment)
        if is_refused and self.copy_refusals == 1:
            self._renew()
        elif (
            is_refused
            or not getattr(error, 'retryable', True)
            or self.copy_cuts >= MOST_CUTS
            or self.copy_attempts >= len(LOCATE_SECONDS)
        ):
            self._lose(words)

    def _renew(self):
        """Ask the PBX for the address anew, because it did not let us in. If it does not tell, the
        old one is tried once more."""
        if self.ref and self._can_locate():
            try:
                self._locate()
            except ProviderError as error:
                self.copy_error = in_words(error)

    def _keep_part(self, sound, kind):
        """Keep the longest part that has come beside the recording; it becomes our copy if the whole
        never comes."""
        part = self._parts()
        if not part or sound.size > part.file_size:
            sound.file.seek(0)
            with turns.isolated(self.env.cr) as trial:
                self._attach(sound.file.read(), kind, 'sound_part')
            if trial.error:
                self.account_id._tell_full_disk()
                return
            part.unlink()
        self.copy_cuts += 1

    def _parts(self):
        """Return the attachments that hold parts of these recordings."""
        return (
            self.env['ir.attachment']
            .sudo()
            .search(
                [
                    ('res_model', '=', self._name),
                    ('res_id', 'in', self.ids),
                    ('res_field', '=', 'sound_part'),
                ]
            )
        )

    def _doubt(self, words):
        """The copy has another length than the PBX says: try twice more, then leave it as it is, and
        say so."""
        values = {'copy_error': words}
        if self.url and 0 < self.copy_attempts < len(LOCATE_SECONDS) and self.copy_doubts < DOUBTS:
            at = fields.Datetime.now() + timedelta(seconds=LOCATE_SECONDS[self.copy_attempts])
            turns.wake_cron(self.env, CRON, [at])
            values.update(copy_state='todo', copy_next_at=at, copy_doubts=self.copy_doubts + 1)
        self.write(values)

    def _lose(self, words):
        """Give the copy up. What has come of it is kept; without anything the link stays, if there
        is one."""
        part = self._parts() if self.copy_cuts else None
        if part and self.attachment_id:
            part.unlink()
        elif part:
            part.res_field = 'sound'
            sha256 = hashlib.sha256(part.raw).hexdigest()
            self._adopt(part, {'sha256': sha256, 'quality': 'truncated'})
        values = {'copy_error': words, 'copy_next_at': False, 'copied_at': fields.Datetime.now()}
        if self.attachment_id:
            values['copy_state'] = 'done'
        else:
            values['copy_state'] = 'lost'
            if not self.url:
                values.update(state='failed', error=words)
        self.write(values)


def _kind_of(sound):
    """Return the MIME type that the bytes of a :class:`.fetch.Sound` have; what is too short to tell
    has the one that its server says.

    :raise NoSound: they are no sound
    """
    head = sound.file.read(HEAD)
    sound.file.seek(0)
    kind = looks_like(head)
    if kind.startswith(KINDS):
        return kind
    if kind or sound.size > HEAD_ONLY:
        raise NoSound(kind)
    return sound.headers['Content-Type']


def _is_cut(sound, kind):
    """Return whether a file ends before the end that its own head tells."""
    if kind == 'audio/wav':
        return sound.size < _end_of_wav(sound.file)
    if kind == 'audio/mpeg' and (frames := measure(sound.file)):
        return frames.seconds < frames.told - LEFT_OUT
    return False


def _end_of_wav(file):
    """Return where the sound of a WAV file ends, as its head says, in bytes; 0 if it does not say."""
    file.seek(12)
    for _chunk in range(WAV_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            break
        name, length = struct.unpack('<4sI', head)
        if name == b'data':
            return file.tell() + length if length < WAV_UNKNOWN else 0
        file.seek(length + length % 2, os.SEEK_CUR)
    return 0


def _most_seconds():
    """Return how long a copy may take: so long that Odoo never ends the scheduled action by force."""
    limit = config['limit_time_real_cron']
    if limit < 0 or not limit and not config['workers']:
        limit = config['limit_time_real']
    return min(MOST_SECONDS, limit * SHARE) if limit else MOST_SECONDS
