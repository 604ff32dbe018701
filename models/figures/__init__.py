from . import call_facts
from . import milestone
from . import report
from . import people
from . import lines
from . import sources
from . import mine
from . import recompute
