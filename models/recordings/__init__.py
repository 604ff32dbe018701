from . import ir_attachment
from . import sound
from . import upload
from . import bridge
