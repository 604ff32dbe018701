from . import ir_attachment
from . import sound
from . import probing
from . import player
