from . import log_mask
from . import health
from . import recording
from . import setup_file
from . import share
from . import softphone
from . import webhook
