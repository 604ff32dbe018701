"""What stands in the way of what was erased: it is recognised by fingerprints, whatever tells of it
again."""

from datetime import timezone

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL, format_date

from ...providers.numbers import to_e164
from ...tools.fingerprint import fingerprint

# What stands in a required column where a number was.
ERASED = '***'


class TelephonyErasedCall(models.Model):
    """A call that was erased, by the fingerprint of its reference: whatever the PBX, its own log or a
    person with the replay button tells of it, no call is made of it."""

    _name = 'telephony.erased.call'
    _description = "Erased call"

    account_id = fields.Many2one(
        'telephony.account', required=True, readonly=True, ondelete='cascade'
    )
    key_hash = fields.Char(required=True, readonly=True)

    _key_uniq = models.UniqueIndex('(account_id, key_hash)', "This call was erased already.")

    @api.model
    def _hash(self, account, ref):
        return fingerprint(self.env, 'call', f'{account.id}:{ref}')

    @api.model
    def _remember(self, account, refs):
        """Store that the calls with these references were erased."""
        if hashes := sorted({self._hash(account, ref) for ref in refs if ref}):
            self.env.execute_query(
                SQL(
                    """ INSERT INTO telephony_erased_call
                           (account_id, key_hash, create_uid, create_date, write_uid, write_date)
                    SELECT %(account)s, hash, %(uid)s, %(now)s, %(uid)s, %(now)s FROM unnest(%(hashes)s) AS hash
                        ON CONFLICT DO NOTHING RETURNING id """,
                    account=account.id,
                    hashes=hashes,
                    uid=self.env.uid,
                    now=fields.Datetime.now(),
                )
            )

    @api.model
    def _among(self, account, records):
        """Return the references of erased calls among these, in one query.

        Of an erased number no call is filed either that began before the erasure, by whatever
        reference: PBXs tell some calls by one reference at once and by another in their log.

        :param dict records: call reference → CallRecord or None
        """
        by_call = {self._hash(account, ref): ref for ref in records}
        by_number = {}
        for ref, record in records.items():
            for number in self._numbers_of(account, record) if record else ():
                by_number.setdefault(fingerprint(self.env, 'number', number), []).append(ref)
        rows = self.env.execute_query(
            SQL(
                """ SELECT key_hash, NULL::timestamp FROM telephony_erased_call
                     WHERE account_id = %s AND key_hash = ANY(%s)
                 UNION ALL
                    SELECT key_hash, until FROM telephony_erased_number
                     WHERE company_id = %s AND key_hash = ANY(%s) """,
                account.id,
                list(by_call),
                account.company_id.id,
                list(by_number),
            )
        )
        gone = {by_call[key] for key, until in rows if not until}
        before = {
            ref
            for key, until in rows
            if until
            for ref in by_number[key]
            if _naive(records[ref].start_at) <= until
        } - gone
        if before:
            # what is in the log still is held, or about to be erased
            before -= set(
                self.env['telephony.call']
                .search([('account_id', '=', account.id), ('external_id', 'in', list(before))])
                .mapped('external_id')
            )
            self._remember(account, before)
        return gone | before

    @api.model
    def _numbers_of(self, account, record):
        """Return the outside numbers of a folded call, E.164."""
        settings = account._settings()
        country, codes = settings.country, settings.outside_codes
        dialled = record.direction == 'outbound'
        return {
            to_e164(record.caller, country, codes),
            to_e164(record.called, country, codes, dialled),
        } - {''}


class TelephonyErasedNumber(models.Model):
    """A number that was erased, by its fingerprint. Calls that began before the erasure are not
    filed any more; who calls after it is a customer as any other."""

    _name = 'telephony.erased.number'
    _description = "Erased number"

    company_id = fields.Many2one('res.company', required=True, readonly=True, ondelete='cascade')
    key_hash = fields.Char(required=True, readonly=True)
    until = fields.Datetime(required=True, readonly=True)

    _key_uniq = models.UniqueIndex('(company_id, key_hash)', "This number was erased already.")

    @api.model
    def _remember(self, company, hashes, until):
        """Store that no call of these numbers that began until then is filed any more.

        :param datetime until: naive UTC
        """
        for key_hash in hashes:
            known = self.search([('company_id', '=', company.id), ('key_hash', '=', key_hash)])
            if not known:
                self.create({'company_id': company.id, 'key_hash': key_hash, 'until': until})
            elif known.until < until:
                known.until = until
        if not company.telephony_has_erased:
            company.telephony_has_erased = True

    @api.model
    def _until(self, company, number):
        """Return when this E.164 number was erased (naive UTC), else False."""
        if not number or not company.telephony_has_erased:
            return False
        key_hash = fingerprint(self.env, 'number', number)
        return self.search(
            [('company_id', '=', company.id), ('key_hash', '=', key_hash)], limit=1
        ).until


class TelephonyEvent(models.Model):
    _inherit = 'telephony.event'

    @api.model
    def _on_unwanted(self, account, records):
        unwanted = super()._on_unwanted(account, records)
        # cached with the account, so that nobody pays for it who never erases
        if account.company_id.telephony_has_erased:
            unwanted |= self.env['telephony.erased.call'].sudo()._among(account, records)
        return unwanted


class TelephonyAccount(models.Model):
    _inherit = 'telephony.account'

    def _on_stray_recording(self, call_ref):
        """An erased call never comes back, so its file is not wanted either."""
        unwanted = self.env['telephony.event']._on_unwanted(self, {call_ref: None})
        return super()._on_stray_recording(call_ref) or call_ref in unwanted


class TelephonyCall(models.Model):
    """A call that was erased: it counts, and says nothing."""

    _inherit = 'telephony.call'

    erasure_id = fields.Many2one(
        'telephony.erasure',
        string="Erased By",
        readonly=True,
        copy=False,
        index='btree_not_null',
        ondelete='set null',
        groups='crm_telephony.group_privacy',
        help="Number, contact, deal, note and sound of this call were erased on request.",
    )
    is_erased = fields.Boolean(string="Erased", compute='_compute_is_erased')

    @api.depends('erasure_id')
    def _compute_is_erased(self):
        for call in self:
            call.is_erased = bool(call.sudo().erasure_id)

    def _before_written_by_user(self, vals):
        super()._before_written_by_user(vals)
        self._check_not_erased()

    def _before_chosen(self):
        further = super()._before_chosen()
        self._check_not_erased()
        return further

    def _check_not_erased(self):
        """:raise AccessError: one of the calls was erased"""
        if any(self.mapped('is_erased')):
            raise AccessError(
                self.env._(
                    "This call was erased on request: it only counts in reports, and nobody writes anything on it."
                )
            )

    def _before_by_hand(self, company, values):
        super()._before_by_hand(company, values)
        until = (
            self.env['telephony.erased.number']
            .sudo()
            ._until(company.sudo(), values.get('customer_number'))
        )
        if any(self.mapped('is_erased')) or until and values['start_at'] <= until:
            raise UserError(
                self.env._(
                    "What was known of this number until %(day)s was erased on request, so no earlier call of it can be "
                    "logged.",
                    day=format_date(self.env, (until or fields.Datetime.now()).date()),
                )
            )


class TelephonyCallback(models.Model):
    _inherit = 'telephony.callback'

    def _before_written(self, vals):
        if vals.get('state') == 'open' and ERASED in self.mapped('customer_number'):
            raise UserError(
                self.env._(
                    "The customer of this callback was erased on request: nobody can call back."
                )
            )
        return super()._before_written(vals)


def _naive(moment):
    return moment.astimezone(timezone.utc).replace(tzinfo=None)
