"""Turns telephone talks into text: a small server beside the CRM, for models that lie on its disk."""

__version__ = '1.0.0'
