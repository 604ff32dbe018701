import json
from contextlib import suppress
from datetime import timedelta, timezone
from statistics import median

from odoo import api, fields, models

from ...providers.base import ProviderError, Stored, doubting
from ...tools.words import _lt
from ..inbox.event import NOT_DELIVERED
from .alarm import Finding

# So many deliveries of the last days are compared with the clock of the server, at least so many.
MOST, FEWEST, WITHIN = 30, 5, timedelta(days=2)
# So far (seconds) a clock may be wrong. What comes late may also have waited somewhere.
AHEAD, BEHIND, STEADY = 120, 600, 60
# Zones differ by half hours, and clocks in them by no more than this (seconds).
ZONE_STEP, ZONE_SLACK = 1800, 180


def skew_of(differences):
    """Return by how many seconds a PBX's clock is ahead of ours, negative if it is behind; 0 if it is
    right, or not known.

    :param differences: what each delivery told as its time, minus its arrival, in seconds. A PBX
        tells what happens when it happens, so it is its quickest deliveries that count
    """
    if len(differences) < FEWEST:
        return 0
    ordered = sorted(differences)
    quick, usual = ordered[-max(len(ordered) // 5, 2) :], median(ordered)
    if usual > AHEAD:
        return round(usual)
    # a clock is behind by the same in all of them, what waited somewhere is not
    is_clock = quick[-1] < -BEHIND and quick[-1] - quick[0] < STEADY
    return round(quick[0]) if is_clock else 0


def zone_hours(skew):
    """Return by how many hours a skew looks like that of a wrong time zone, 0 if it does not."""
    steps = round(skew / ZONE_STEP)
    return steps / 2 if steps and abs(skew - steps * ZONE_STEP) <= ZONE_SLACK else 0


class TelephonyAlarm(models.Model):
    """Finds PBXs whose clock or time zone is wrong, by the times that they tell of what has just
    happened."""

    _inherit = 'telephony.alarm'

    @api.model
    def _find_clock(self, accounts):
        found = []
        for account in accounts:
            skew = skew_of(self._differences(account))
            if not skew:
                continue
            values = {'pbx': account.name, 'zone': account.timezone}
            if hours := zone_hours(skew):
                values['hours'] = f'{abs(hours):g}'
                text = (
                    _lt(
                        "%(pbx)s tells times %(hours)s h ahead of ours, read in the zone %(zone)s",
                        **values,
                    )
                    if skew > 0
                    else _lt(
                        "%(pbx)s tells times %(hours)s h behind ours, read in the zone %(zone)s",
                        **values,
                    )
                )
                found.append(Finding('zone', account, text))
                continue
            values['minutes'] = max(round(abs(skew) / 60), 1)
            text = (
                _lt("The clock of %(pbx)s is %(minutes)s min ahead", **values)
                if skew > 0
                else _lt("The clock of %(pbx)s is %(minutes)s min behind", **values)
            )
            found.append(Finding('clock', account, text))
        return found

    @api.model
    def _differences(self, account):
        """Return how much later (seconds) than its arrival the latest deliveries of a PBX say that
        they happened."""
        events = self.env['telephony.event'].search_fetch(
            [
                ('account_id', '=', account.id),
                ('state', '=', 'done'),
                ('kind', 'not in', NOT_DELIVERED),
                ('received_at', '>', fields.Datetime.now() - WITHIN),
            ],
            ['payload', 'received_at', 'kind'],
            limit=MOST,
            order='received_at desc',
        )
        adapter, settings, differences = account._adapter(), account._settings(), []
        for event in events:
            arrival = event.received_at.replace(tzinfo=timezone.utc)
            stored = Stored(json.loads(event.payload), arrival)
            with suppress(ProviderError), doubting() as doubts:
                told = adapter.translate([stored], settings)
                moments = [at for call in told for at in (call.at, call.started_at) if at]
                if moments and 'time' not in doubts:
                    differences.append((max(moments) - arrival).total_seconds())
        return differences
