from . import telephony_callback_cancel
from . import telephony_callback_done
from . import telephony_manual_call
from . import telephony_recording_delete
from . import telephony_retention_trial
from . import telephony_settle
from . import telephony_rehearsal
