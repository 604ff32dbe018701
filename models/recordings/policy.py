from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

from odoo import api, fields, models, tools
from odoo.exceptions import AccessError, ValidationError
from odoo.fields import Domain

from ...providers import registry
from ...tools.words import _lt
from ..calls.recording import GONE

# From the least strict to the strictest.
POLICIES = [
    ('always', "Always"),
    ('user', "If the employee wants to"),
    ('off', "Never"),
]
STRICTNESS = [policy for policy, _label in POLICIES]
OVERRIDE_HELP = (
    "Empty: as the PBX's form says. If phone and company number say different things, the stricter "
    "one counts."
)
# So long (hours) an employee may say that a recording is to be kept.
KEEP_HOURS = 24


class RecordingSettings(NamedTuple):
    """What an account says about recordings, cached, because every filing of one asks.

    :ivar phones: extension → its own policy; `numbers`: id of telephony.number → its own policy
    """

    policy: str
    copies: bool
    phones: Mapping[str, str]
    numbers: Mapping[int, str]


class TelephonyAccount(models.Model):
    """Whether the recordings of this PBX are kept, and where."""

    _inherit = 'telephony.account'

    recording_policy = fields.Selection(
        POLICIES,
        string="Keep Recordings",
        required=True,
        default='always',
        help="If the employee wants to: a recording is kept only if somebody who talked presses Keep Recording within "
        "24 hours. Never: nothing is fetched, and nothing can be played. A changed policy counts for later calls only.",
    )
    recording_storage = fields.Selection(
        [('link', "At the PBX"), ('copy', "Copied to Odoo")],
        string="Where Recordings Lie",
        compute='_compute_recording_storage',
        store=True,
        precompute=True,
        readonly=False,
        help="At the PBX: Odoo plays them from there, as long as the PBX has them. Copied: Odoo fetches each one after the "
        "call and keeps it, which takes room on the disk.",
    )
    copy_max_megabytes = fields.Integer(
        string="Largest Copy (MB)",
        default=100,
        help="A larger recording is not copied; it is played from the PBX as long as the PBX has it.",
    )

    @api.depends('provider')
    def _compute_recording_storage(self):
        for account in self:
            adapter = registry.get(account.provider)
            account.recording_storage = 'link' if not adapter or adapter.recordings_stay else 'copy'

    @api.constrains('copy_max_megabytes')
    def _check_copy_max_megabytes(self):
        if any(account.copy_max_megabytes < 1 for account in self):
            raise ValidationError(
                self.env._(
                    "Largest Copy must be at least 1 MB. To copy nothing, choose that recordings lie at the PBX."
                )
            )

    @tools.ormcache('self.id')
    def _recording_settings(self):
        """Return the :class:`RecordingSettings` of this account."""
        account = self.sudo()
        return RecordingSettings(
            account.recording_policy or 'always',
            account.recording_storage == 'copy',
            {
                phone.number: phone.recording_policy
                for phone in account.extension_ids
                if phone.recording_policy
            },
            {
                number.id: number.recording_policy
                for number in account.number_ids
                if number.recording_policy
            },
        )


class TelephonyExtension(models.Model):
    _inherit = 'telephony.extension'

    recording_policy = fields.Selection(POLICIES, string="Keep Recordings", help=OVERRIDE_HELP)


class TelephonyNumber(models.Model):
    _inherit = 'telephony.number'

    recording_policy = fields.Selection(POLICIES, string="Keep Recordings", help=OVERRIDE_HELP)


class TelephonyCall(models.Model):
    """Which policy holds for a call, and that an employee wants its recordings to be kept."""

    _inherit = 'telephony.call'

    is_recording_kept = fields.Boolean(
        readonly=True, copy=False, help="Somebody who talked wants the recordings to be kept."
    )
    can_keep_recording = fields.Boolean(
        compute='_compute_can_keep_recording',
        help="Whether the person who looks may say that the recordings are to be kept.",
    )

    @api.depends('is_recording_kept', 'state', 'ended_at', 'recording_ids.keep_until')
    @api.depends_context('uid')
    def _compute_can_keep_recording(self):
        user, since = self.env.user, fields.Datetime.now() - timedelta(hours=KEEP_HOURS)
        for call, known in zip(self, self.sudo(), strict=True):
            call.can_keep_recording = bool(
                not known.is_recording_kept
                and known.account_id
                and known._recording_policy() == 'user'
                and (
                    any(known.recording_ids.mapped('keep_until'))
                    or not known.recording_ids
                    and (known.state != 'ended' or known._moment() > since)
                )
                and (user in known._listeners() or known._is_supervised_by(user))
            )

    def action_keep_recording(self):
        """Keep the recordings of these calls, also those that the PBX has yet to tell of.

        :raise AccessError: the user may not listen to one of them
        """
        for call in self:
            if not call.can_keep_recording and not call.sudo().is_recording_kept:
                raise AccessError(
                    self.env._(
                        "The recording of this call cannot be kept: you have no part in the call, or the 24 hours are over."
                    )
                )
        calls = self.sudo()
        calls.is_recording_kept = True
        calls.recording_ids._keep()
        return True

    def _recording_policy(self):
        """Return the policy for the recordings of this call: the strictest that the company number
        and the phones that talked have of their own, else that of the PBX."""
        settings = self.account_id._recording_settings()
        own = settings.numbers.get(self.number_id.id), settings.phones.get(self.extension)
        if settings.phones:
            own += tuple(
                settings.phones.get(leg.extension)
                for leg in self.leg_ids
                if leg.outcome == 'answered' or leg.answered_at
            )
        return max(filter(None, own), key=STRICTNESS.index, default=settings.policy)

    def _before_changed(self):
        return {
            **super()._before_changed(),
            'running': {call.id for call in self if call.state != 'ended'},
        }

    def _after_filed(self, changed, memory):
        """Ask for the policy again when a call has ended, because only then it is known who has
        talked."""
        super()._after_filed(changed, memory)
        for call in changed:
            if call.state == 'ended' and call.id in memory['running'] and call.account_id:
                settings = call.account_id._recording_settings()
                if settings.phones or settings.numbers:
                    call.recording_ids._apply_policy()


class TelephonyRecording(models.Model):
    """What the policy makes of a recording: refused, kept if an employee wants it, or kept."""

    _inherit = 'telephony.recording'

    keep_until = fields.Datetime(
        string="To Be Kept Until",
        readonly=True,
        copy=False,
        help="If nobody presses Keep until then, the recording is not kept.",
    )

    _keep_until_idx = models.Index("(keep_until) WHERE keep_until IS NOT NULL")

    @api.model
    def _before_created(self, vals_list):
        super()._before_created(vals_list)
        calls = self.env['telephony.call']
        for vals in vals_list:
            call = calls.browse(vals['call_id'])
            if call.account_id and vals.get('state') not in GONE:
                vals.update(self._values_by_policy(call, vals))

    @api.model
    def _values_by_policy(self, call, vals):
        """Return the values with which a new recording is stored."""
        policy = call._recording_policy()
        if policy == 'off':
            return {'state': 'refused', 'ref': False, 'url': False, 'error': False}
        if policy == 'user' and not call.is_recording_kept:
            return {'keep_until': self._keep_until()}
        return self._values_to_copy(call, vals)

    @api.model
    def _keep_until(self):
        return fields.Datetime.now() + timedelta(hours=KEEP_HOURS)

    def _apply_policy(self):
        """Let the policy decide again about recordings of which there is no copy yet: their calls
        have just ended."""
        for recording in self.filtered(
            lambda recording: recording.state not in GONE and not recording.attachment_id
        ):
            policy = recording.call_id._recording_policy()
            if policy == 'off':
                recording._delete_sound(
                    _lt("The recordings of this phone or company number are not kept"),
                    state='refused',
                )
            elif policy == 'user':
                if not (recording.keep_until or recording.call_id.is_recording_kept):
                    recording.write(
                        {
                            'keep_until': self._keep_until(),
                            'copy_state': 'none',
                            'copy_next_at': False,
                        }
                    )
            else:
                recording._keep()

    def action_keep(self):
        """Keep these recordings, which are deleted otherwise. Whoever may listen may do it."""
        self.check_access('read')
        self.sudo()._keep()
        return True

    def _keep(self):
        for recording in self.filtered('keep_until'):
            source = {'state': recording.state, 'ref': recording.ref}
            recording.write(
                {'keep_until': False, **self._values_to_copy(recording.call_id, source)}
            )

    @api.model
    def _cron_refuse(self, batch_size=100):
        """Delete the recordings that nobody wanted to keep in time. What a legal hold keeps is asked
        about again a day later."""
        domain = Domain('keep_until', '<=', fields.Datetime.now())
        while recordings := self.search(domain, limit=batch_size, order='keep_until, id'):
            refused = recordings._delete_sound(
                _lt("Nobody wanted to keep it within 24 hours"), state='refused'
            )
            (recordings - refused).keep_until = self._keep_until()
            if not self.env['ir.cron']._commit_progress(
                len(recordings), remaining=self.search_count(domain)
            ):
                return
