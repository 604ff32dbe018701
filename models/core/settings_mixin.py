from odoo import api, models


class TelephonySettingsMixin(models.AbstractModel):
    """Clear the registry's cache when a record changes that adapters know through
    `telephony.account._settings`, because that is cached."""

    _name = 'telephony.settings.mixin'
    _description = "Settings of a PBX"

    # Fields whose change clears the cache; None for all. Each clearing costs every worker all that
    # it has cached.
    _cached_fields = None

    @api.model_create_multi
    def create(self, vals_list):
        records = super().create(vals_list)
        self._forget_settings()
        return records

    def write(self, vals):
        names = (
            None if self._cached_fields is None else sorted(self._cached_fields.intersection(vals))
        )
        before = names and [[record[name] for name in names] for record in self]
        result = super().write(vals)
        if (
            names is None
            or before
            and before != [[record[name] for name in names] for record in self]
        ):
            self._forget_settings()
        return result

    def unlink(self):
        result = super().unlink()
        self._forget_settings()
        return result

    def _forget_settings(self):
        """Clear the cached settings now and after the commit, because a delivery may read the old
        ones in between."""
        self.env.registry.clear_cache()
        self.env.cr.postcommit.add(self.env.registry.clear_cache)
