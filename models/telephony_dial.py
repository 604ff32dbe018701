import re
from datetime import timedelta

from psycopg2.errors import SerializationFailure

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import SQL

from ..tools.words import _lt
from .words_field import WordsField

# Space of the advisory locks that let one user place one call at a time.
LOCK_SPACE = 0x74656C64
# A PBX has answered our request after this long, or never will (seconds).
ASKING = 30
# A second click on the same number so soon after the PBX has accepted it is the first one again (seconds).
SAME_CLICK = 5
# A call that the PBX tells of belongs to a click that was at most so long before it, or after it by a clock that is wrong.
LINK_BEFORE = timedelta(minutes=10)
LINK_AFTER = timedelta(minutes=2)
# So many last digits make two spellings the same number.
SAME_DIGITS = 7


def same_number(one, other):
    """Whether two spellings may be the same number: PBXs add exit codes, drop country codes, and some do both."""
    one, other = (re.sub(r'\D', '', number or '')[-SAME_DIGITS:] for number in (one, other))
    return len(one) == SAME_DIGITS and one == other


class TelephonyDial(models.Model):
    """A call that was started from Odoo: who clicked on which number of which record.

    It is written before the PBX is asked, in a transaction of its own: so a second click finds it, whatever becomes of the
    first, and so does the call, which the PBX may tell of before it answers us.
    """
    _name = 'telephony.dial'
    _description = "Call started from Odoo"
    _order = 'asked_at desc, id desc'
    _rec_name = 'number'

    user_id = fields.Many2one('res.users', required=True, readonly=True, index=True, ondelete='cascade')
    account_id = fields.Many2one('telephony.account', string="PBX", required=True, readonly=True, ondelete='cascade')
    company_id = fields.Many2one(related='account_id.company_id')
    extension = fields.Char(required=True, readonly=True)
    number = fields.Char(required=True, readonly=True, help="As +77771234567.")
    # no many2one: the record may be younger than the transaction that is still open
    res_model = fields.Char(string="Started From", readonly=True, help="crm.lead or res.partner.")
    res_id = fields.Many2oneReference(string="Record", model_field='res_model', readonly=True)
    activity_id = fields.Many2one('mail.activity', readonly=True, index='btree_not_null', ondelete='set null')
    asked_at = fields.Datetime(required=True, readonly=True, default=fields.Datetime.now)
    state = fields.Selection(
        [('asked', "PBX asked"), ('accepted', "Accepted"), ('refused', "Refused")],
        required=True, default='asked', readonly=True)
    complaint = WordsField(string="What the PBX Said", readonly=True)
    pbx_ref = fields.Char(
        string="ID Told at Once", readonly=True, help="What the PBX called the call when it was asked to place it.")
    call_ref = fields.Char(string="PBX Call ID", readonly=True, help="The call that came of it.")

    _open_idx = models.Index("(account_id, asked_at) WHERE call_ref IS NULL")
    _call_idx = models.Index("(account_id, call_ref) WHERE call_ref IS NOT NULL")

    # === ASKING THE PBX === #

    @api.model
    def _begin(self, values):
        """Remember a click. Commits, in a transaction of its own.

        :return: the id, or False where this click was made already
        :raise UserError: the user's phone is just being called for another number
        """
        with self.env.registry.cursor() as cr:
            # the session's lock, and then a new transaction: one that had waited for the lock would not see the other click
            cr.execute(SQL("SELECT pg_advisory_lock(%s, %s)", LOCK_SPACE, values['user_id']))
            cr.commit()    # pylint: disable=invalid-commit
            try:
                dial_model = self.with_env(self.env(cr=cr)).sudo()
                cr.execute(SQL(
                    """ SELECT number FROM telephony_dial
                         WHERE user_id = %(user)s AND asked_at > %(now)s - %(asking)s * interval '1 second' AND (
                               state = 'asked'
                            OR state = 'accepted' AND number = %(number)s
                               AND write_date > %(now)s - %(same)s * interval '1 second')
                      ORDER BY id DESC LIMIT 1 """,
                    user=values['user_id'], number=values['number'], now=fields.Datetime.now(), asking=ASKING,
                    same=SAME_CLICK))
                found = cr.fetchone()
                dial_id = not found and dial_model.create(values).id
                cr.commit()    # pylint: disable=invalid-commit
            finally:
                cr.rollback()
                cr.execute(SQL("SELECT pg_advisory_unlock(%s, %s)", LOCK_SPACE, values['user_id']))
        if found and found[0] != values['number']:
            raise UserError(self.env._("Your phone is just being called for %(number)s.", number=found[0]))
        return dial_id

    @api.model
    def _end(self, dial_id, **values):
        """Write what the PBX answered, in a transaction of its own: the filer may be linking the call at this moment."""
        for attempt in range(3):
            try:
                with self.env.registry.cursor() as cr:
                    self.with_env(self.env(cr=cr)).sudo().browse(dial_id).write(values)
                return
            except SerializationFailure:
                if attempt == 2:
                    raise

    # === LINKING THE CALL === #

    @api.model
    def _link(self, account, facts, existing):
        """Give outbound calls that were started from a record to this record. One query for all of them.

        :param dict facts: PBX call id → field values of the call, changed here
        :param dict existing: PBX call id → call that is filed already
        """
        outbound = {
            ref: values for ref, values in facts.items()
            if values['direction'] == 'outbound' and values['start_at']
            and not (ref in existing and existing[ref].match_state == 'manual')
        }
        if not outbound:
            return
        starts = [values['start_at'] for values in outbound.values()]
        dials = self.search_fetch(
            Domain('account_id', '=', account.id) & (
                Domain('call_ref', 'in', list(outbound)) | Domain('call_ref', '=', False)
                & Domain('asked_at', '>=', min(starts) - LINK_BEFORE) & Domain('asked_at', '<=', max(starts) + LINK_AFTER)),
            ['user_id', 'extension', 'number', 'res_model', 'res_id', 'asked_at', 'pbx_ref', 'call_ref'])
        for ref, values in sorted(outbound.items(), key=lambda item: item[1]['start_at']) if dials else ():
            dial = dials.filtered(lambda one, ref=ref: one.call_ref == ref) or dials._of_call(ref, values)
            if dial:
                if dial.call_ref != ref:
                    dial.call_ref = ref
                values.update(dial._owner(account.company_id, values, existing.get(ref)))

    def _of_call(self, ref, values):
        """The click that this call came of, if any: by the PBX's own id, else the same phone and number a short while
        before, the nearest first."""
        waiting = self.filtered(lambda dial: not dial.call_ref)
        if told := waiting.filtered(lambda dial: dial.pbx_ref == ref):
            return told[:1]
        start = values['start_at']
        return waiting.filtered(
            lambda dial: values['extension'] in (dial.extension, False)
            and dial.asked_at - LINK_AFTER <= start <= dial.asked_at + LINK_BEFORE
            and same_number(dial.number, values['customer_number'] or values['called_number'])
        ).sorted(lambda dial: abs(dial.asked_at - start))[:1]

    def _owner(self, company, values, call):
        """The field values that make a call that of the record from which it was started; {} where that is gone or another
        company's."""
        self.ensure_one()
        record = self.env[self.res_model].browse(self.res_id).exists() if self.res_model else None
        if not record or record.company_id not in (company, self.env['res.company']):
            return {}
        lead, partner = values.get('lead_id', call and call.lead_id.id), values.get('partner_id', call and call.partner_id.id)
        if record._name == 'crm.lead':
            return {
                'lead_id': record.id, 'partner_id': record.partner_id.id or partner, 'match_state': 'manual',
                'is_excluded': False,
                'match_reason': _lt("Called from this deal by %(user)s", user=self.user_id.name),
            }
        family = record.commercial_partner_id
        if lead and self.env['crm.lead'].browse(lead).partner_id.commercial_partner_id == family:
            return {'partner_id': record.id}    # the matcher knows which of his deals it is about
        deals = self.env['crm.lead'].search([
            ('won_status', '=', 'pending'), ('company_id', 'in', [False, company.id]),
            ('partner_id.commercial_partner_id', '=', family.id)], limit=2)
        if len(deals) > 1:
            return {
                'partner_id': record.id, 'lead_id': False, 'match_state': 'ambiguous',
                'match_reason': _lt("Called from this contact by %(user)s: choose the deal", user=self.user_id.name),
            }
        return {
            'partner_id': record.id, 'lead_id': deals.id, 'match_state': 'manual', 'is_excluded': False,
            'match_reason': _lt("Called from this contact by %(user)s", user=self.user_id.name),
        }

    @api.autovacuum
    def _gc_dials(self):
        """The call carries what came of it."""
        old = self.search([('asked_at', '<', fields.Datetime.now() - timedelta(days=30))], limit=10000)
        old.unlink()
        return len(old), len(old) == 10000
