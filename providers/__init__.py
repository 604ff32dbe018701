"""PBXs, one folder each. Pure Python: nothing in this package imports Odoo.

A folder has the adapter (what the PBX tells), mostly a client (what it can be asked and told) and a
README. Every folder beside this file is imported, and what is in it registers itself.
"""

import importlib
import pkgutil

from .base import registry
from .client import clients


def load():
    """Import every PBX that is not imported yet."""
    for found in pkgutil.iter_modules(__path__):
        if found.ispkg:
            importlib.import_module(f'{__name__}.{found.name}')


load()

__all__ = ['clients', 'load', 'registry']
