from . import rule
from . import rule_action
from . import effect
from . import effect_sms
from . import follow_up
from . import chatter
from . import mail_message
from . import sms_sms
