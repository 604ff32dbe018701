"""The PBXs as tests/providers plays them: dialects, scenarios and stand-ins are test code, and this
package's modules are the files there. They know neither Odoo nor the addon."""

from pathlib import Path

__path__ = [str(Path(__file__).resolve().parents[2] / 'tests' / 'providers')]
