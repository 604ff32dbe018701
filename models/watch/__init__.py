from . import test_call
from . import evidence
from . import progress
from . import tested
from . import get_started
