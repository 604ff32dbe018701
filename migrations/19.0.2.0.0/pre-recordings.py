"""Fills the new columns of recordings by one statement, because Odoo would compute them one by one.
Nothing of ours holds a copy yet."""


def migrate(cr, version):
    cr.execute("""
        ALTER TABLE telephony_recording
            ADD COLUMN IF NOT EXISTS account_id integer,
            ADD COLUMN IF NOT EXISTS start_at timestamp without time zone,
            ADD COLUMN IF NOT EXISTS megabytes double precision,
            ADD COLUMN IF NOT EXISTS hours double precision""")
    cr.execute("""
        UPDATE telephony_recording AS recording
           SET account_id = call.account_id, start_at = call.start_at,
               megabytes = 0, hours = recording.duration / 3600.0
          FROM telephony_call AS call
         WHERE call.id = recording.call_id""")
