from . import ir_attachment
from . import sound
from . import probing
from . import player
from . import listen
from . import listening
from . import share
