"""PBX adapters. Pure Python: nothing in this package imports Odoo.

Every module beside this one is imported, and an adapter registers itself: a new PBX is one file.
"""

import importlib
import pkgutil

from .base import registry

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f'{__name__}.{_module.name}')

__all__ = ['registry']
