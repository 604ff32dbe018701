"""Where everything lies: one directory in the user's cache, shared by all checkouts, with a corner
for each."""

import hashlib
import os
from pathlib import Path


def hashed(text: str) -> str:
    """A short name for something long."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


REPO = Path(__file__).resolve().parents[2]
ADDON = 'crm_telephony'

CACHE = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache').absolute() / ADDON
LOGS = CACHE / 'log'
DATA = CACHE / 'data'  # Odoo's data_dir: sessions; attachments live in the databases

# Two checkouts side by side share downloads, environment and templates, but neither addons path nor
# test database.
CHECKOUT_ID = hashed(str(REPO))
CHECKOUT = CACHE / 'checkouts' / CHECKOUT_ID
# holds the symlink `crm_telephony`, whatever the checkout's directory is called
ADDONS_DIR = CHECKOUT / 'addons'
