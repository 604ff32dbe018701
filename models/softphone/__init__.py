from . import account
from . import extension
from . import lease
from . import dial
from . import session
from . import call_quality
