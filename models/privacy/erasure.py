import logging
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Domain

from ...providers.numbers import SHORT, masked, numbers_in, pretty
from ...tools import turns
from ...tools.fingerprint import fingerprint
from ...tools.records import labels
from ..core.words_field import WordsField, in_words

_logger = logging.getLogger(__name__)

# What whoever asks says; the rest is written by the system.
EDITABLE = {'company_id', 'number', 'partner_id', 'is_for_all', 'mode', 'reason', 'in_messages'}
EDITABLE |= {'report_upload', 'activity_ids', 'message_follower_ids', 'message_ids'}
# What is done, in this order. Each is a method `_erase_<phase>`, called until it says that it is done.
PHASES = ('calls', 'numbers', 'texts', 'files', 'scan', 'end')
DRAFT_DAYS = 7
# What is left of an erasure is tried again after so many hours.
AGAIN_HOURS = 20


class TelephonyErasure(models.Model):
    """All that telephony knows of a number or a contact, erased on request, with a report.

    It is a ledger: the numbers themselves are kept only until the erasure is done, their
    fingerprints for ever, so that it can be applied again to a database from a backup. Erasing runs
    by scheduled action, in batches: :meth:`_run` goes through PHASES.

    - `places.py` knows where a person's data are, and what is done with them there;
    - `texts.py` reads every text of telephony and of mails, and takes numbers out;
    - `report.py` says what was done.
    """

    _name = 'telephony.erasure'
    _description = "Erasure"
    _inherit = ['mail.thread', 'mail.activity.mixin']
    _order = 'id desc'

    name = fields.Char(required=True, readonly=True, copy=False, default="New")
    company_id = fields.Many2one(
        'res.company', required=True, default=lambda self: self.env.company, ondelete='restrict'
    )
    partner_id = fields.Many2one(
        'res.partner',
        string="Contact",
        ondelete='set null',
        help="Fills in all numbers of this contact. The contact itself is not touched.",
    )
    number = fields.Char(
        string="Numbers",
        compute='_compute_number',
        store=True,
        readonly=False,
        copy=False,
        help="In any spelling, several with a comma between. Kept only until the erasure is done.",
    )
    subject_hash = fields.Char(
        string="Fingerprint",
        readonly=True,
        copy=False,
        help="Recognises the numbers in this database, and nowhere else; they cannot be found out from it.",
    )
    shown = fields.Char(string="Number", readonly=True, copy=False)
    owner_ids = fields.Many2many(
        'res.partner',
        compute='_compute_owners',
        compute_sudo=True,
        help="They have this number, and keep it: delete it there.",
    )
    lead_ids = fields.Many2many(
        'crm.lead',
        compute='_compute_owners',
        compute_sudo=True,
        help="They have this number, and keep it: delete it there.",
    )
    owner_names = fields.Char(
        string="Contacts With This Number", compute='_compute_owners', compute_sudo=True
    )
    lead_names = fields.Char(
        string="Deals With This Number", compute='_compute_owners', compute_sudo=True
    )
    is_shared = fields.Boolean(compute='_compute_owners', compute_sudo=True)
    is_for_all = fields.Boolean(
        string="Erase It for All of Them",
        help="Several contacts have this number. What is known of it is erased for all of them.",
    )
    mode = fields.Selection(
        [('anonymise', "Keep calls for statistics"), ('delete', "Delete calls")],
        required=True,
        default='anonymise',
        help="Calls that are kept lose number, contact, deal, note, texts and sound. They still count in reports.",
    )
    in_messages = fields.Boolean(
        string="In Messages Too",
        default=True,
        help="Also take the number out of messages and e-mails that people wrote. The rest of these texts stays.",
    )
    reason = fields.Text(help="Who asked for it, when, and how that was checked.")
    requested_by_id = fields.Many2one(
        'res.users', string="Requested By", readonly=True, copy=False, ondelete='restrict'
    )
    confirmed_by_id = fields.Many2one(
        'res.users', string="Confirmed By", readonly=True, copy=False, ondelete='restrict'
    )
    state = fields.Selection(
        [
            ('draft', "Draft"),
            ('waiting', "To be confirmed"),
            ('running', "Running"),
            ('done', "Done"),
            ('partial', "Something is left"),
        ],
        required=True,
        default='draft',
        readonly=True,
        copy=False,
        index=True,
    )
    until = fields.Datetime(
        string="Erased Until",
        readonly=True,
        copy=False,
        help="What was known then is erased. Who calls later is a customer as any other.",
    )
    remains = fields.Json(
        readonly=True,
        copy=False,
        help="What the report needs of what is gone: recordings that the PBX may have (`pbx`), files that are not gone yet "
        "(`files`), models counted as held (`held`), and the ids of contacts and deals that have the number.",
    )
    hold_ids = fields.Many2many(
        'telephony.hold', string="Holds", readonly=True, copy=False, help="What they cover is kept."
    )
    progress = fields.Json(readonly=True, copy=False, groups=fields.NO_ACCESS)
    error = WordsField(string="Failed", readonly=True, copy=False)
    line_ids = fields.One2many(
        'telephony.erasure.line', 'erasure_id', string="Places", readonly=True, copy=False
    )
    call_ids = fields.One2many('telephony.call', 'erasure_id', readonly=True)

    # === WHOM IT IS ABOUT === #

    @api.depends('partner_id')
    def _compute_number(self):
        for erasure in self:
            if erasure.partner_id:
                numbers = dict.fromkeys(erasure.partner_id.sudo()._telephony_numbers())
                erasure.number = ', '.join(map(pretty, numbers)) or False
            else:
                erasure.number = erasure.number

    @api.depends('number', 'company_id', 'remains')
    def _compute_owners(self):
        for erasure in self:
            numbers = erasure._numbers()
            partners, leads = (
                self.env[model].sudo().browse(erasure._noted(model)).exists()
                for model in ('res.partner', 'crm.lead')
            )
            if numbers:
                mine = Domain('company_id', 'in', [False, erasure.company_id.id])
                further = self.env['telephony.contact.number'].sudo()
                further = further.search([('number', 'in', numbers)]).partner_id
                partners = partners.search(mine & partners._telephony_number_domain(numbers))
                partners |= further.filtered(
                    lambda partner, erasure=erasure: (
                        partner.company_id in (partner.company_id.browse(), erasure.company_id)
                    )
                )
                leads = leads.search(mine & leads._telephony_number_domain(numbers), limit=100)
            erasure.owner_ids, erasure.lead_ids = partners, leads
            erasure.owner_names = ", ".join(partners.mapped('display_name')) or False
            erasure.lead_names = ", ".join(leads.mapped('display_name')) or False
            erasure.is_shared = len(partners) > 1

    def _numbers(self):
        """Return the numbers, E.164; none once they are erased."""
        self.ensure_one()
        return list(numbers_in(self.number, self.company_id.country_id.code or ''))

    @api.constrains('number', 'company_id')
    def _check_number(self):
        """:raise ValidationError: it is no outside number, or one of the company's own"""
        for erasure in self.filtered('number'):
            if not (numbers := erasure._numbers()):
                raise ValidationError(
                    self.env._(
                        "%(number)s is no outside number. Extensions and short numbers are the company's own: enter the "
                        "person's number with its area or country code.",
                        number=erasure.number,
                    )
                    if sum(map(str.isdigit, erasure.number)) <= SHORT
                    else self.env._(
                        "%(number)s is not a complete phone number. Enter it with the area or country code.",
                        number=erasure.number,
                    )
                )
            if own := erasure._own_numbers() & set(numbers):
                raise ValidationError(
                    self.env._(
                        "%(numbers)s is one of the company's own numbers. Its calls are those of many people: enter the "
                        "number of the person.",
                        numbers=", ".join(map(pretty, sorted(own))),
                    )
                )

    def _own_numbers(self):
        company = self.company_id
        own = set(self.env['telephony.number'].sudo()._own_names(company.id))
        phones = self.env['telephony.extension'].sudo().search([('company_id', '=', company.id)])
        for text in (*phones.mapped('number'), company.phone):
            own.update(numbers_in(text, company.country_id.code or ''))
        return own

    # === WHAT PEOPLE DO === #

    @api.model_create_multi
    def create(self, vals_list):
        if not self.env.su:
            for vals in vals_list:
                self._check_editable(vals)
        sequence = self.env['ir.sequence'].sudo()
        vals_list = [
            {**vals, 'name': sequence.next_by_code('telephony.erasure') or "New"}
            for vals in vals_list
        ]
        silent = super(TelephonyErasure, self.with_context(mail_create_nolog=True))
        return silent.create(vals_list).with_env(self.env)

    def write(self, vals):
        if not self.env.su:
            self._check_editable(vals)
            if EDITABLE & set(vals) - {'activity_ids'} and set(self.mapped('state')) - {'draft'}:
                raise UserError(
                    self.env._("What was asked for is not changed any more. Make a new erasure.")
                )
        return super().write(vals)

    @api.model
    def _check_editable(self, vals):
        """:raise AccessError: only the system writes one of these"""
        told = {name for name in set(vals) - EDITABLE if vals[name]}
        if told - {'state'} or vals.get('state', 'draft') != 'draft':
            raise AccessError(
                self.env._(
                    "Only the buttons of the erasure change this: %(fields)s",
                    fields=labels(self, told),
                )
            )

    @api.ondelete(at_uninstall=False)
    def _unlink_drafts_only(self):
        if set(self.mapped('state')) - {'draft'}:
            raise UserError(self.env._("An erasure stays as proof. Only a draft can be deleted."))

    def action_preview(self):
        """Count what would be erased, for each place."""
        self.ensure_one()
        self.check_access('write')
        erasure = self.sudo()
        erasure.line_ids.unlink()
        numbers = erasure._asked_numbers()
        for model, records in erasure._found(numbers).items():
            erasure._line(model).found = len(records)
        return True

    def _asked_numbers(self):
        """:raise UserError: no number was entered"""
        if not (numbers := self._numbers()):
            raise UserError(
                self.env._("Enter the person's number, or choose a contact that has one.")
            )
        return numbers

    def action_erase(self):
        """Start the erasure; if the company wants two people for it, ask the others.

        :raise UserError: something is missing, or nobody else may confirm
        """
        self.ensure_one()
        self.check_access('write')
        if self.state != 'draft':
            raise UserError(self.env._("This erasure was started already."))
        erasure = self.sudo()
        numbers = erasure._asked_numbers()
        if not (self.reason or '').strip():
            raise UserError(
                self.env._("Say in “Reason” who asked for it, because the report shows it.")
            )
        if erasure.is_shared and not erasure.is_for_all:
            raise UserError(
                self.env._(
                    "Several contacts have this number: %(names)s. Tick “Erase It for All of Them”, or take the number from "
                    "those whose it is not.",
                    names=", ".join(erasure.owner_ids.mapped('display_name')),
                )
            )
        self.action_preview()
        erasure.write(
            {
                'requested_by_id': self.env.uid,
                'subject_hash': ','.join(
                    fingerprint(self.env, 'number', number) for number in numbers
                ),
                'shown': ", ".join(map(masked, numbers)),
            }
        )
        if erasure.company_id.telephony_erase_two:
            self._ask_second()
        else:
            erasure._start()
        return True

    def _ask_second(self):
        others = self._privacy_users() - self.env.user
        if not others:
            raise UserError(
                self.env._(
                    "Nobody else may confirm an erasure. Give somebody the right “Privacy”, or switch off “A Second Person "
                    "Confirms Erasures” in the settings."
                )
            )
        self.sudo().state = 'waiting'
        for user in others:
            self.sudo().activity_schedule(
                'mail.mail_activity_data_todo',
                user_id=user.id,
                summary=self.with_context(lang=user.lang).env._(
                    "Confirm the erasure of %(number)s", number=self.shown
                ),
            )

    def _privacy_users(self):
        group = self.env.ref('crm_telephony.group_privacy').sudo()
        return group.all_user_ids.filtered(
            lambda user: user.active and not user.share and self.company_id in user.company_ids
        )

    def action_confirm(self):
        """Start an erasure that somebody else has asked for.

        :raise UserError: the same person has asked for it
        """
        self.ensure_one()
        self.check_access('write')
        if self.state != 'waiting':
            raise UserError(self.env._("This erasure does not wait for anybody."))
        if self.requested_by_id == self.env.user:
            raise UserError(
                self.env._("You asked for this erasure yourself. Somebody else has to confirm it.")
            )
        self.sudo().confirmed_by_id = self.env.user
        self.sudo()._start()
        return True

    def action_refuse(self):
        """Make it a draft again, because it is not to be erased, or not so."""
        self.ensure_one()
        self.check_access('write')
        if self.state == 'waiting':
            self.sudo().activity_ids.unlink()
            self.sudo().write({'state': 'draft', 'requested_by_id': False})
        return True

    def action_apply_again(self):
        """Erase once more what is there of what was known then: because a hold was released, or the
        database comes from a backup. Numbers are recognised by their fingerprints.

        :raise UserError: it was not done yet
        """
        self.ensure_one()
        self.check_access('write')
        if self.state not in ('done', 'partial'):
            raise UserError(self.env._("This erasure was not done yet."))
        self.sudo()._start(self.until)
        return True

    def action_privacy_lookup(self):
        """Open Odoo's search for all that refers to the contact, if there is one."""
        self.ensure_one()
        partner = self.owner_ids[:1].with_env(self.env)
        if hasattr(partner, 'action_privacy_lookup'):
            return partner.action_privacy_lookup()
        return partner._get_records_action()

    # === RUNNING === #

    def _start(self, until=None):
        """Let the scheduled action erase.

        :param datetime until: what was known then (naive UTC); by default, now
        """
        self.activity_ids.unlink()
        # a second more, because the rows of this moment have microseconds
        until = until or fields.Datetime.now() + timedelta(seconds=1)
        self.write({'state': 'running', 'until': until, 'progress': {}, 'error': False})
        self.env['telephony.erased.number']._remember(
            self.company_id, self.subject_hash.split(','), until
        )
        self.env.ref('crm_telephony.ir_cron_erase')._trigger()

    @api.model
    def _cron_erase(self):
        """Go on with what runs, try again what a hold or a PBX has kept back, and delete calls whose
        last recording is gone at the PBX by now."""
        yesterday = fields.Datetime.now() - timedelta(hours=AGAIN_HOURS)
        for erasure in self.search([('state', '=', 'partial'), ('verified_at', '<', yesterday)]):
            erasure._start(erasure.until)
        running = self.search([('state', '=', 'running')], order='id')
        for left, erasure in zip(range(len(running) - 1, -1, -1), running, strict=True):
            self.env['ir.cron']._commit_progress(remaining=left + 1)
            with turns.gives_way(self.env, 'crm_telephony.ir_cron_erase'):
                if not erasure._run():
                    return
            self.env['ir.cron']._commit_progress(1, remaining=left)
        self._delete_left_calls()

    def _run(self):
        """Erase, in batches. Commits.

        :return: False if the time of the scheduled action is over
        """
        while self.state == 'running':
            with turns.isolated(
                self.env.cr,
                _logger,
                "erasure %s failed; the scheduled action tries again. The erasure shows the error.",
                self.name,
                whole=True,
            ) as trial:
                self._step()
                self.env.flush_all()
            if trial.error:
                self.error = in_words(trial.error)
                return True
            if not self.env['ir.cron']._commit_progress():
                return False
        return True

    def _step(self):
        """Do a piece of the present phase."""
        progress = self.progress or {}
        phase = progress.get('phase', PHASES[0])
        if 'phase' not in progress and not self._numbers():
            self.number = ', '.join(self._recognised()) or False
        place = getattr(self, f'_erase_{phase}')(progress.get('place'))
        if phase == PHASES[-1]:
            return
        following = phase if place else PHASES[PHASES.index(phase) + 1]
        self.progress = {**progress, 'phase': following, 'place': place}

    def _noted(self, name):
        return (self.remains or {}).get(name, [])

    def _note_down(self, **values):
        self.remains = {**(self.remains or {}), **values}

    def _line(self, model):
        """Return the line of this model, a new one if there is none."""
        line = self.line_ids.filtered(lambda line: line.model == model)
        return line or self.line_ids.create({'erasure_id': self.id, 'model': model})

    @api.autovacuum
    def _gc_drafts(self):
        """Delete drafts that nobody has started, because a number stands in them."""
        old = fields.Datetime.now() - timedelta(days=DRAFT_DAYS)
        self.search([('state', '=', 'draft'), ('write_date', '<', old)], limit=1000).unlink()


class TelephonyHold(models.Model):
    """Whoever releases a hold lets go what it has kept from being erased."""

    _inherit = 'telephony.hold'

    def _after_released(self):
        super()._after_released()
        waiting = self.env['telephony.erasure'].sudo()
        for erasure in waiting.search([('state', '=', 'partial'), ('hold_ids', 'in', self.ids)]):
            erasure._start(erasure.until)


class TelephonyErasureLine(models.Model):
    _name = 'telephony.erasure.line'
    _description = "Place of an erasure"
    _order = 'id'
    _rec_name = 'model'

    erasure_id = fields.Many2one(
        'telephony.erasure', required=True, readonly=True, index=True, ondelete='cascade'
    )
    model = fields.Char(required=True, readonly=True)
    what = fields.Char(string="Place", compute='_compute_what')
    found = fields.Integer(readonly=True)
    removed = fields.Integer(string="Erased", readonly=True)
    kept = fields.Integer(readonly=True)
    kept_why = WordsField(string="Why Kept", readonly=True)
    left_after = fields.Integer(
        string="Still There",
        readonly=True,
        help="Texts with the number that a second look found when all was done.",
    )

    @api.depends('model')
    @api.depends_context('lang')
    def _compute_what(self):
        names = {
            model.model: model.name
            for model in self.env['ir.model'].sudo().search([('model', 'in', self.mapped('model'))])
        }
        for line in self:
            line.what = self._words().get(line.model) or names.get(line.model, line.model)

    @api.model
    def _words(self):
        """Return what people call these places, where the model has another name."""
        _ = self.env._
        return {
            'telephony.call': _("Calls"),
            'telephony.call.leg': _("Phones that rang"),
            'telephony.event': _("Events of the PBX"),
            'telephony.recording': _("Recordings"),
            'telephony.effect': _("What rules did"),
            'telephony.callback': _("Callbacks"),
            'telephony.callback.act': _("What was done with callbacks"),
            'telephony.decision': _("Remembered numbers"),
            'telephony.contact.number': _("Further numbers of contacts"),
            'telephony.dial': _("Calls started in Odoo"),
            'telephony.rebind': _("Numbers to be looked up again"),
            'mail.message': _("Messages"),
            'mail.mail': _("E-mails"),
            'mail.activity': _("Activities"),
            'sms.sms': _("SMS"),
            'bus.bus': _("Messages to browsers"),
            'res.partner': _("Contacts: number to check"),
            'crm.lead': _("Deals: number to check"),
            'text': _("The number in other texts"),
            'ir.attachment': _("Sound files"),
            'pbx': _("Recordings at the PBX"),
        }
