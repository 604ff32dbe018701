"""A PBX in a box: named scenarios, told in the dialect of any PBX, posted to any server.

- providers.py: what happens in a call and how each PBX tells it; the files are in tests/providers
- post.py: HTTP
- day.py: a day of the fictional wholesaler of demo/
- switchboard.py: calls that go on now and obey: ended and passed on as Odoo says
- pbx.py: the demo's PBXs as servers, while `make run` is up
- live.py: a slow trickle of calls
- odoo.py: what the day needs of Odoo besides webhooks: who calls, the sound of recordings
- __main__.py: the commands play, day and call
"""
