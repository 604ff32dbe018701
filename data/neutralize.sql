-- a copy of a production database must neither accept the PBX's webhooks nor be able to call it
UPDATE telephony_account
   SET active = false, api_key = NULL, api_secret = NULL, webhook_token = 'neutralized-' || id;
-- nor take the phones of its users away from their browsers
UPDATE telephony_account SET sip_ws_url = NULL, turn_secret = NULL, turn_urls = NULL, ice_policy = 'all';
UPDATE telephony_extension SET sip_password = NULL;
DELETE FROM telephony_softphone;
-- nor play what was shared with people outside
UPDATE telephony_share SET state = 'revoked' WHERE state = 'active';
-- nor fetch its recordings: their addresses need no login at some PBXs
UPDATE telephony_recording
   SET url = 'neutralized-' || id, next_try_at = NULL, copy_next_at = NULL
 WHERE url IS NOT NULL OR next_try_at IS NOT NULL OR copy_next_at IS NOT NULL;
-- nor delete them there: neither by its API nor by its bridge; and keep its own copies
UPDATE telephony_recording
   SET pbx_copy = 'unknown', pbx_copy_next_at = NULL, pbx_copy_ref = NULL, pbx_copy_call = NULL
 WHERE pbx_copy = 'deleting';
UPDATE res_company
   SET telephony_retention_rules = NULL, telephony_retention_allowed = 0;
-- nor listen on
DELETE FROM telephony_capture;
UPDATE telephony_account SET capture_until = NULL;
-- nor send talks to a speech engine
UPDATE telephony_speech_engine
   SET api_key = NULL, url = 'http://127.0.0.1:9/neutralized-' || id, state = 'stopped';
-- nor answer the monitoring that asks how the original does
UPDATE res_company SET telephony_health_token = NULL;
