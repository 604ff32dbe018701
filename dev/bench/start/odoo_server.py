"""Odoo as a script. Servers with workers start their websocket process by the name of the script,
and under `python -m odoo` that process dies and is started again many times a second."""

from odoo.cli.command import main

main()
