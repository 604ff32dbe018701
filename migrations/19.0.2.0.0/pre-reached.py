"""Whether a call reached its customer is kept on the call. Here at once, not call by call; past
results change nothing."""


def migrate(cr, version):
    cr.execute("ALTER TABLE telephony_call ADD COLUMN IF NOT EXISTS is_reached boolean")
    cr.execute(
        "UPDATE telephony_call SET is_reached = TRUE WHERE outcome = 'answered' AND is_short IS NOT TRUE"
    )
