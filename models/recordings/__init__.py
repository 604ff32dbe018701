from . import ir_attachment
from . import sound
from . import file
from . import pbx_copy
from . import hold
from . import retention
from . import by_hand
