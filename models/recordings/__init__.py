from . import ir_attachment
from . import sound
from . import playing
from . import policy
from . import copying
from . import copies
from . import probing
