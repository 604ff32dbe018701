-- a copy of a production database must neither accept the PBX's webhooks nor be able to call it
UPDATE telephony_account
   SET active = false, api_key = NULL, api_secret = NULL, webhook_token = 'neutralized-' || id;
