"""Durations as people read them, and the pauses before something is tried again."""

from datetime import timedelta

from odoo import fields

# Pauses before what failed by our own fault is tried again; after the last one only a person can.
RETRY_MINUTES = (1, 5, 30, 120, 360, 1440)


def clock(seconds):
    """A duration: 65 → '1:05', 3700 → '1:01:40'."""
    minutes, seconds = divmod(int(seconds or 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02}:{seconds:02}' if hours else f'{minutes}:{seconds:02}'


def next_try(attempts):
    """When something that has failed so often is tried again (naive UTC); False for never."""
    return attempts <= len(RETRY_MINUTES) and fields.Datetime.now() + timedelta(
        minutes=RETRY_MINUTES[attempts - 1]
    )
