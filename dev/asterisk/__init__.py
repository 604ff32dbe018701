"""A real Asterisk with SIPp as telephones and as the telephone network, all on the loopback
interface.

    root        a Debian root with both programs, in the cache directory
    server      Asterisk with the configuration of etc/, started and stopped
    dialogs     what a SIPp telephone does, as a SIPp scenario
    phones      SIPp processes
    ami         commands for Asterisk, and events to wait for
    scenarios   the calls and what has to become of them
    browsers    Asterisk beside `make run`, for browser phones
    stage       Asterisk, the bridge and an Odoo server together

`make asterisk` starts one to develop against, `make test-asterisk` plays the calls
(tests/providers/asterisk/test_live.py, test_live_browser.py).
"""
