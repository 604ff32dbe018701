from . import call_facts
