from . import card
from . import control
from . import click_to_call
from . import call_reason
from . import live
from . import recording
from . import session
from . import mail_activity
