from . import event
from . import capture
from . import account
from . import capturing
from . import mapping
