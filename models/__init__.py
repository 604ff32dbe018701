# In the order of the data: a stage extends those above it by their hooks, and calls nothing of those below it.
from . import core
from . import pbx
from . import inbox
from . import calls
from . import matching
from . import callbacks
from . import recordings
from . import transcripts
from . import rules
from . import figures
from . import screen
from . import softphone
from . import watch
from . import privacy
