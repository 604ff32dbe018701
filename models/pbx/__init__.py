from . import account
from . import account_commands
from . import number
from . import extension
from . import routing
