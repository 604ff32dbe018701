"""Odoo's own runner runs the modules of this package that are named test_*."""

import importlib
import pkgutil

from . import test_account_form
from . import test_account_state
from . import test_acts
from . import test_alarms
from . import test_any_order
from . import test_architecture
from . import test_audio
from . import test_bad_surroundings
from . import test_beside_apps
from . import test_bridge
from . import test_bridge_log
from . import test_bridge_recordings
from . import test_browser_tells
from . import test_call_card
from . import test_call_control
from . import test_callbacks
from . import test_calls
from . import test_capture
from . import test_chatter
from . import test_claims
from . import test_provider_contract
from . import test_commands
from . import test_completeness
from . import test_copying
from . import test_debts
from . import test_demo_pbx
from . import test_docs
from . import test_erasure
from . import test_erlang
from . import test_figures
from . import test_figures_add_up
from . import test_figures_calling
from . import test_figures_tours
from . import test_fold
from . import test_get_started
from . import test_golden_callers
from . import test_holds
from . import test_inbox
from . import test_late_binding
from . import test_learning
from . import test_learning_tour
from . import test_line_test
from . import test_ledger
from . import test_listening
from . import test_live
from . import test_manual_call
from . import test_match_score
from . import test_matcher
from . import test_milestones
from . import test_nasty_requests
from . import test_neutralized
from . import test_numbers
from . import test_one_folder
from . import test_other_side
from . import test_player
from . import test_player_tours
from . import test_pop_tours
from . import test_recordings
from . import test_rehearsal
from . import test_release
from . import test_reprocess
from . import test_results
from . import test_retention
from . import test_rhythm
from . import test_rights
from . import test_rights_matrix
from . import test_routing
from . import test_rules
from . import test_rules_at_once
from . import test_taking_at_once
from . import test_settle
from . import test_speech_server
from . import test_live_speech
from . import test_spoken
from . import test_stages
from . import test_setup_file
from . import test_shares
from . import test_simulate
from . import test_test_call
from . import test_template_language
from . import test_template_records
from . import test_templates
from . import test_softphone
from . import test_tours
from . import test_transcripts
from . import test_turns
from . import test_uninstalling
from . import test_uploads
from . import test_views
from . import test_webhook
from . import test_words
from . import test_worker

# each PBX brings its own tests: test_adapter of providers/x is here as test_x_adapter
from . import providers

for _module in pkgutil.walk_packages(providers.__path__, f'{providers.__name__}.'):
    *_parents, _pbx, _name = _module.name.split('.')
    if _name.startswith('test_'):
        globals()[_name.replace('test', f'test_{_pbx}', 1)] = importlib.import_module(_module.name)
