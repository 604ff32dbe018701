import shutil
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from odoo import api, fields, models
from odoo.tools import config

from ...tools.reach import reach_of
from ...tools.words import _lt
from .alarm import CRON, Finding

# Without these no call is filed or nobody is asked to call back.
VITAL = (
    'crm_telephony.ir_cron_process_events',
    'crm_telephony.ir_cron_follow_up',
    'crm_telephony.ir_cron_callback_clock',
)
# A scheduled action may be late by half of its interval, but at least and at most by so much.
LEAST_LATE, MOST_LATE = timedelta(minutes=15), timedelta(hours=6)
MOST_FAILURES = 3
INTERVALS = {
    'minutes': timedelta(minutes=1),
    'hours': timedelta(hours=1),
    'days': timedelta(days=1),
    'weeks': timedelta(weeks=1),
    'months': timedelta(days=30),
}
# So lately a PBX has reached us, whatever its address looks like.
REACHED = timedelta(days=1)
# So much room a disk should have: bytes, and share of the whole.
ROOM, SHARE_OF_ROOM = 1024**3, 0.01
MEGABYTE = 1024**2


class TelephonyAccount(models.Model):
    """Remembers under which host the PBX was told to reach Odoo."""

    _inherit = 'telephony.account'

    known_host = fields.Char(readonly=True, copy=False, groups='crm_telephony.group_admin')

    def _host(self):
        """Return the host of the webhook address, with its scheme."""
        parts = urlsplit(self.sudo().webhook_url or '')
        return f'{parts.scheme}://{parts.netloc}'


class TelephonyAlarm(models.Model):
    """Finds what is wrong with Odoo itself: scheduled actions, address, disk."""

    _inherit = 'telephony.alarm'

    @api.model
    def _find_crons(self, _accounts):
        found, now, watched = [], fields.Datetime.now(), self._watched_since()
        for xml_id, cron in self._our_crons().items():
            values, since = {'action': cron.cron_name}, None
            if not cron.active:
                text = _lt("The scheduled action “%(action)s” is switched off", **values)
            elif cron.failure_count >= MOST_FAILURES:
                text = _lt(
                    "The scheduled action “%(action)s” has failed %(count)s times in a row",
                    count=cron.failure_count,
                    **values,
                )
                since = cron.first_failure_date
            elif max(cron.nextcall, watched) < now - _lateness(cron):
                text = _lt(
                    "The scheduled action “%(action)s” should have run at %(at)s",
                    at=cron.nextcall,
                    **values,
                )
                since = cron.nextcall
            else:
                continue
            code = 'cron_vital' if xml_id in VITAL else 'cron'
            nowhere = self.env['telephony.account']
            found.append(Finding(code, nowhere, text, xml_id.partition('.')[2], since))
        return found

    @api.model
    def _our_crons(self):
        """Return our scheduled actions, those that are switched off too, except the watch itself:
        dict xml id → ir.cron."""
        ours = (
            self.env['ir.model.data']
            .sudo()
            .search([('module', '=', 'crm_telephony'), ('model', '=', 'ir.cron')])
        )
        crons = self.env['ir.cron'].sudo().with_context(active_test=False, lang=None)
        by_id = {cron.id: cron for cron in crons.search([('id', 'in', ours.mapped('res_id'))])}
        return {
            data.complete_name: by_id[data.res_id]
            for data in ours
            if data.res_id in by_id and data.complete_name != CRON
        }

    @api.model
    def _find_address(self, accounts):
        """Find webhook addresses that no PBX can reach, and those that have changed."""
        now, found = fields.Datetime.now(), []
        spoke = self.env['telephony.event']._last_delivered(accounts)
        setting = self.env['ir.config_parameter'].sudo().search([('key', '=', 'web.base.url')])
        for account in accounts:
            host = account._host()
            if not account.known_host:
                account.known_host = host
            elif account.known_host != host:
                text = _lt(
                    "Odoo's address has changed from %(old)s to %(new)s (%(user)s, %(at)s), so %(pbx)s has another one than "
                    "its form shows",
                    old=account.known_host,
                    new=host,
                    user=setting.write_uid.name or '',
                    at=setting.write_date,
                    pbx=account.name,
                )
                found.append(Finding('base_url', account, text))
            is_reached = spoke.get(account.id, now - 2 * REACHED) > now - REACHED
            inside = account._adapter().stands_inside
            reach = reach_of(account.webhook_url)
            if not is_reached and (reach == 'machine' or reach == 'network' and not inside):
                text = _lt("%(pbx)s cannot reach Odoo at %(host)s", pbx=account.name, host=host)
                found.append(Finding('address', account, text))
        return found

    def _accept_addresses(self):
        """Remember the new address of Odoo as the right one, where an administrator has said so."""
        for account in self.filtered(lambda alarm: alarm.code == 'base_url').account_id:
            account.known_host = account._host()

    @api.model
    def _find_disk(self, _accounts):
        folder = Path(config.filestore(self.env.cr.dbname))
        # it is made with the first file
        folder = next(place for place in (folder, *folder.parents) if place.exists())
        usage = shutil.disk_usage(folder)
        if usage.free >= min(ROOM, usage.total * SHARE_OF_ROOM):
            return []
        text = _lt("The disk of Odoo's files has %(free)s MB left", free=usage.free // MEGABYTE)
        return [Finding('disk', self.env['telephony.account'], text)]


def _lateness(cron):
    """Return by how much a scheduled action may be late, because others run before it."""
    interval = INTERVALS[cron.interval_type] * cron.interval_number
    return min(max(interval / 2, LEAST_LATE), MOST_LATE)
