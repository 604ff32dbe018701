"""The whole set-up in order, for the commands that run inside the virtual environment."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from . import chromium, locks, odoo_source, paths, postgres
from .console import fail
from .database import Databases
from .odoo import Odoo, link_addon


@dataclass(frozen=True)
class Workplace:
    odoo: Odoo
    databases: Databases

    def environment(self) -> dict[str, str]:
        """For a shell, a bench, a test: the environment's programs and `odoo` on the PATH, psql
        talks to our server."""
        programs = [self.odoo.write_launcher().parent, Path(sys.prefix) / 'bin']
        path = os.pathsep.join((*map(str, programs), os.environ.get('PATH', '')))
        return {
            **self.odoo.environment(),
            'PATH': path,
            'VENV': sys.prefix,
            'ADDONS_DIR': str(paths.ADDONS_DIR),
            'CONF_DIR': str(paths.CHECKOUT / 'conf'),
        }


def ensure(*, addon: bool = True, browser: bool = False) -> Workplace:
    """All that a command needs; what is there already costs a moment."""
    if addon and not (paths.REPO / '__manifest__.py').exists():
        fail(f'{paths.REPO} holds no addon yet (no __manifest__.py)')
    link_addon()
    with locks.setting_up():
        odoo = Odoo(odoo_source.ensure(), postgres.ensure())
        if browser:
            chromium.ensure()
    return Workplace(odoo, Databases(odoo))
