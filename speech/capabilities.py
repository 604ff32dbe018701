"""The optional parts with which sound is read, and what is lost without them.

A part is looked for when it is first needed, because a server that measures no recording should not
carry it in memory.
"""

from __future__ import annotations

import importlib
import shutil
from functools import cache
from types import ModuleType

from ..tools.words import Words
from ..tools.words import _lt as _


@cache
def part(name: str) -> ModuleType | str | None:
    """Return an optional part: the module `numpy` or `soundfile`, or the path of the program
    `ffmpeg`. None if it is not installed."""
    if name == 'ffmpeg':
        return shutil.which(name)
    try:
        return importlib.import_module(name)
    except (ImportError, OSError):  # OSError: soundfile is there, its library is not
        return None


def missing() -> list[Words]:
    """Return a sentence for each part that is not installed: what is lost, and what to install."""
    found = []
    if not part('soundfile'):
        found.append(
            _(
                "soundfile is not installed, so ffmpeg reads recordings in MP3, Ogg, FLAC and GSM, which takes "
                "longer. Install it into the Python of the server (pip install soundfile) and restart the server."
            )
            if part('ffmpeg')
            else _(
                "soundfile is not installed, so only WAV recordings get a waveform; those in MP3, Ogg, FLAC and GSM can "
                "only be played. Install it into the Python of the server (pip install soundfile) and restart the server."
            )
        )
    if not part('ffmpeg'):
        found.append(
            _(
                "ffmpeg is not installed, so recordings in M4A, AAC and AMR get no waveform and can only be played. "
                "If your PBX makes such files, install the package ffmpeg on the server and restart the server."
            )
        )
    if not part('numpy'):
        found.append(
            _(
                "numpy is not installed, so measuring a recording takes several times as long. "
                "Install it into the Python of the server (pip install numpy) and restart the server."
            )
        )
    return found
