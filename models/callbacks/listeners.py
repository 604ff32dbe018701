from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import AccessError
from odoo.tools import SQL

# What people say of a call, as its owner or as one of those who had to do with it.
SAID = {'note', 'disposition_id'}


class TelephonyCall(models.Model):
    """Whose a call is: who may listen to it, and say what came of it.

    Whoever talked may, always: that is the PBX's word. The customer's salesperson and whoever has
    to call back are settled once, after the end of the call. From then on only what somebody else
    does changes what one may hear: nobody listens to the talks of others by putting them on a deal
    of their own, or themselves on a contact.
    """

    _inherit = 'telephony.call'

    listener_ids = fields.Many2many(
        'res.users',
        'telephony_call_listener_rel',
        'call_id',
        'user_id',
        string="May Listen Too",
        readonly=True,
        copy=False,
        help="Beside those who talked: the customer's salesperson and the owner of the callback when the call had ended, and "
        "to whom somebody else has handed the customer over since.",
    )
    is_owned = fields.Boolean(
        readonly=True, copy=False, help="Whose customer this call was is settled."
    )
    can_note = fields.Boolean(
        compute='_compute_can_note', help="Whether the person who looks may say what came of it."
    )

    @api.depends('user_id', 'outcome', 'leg_ids.user_id', 'leg_ids.outcome', 'listener_ids')
    @api.depends_context('uid')
    def _compute_can_note(self):
        for call in self:
            call.can_note = call.sudo()._is_business_of(self.env.user)

    # === WHOSE IT IS === #

    def _talkers(self):
        """Who talked, or placed the call; of an ended call that nobody took, those whose phones
        rang. As the rule of recordings says."""
        lost = self.outcome not in ('answered', False)
        return (
            self.user_id
            | self.leg_ids.filtered(lambda leg: lost or leg.outcome == 'answered').user_id
        )

    def _listeners(self):
        """Who may listen, without supervisors."""
        return self._talkers() | self.listener_ids

    def _is_supervised_by(self, user):
        """The system is nobody: what it does may follow from anybody's act."""
        return (
            user.id != SUPERUSER_ID
            and self.company_id.id in user._get_company_ids()
            and user.has_group('crm_telephony.group_supervisor')
        )

    def _is_business_of(self, user):
        """Return whether the user may write note and result of this call (sudo). A call without
        listeners is open to all who see it."""
        listeners = self._listeners()
        return (
            not listeners
            or user in listeners
            or self._is_supervised_by(user)
            or self._on_screen_of(user)
        )

    def _on_screen_of(self, user):
        """Whether the user has this call on the screen now; said by the stage of the screen."""
        return False

    def _check_business(self):
        """:raise AccessError: one of the calls is others' business, who say themselves what came of
        it"""
        user = self.env.user
        if foreign := self.sudo().filtered(lambda call: not call._is_business_of(user))[:1]:
            raise AccessError(
                self.env._(
                    "This call is the business of %(users)s. They, or a supervisor, say what came of it.",
                    users=", ".join(foreign._listeners().mapped('name')),
                )
            )

    def _before_written_by_user(self, vals):
        super()._before_written_by_user(vals)
        if SAID & set(vals):
            self._check_business()

    # === SETTLED ONCE === #

    def _after_filed(self, changed, memory):
        super()._after_filed(changed, memory)
        # no follow-up comes that would settle it
        changed.filtered('is_imported')._settle_owners()

    def _settle_owners(self):
        """Say whose customers' calls these were, and who calls back: their deals and callbacks are
        made by now."""
        if not (new := self.filtered(lambda call: not call.is_owned)):
            return
        new.is_owned = True
        open_ones, owners = self.env['telephony.callback']._open_of(new), {}
        for call in new:
            owner = call._owner()
            if call.match_state == 'manual' and owner == call.settled_by_id:
                # also where they put it on a deal of their own while a colleague's phone rang
                owner = owner.browse()
            users = owner | (call.callback_id | open_ones.get(call, call.callback_id)).user_id
            owners[call.id] = (users - call._talkers()).ids
        self._add_listeners(owners)

    @api.model
    def _add_listeners(self, owners):
        """:param dict owners: call id → ids of users"""
        if rows := [(call_id, user_id) for call_id, users in owners.items() for user_id in users]:
            calls, users = zip(*rows, strict=True)
            self.env.execute_query(
                SQL(
                    """ INSERT INTO telephony_call_listener_rel (call_id, user_id)
                    SELECT * FROM unnest(%s::int[], %s::int[]) ON CONFLICT DO NOTHING RETURNING call_id """,
                    list(calls),
                    list(users),
                )
            )
            self.browse(owners).invalidate_recordset(['listener_ids'])

    # === HANDED OVER === #

    def _owners(self):
        """Whose customers' calls these are now, of those for which that was settled: dict call →
        res.users."""
        return {call: call._owner() for call in self.sudo() if call.is_owned}

    @api.model
    def _pass_on(self, owners, inherited=False, taken=False):
        """Let the present salespersons of these calls listen, after an act of the current user has
        changed who they are. They may hear what that user may hear, and nobody gains by an act of
        their own. A supervisor gives everything, and takes it from the salesperson before.

        :param dict owners: call → salesperson before, see :meth:`_owners`
        :param inherited: the user also gives what the salesperson before may hear, because they
            dispose of that salesperson's customers
        :param taken: the user takes away as a supervisor does, because they put a call where it
            belongs
        """
        actor = self.env.user
        for call, old in owners.items():
            new, listeners, is_supervisor = (
                call._owner(),
                call._listeners(),
                call._is_supervised_by(actor),
            )
            if old == new or not (
                is_supervisor or actor in listeners or inherited and old and old in listeners
            ):
                continue
            kept = call.listener_ids
            if (is_supervisor or taken) and old != actor and old != call.callback_id.user_id:
                kept -= old
            if new != actor:
                kept |= new
            if kept != call.listener_ids:
                call.listener_ids = kept

    def _before_customer_changed(self):
        return {
            **super()._before_customer_changed(),
            'owners': self._owners() if self.env.uid != SUPERUSER_ID else {},
        }

    def _after_customer_changed(self, moved, memory):
        """Where a person puts a call, its salesperson there listens, if the person may."""
        super()._after_customer_changed(moved, memory)
        self._pass_on(memory['owners'], taken=True)


class TelephonyCallback(models.Model):
    """The owner of a callback listens to the calls that it is about, if somebody else made them
    the owner."""

    _inherit = 'telephony.callback'

    def _before_written(self, vals):
        owners = (
            {callback: callback.user_id for callback in self.sudo()} if 'user_id' in vals else {}
        )
        return {**super()._before_written(vals), 'owners': owners}

    def _after_written(self, vals, memory):
        super()._after_written(vals, memory)
        actor, given = self.env.user, {}
        for callback, old in memory['owners'].items():
            new = callback.user_id
            if new in (old, actor):
                continue
            for call in callback.origin_call_id | callback.call_ids:
                listeners = call._listeners()
                if call.is_owned and (
                    call._is_supervised_by(actor) or actor in listeners or old and old in listeners
                ):
                    given[call.id] = new.ids
        self.env['telephony.call']._add_listeners(given)
