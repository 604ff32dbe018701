-- a copy of a production database must neither accept the PBX's webhooks nor be able to call it
UPDATE telephony_account
   SET active = false, api_key = NULL, api_secret = NULL, webhook_token = 'neutralized-' || id;
-- nor fetch its recordings: their addresses need no login at some PBXs
UPDATE telephony_recording
   SET url = 'neutralized-' || id, next_try_at = NULL, copy_next_at = NULL
 WHERE url IS NOT NULL OR next_try_at IS NOT NULL OR copy_next_at IS NOT NULL;
