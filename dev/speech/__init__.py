"""A real speech engine beside Odoo: speech_server/ with a small model.

- engine.py: its environment and its model, made once; a server that runs
- __main__.py: `make speech` and `make test-speech`
- sounds/: two telephone talks, and what is said in them
"""
