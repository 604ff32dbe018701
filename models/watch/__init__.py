from . import differences
from . import completeness
from . import comparison
