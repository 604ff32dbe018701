"""`make bench`: the addon's speed against its goals, each as a ratio to a floor that is measured in
the same rounds.

    __main__    which benches, and the table
    load        the client
    server      Odoo servers to be measured
    webhook     P1 to P4, A1 and memory: deliveries
    template    A2: hostile bodies against a template
    lookup      P5 to P7: who is calling, at a million contacts
    pop         P8: from the PBX's POST to the card on the screen; page loads
    late        deliveries while past calls are given to contacts that came after them
    history     P9 to P12: charts, lists and counts on a long call log
    follow_up   P13: what ended calls lead to
    listening   R3: beginning to listen, with its line of the log
    erasure     R9: the preview of an erasure, and how fast texts are read
    retention   R8: recordings whose time has come
    survival    P14 to P16: killed servers, a poisoned event, calls whose end never came
    recordings  R1, R2: our copies of recordings, stored and played
    sound       R6: what is found in a recording
    upload      R10: a large file that the bridge uploads, beside its events
    sizes       how much of it: the whole, --quick, --smoke
    data        databases filled by SQL, kept for later runs
    addon       the addon's plain Python, without Odoo
    addons      the floor's routes: a throw-away addon that no user gets

Absolute figures depend on the machine and on what else it does; the ratios and the goals are what
to look at.
"""
