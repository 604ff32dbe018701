from . import template
from . import account
from . import commands
from . import number
from . import extension
from . import res_users
