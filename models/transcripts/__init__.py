from . import engine
from . import route
from . import transcript
from . import said
from . import transcribing
from . import recording
