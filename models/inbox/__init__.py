from . import event
from . import account
