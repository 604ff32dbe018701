"""A PBX in a box: named scenarios, told in the dialect of any PBX, posted to any server.

scenarios.py    what happens in a call, without any PBX
dialects/       how a PBX tells it, written from the PBX's documentation alone: nothing here imports the addon
post.py         HTTP
day.py          a day of the fictional wholesaler of demo/
odoo.py         what the day needs of Odoo besides webhooks: who calls, the sound of recordings
__main__.py     the commands: play, day, live
"""
