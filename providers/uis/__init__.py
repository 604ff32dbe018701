from . import adapter, client
