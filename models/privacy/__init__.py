from . import erased
from . import erasure
from . import places
from . import texts
from . import report
from . import uninstalling
