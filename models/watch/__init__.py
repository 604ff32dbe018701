from . import differences
from . import completeness
from . import comparison
from . import reprocess
