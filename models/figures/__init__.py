from . import call_facts
from . import report
