"""Makes a machine ready for `crm_telephony`: everything lands in one cache directory, only a
browser in the system.

One file per concern, each with an `ensure()` that is cheap when the work is done already:

    console        progress lines, running a command with a heartbeat, failing readably
    locks          one at a time
    process        servers that run beside us
    paths          where everything lies
    system         packages of the operating system, root or sudo
    apt            Debian packages unpacked in the cache instead of installed
    python_env     the virtual environment, and starting a command inside it
    odoo_source    Odoo 19 itself
    postgres       a private PostgreSQL cluster, or the server that PGHOST names
    chromium       the browser for tours and screenshots
    odoo           configuration files and calls of Odoo
    database       template databases, copies, what a database remembers about itself
    workplace      all of the above in order, as one object for `dev/run.py`, `dev/test.py`, ...
    remove         the way back

A command starts as `python3 -m dev.setup.python_env dev.run`: that makes the environment with the
standard library alone and goes on inside it with `python -m dev.run`.
"""
