from odoo import api, fields, models
from odoo.tools import format_date

from ...providers.numbers import pretty
from ..core.other_side import name_in


class TelephonyRecording(models.Model):
    """What the browser's player shows of a recording, and what people do in it."""

    _inherit = 'telephony.recording'

    player = fields.Json(compute='_compute_player')

    @api.depends(
        'state',
        'error',
        'duration',
        'seconds',
        'channels',
        'peaks',
        'quality',
        'agent_channel',
        'keep_until',
        'deleted_at',
        'deleted_why',
        'player_url',
        'source_url',
    )
    @api.depends_context('uid', 'lang', 'tz', 'telephony_begin')
    def _compute_player(self):
        """Set `player` to what :meth:`_player_line` returns and

        - `seconds`: the measured length, 0 if it is not known; `channels`: 0 if not known, 1 if
          both sides are on one;
        - `peaks`: base64 of how loud it is, one byte a point, channel after channel; '' for none;
        - `agent_channel`: whose the channels are, 'first' or 'second' for ours, or 'unknown';
        - `customer`: their name, else their number, as far as the user may know them;
        - `can_download`: whether the user may take it away as a file;
        - `actions`: dicts of `method`, `label` and `icon`: what else may be done with it.
        """
        sides = self.sudo().call_id.with_env(self.env)._other_sides()
        for recording in self:
            call = recording.sudo().call_id
            partner, lead = sides[call]
            recording.player = {
                **recording._player_line(),
                'seconds': recording.seconds or 0,
                'channels': recording.channels or 0,
                'peaks': recording.peaks or '',
                'agent_channel': recording.agent_channel or 'unknown',
                'customer': partner.name or name_in(lead) or pretty(call.customer_number or ''),
                'can_download': recording.can_download,
                'actions': recording._on_player_actions() if recording.player_url else [],
                **recording._on_player(),
            }

    def _player_line(self):
        """Return what is shown of this recording before its player is opened: a dict of plain values.

        `url` is False where there is nothing to hear, `duration` is in seconds, `words` says in the
        user's language what there is to know, `error` why it could not be played, `source` is the
        address at the PBX for those who may know it, `keep_until` (UTC, as Odoo writes it, or False)
        when it goes away unless somebody keeps it.
        """
        self.ensure_one()
        return {
            'id': self.id,
            'state': self.state,
            'url': self.player_url,
            'duration': round(self.seconds or self.duration or 0),
            'words': self._player_words(),
            'error': str(self.error or ''),
            'source': self.source_url,
            'keep_until': fields.Datetime.to_string(self.keep_until),
        }

    def _player_words(self):
        """Return what there is to know about this recording, in the user's language, or ''."""
        _, why = self.env._, str(self.deleted_why or self.error or '')
        if self.state == 'pending':
            return why or _("The PBX has announced this recording but not delivered it yet.")
        if self.state == 'deleted':
            day = format_date(self.env, fields.Datetime.context_timestamp(self, self.deleted_at))
            return _("Deleted on %(day)s: %(why)s", day=day, why=why)
        if self.state == 'refused':
            return _("Not kept: %(why)s", why=why) if why else _("Not kept.")
        return {
            'one_sided': _("Only one side can be heard."),
            'silent': _("Nothing can be heard."),
            'truncated': _("The end is missing."),
        }.get(self.quality, '')

    def action_swap_sides(self):
        """Say that the other channel is ours; where nobody knew, that the first is. Whoever may
        listen may say so, because they have heard it."""
        self.check_access('read')
        for recording in self.sudo().filtered(lambda recording: recording.channels == 2):
            recording.write(
                {
                    'agent_channel': 'second' if recording.agent_channel == 'first' else 'first',
                    'agent_channel_source': 'hand',
                }
            )
            recording._after_sides_changed()

    # === HOOKS === #

    def _on_player_actions(self):
        """Return what the user may do with this recording from its player: a list of dicts `method`
        (of the recording; what it returns is run), `label` and `icon` (of Font Awesome)."""
        return []

    def _on_player(self):
        """Return what else the player shows of this recording, as a dict of plain values; done by the
        stage that knows what was said."""
        return {}

    def _after_sides_changed(self):
        """Runs when somebody has said which side of this recording is ours, in the same transaction."""
