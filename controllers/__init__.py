from . import recording
from . import webhook
