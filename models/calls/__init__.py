from . import call
from . import call_leg
from . import recording
from . import disposition
from . import calls_mixin
from . import crm_lead
from . import res_partner
