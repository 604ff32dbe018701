from . import telephony_callback_cancel
