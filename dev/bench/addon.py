"""The rooms of the addon that are plain Python, without Odoo: `from .addon.speech import audio`."""

from pathlib import Path

__path__ = [str(Path(__file__).resolve().parents[2])]
