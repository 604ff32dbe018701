"""What each PBX can be asked and told over its API. Every module beside this one is imported and
registers itself."""

import importlib
import pkgutil

from .base import CAPABILITIES, clients

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f'{__name__}.{_module.name}')

__all__ = ['CAPABILITIES', 'clients']
