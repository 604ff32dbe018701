"""Taking down what the set-up made: stop, distclean. Works without the virtual environment."""

import shutil
import sys

from . import paths, postgres
from .console import readable_failures, say


def stop() -> None:
    postgres.stop()


def distclean() -> None:
    """Remove all that was fetched or made outside the repository."""
    postgres.stop()
    shutil.rmtree(paths.CACHE, ignore_errors=True)
    say(f'removed {paths.CACHE}')


if __name__ == '__main__':
    with readable_failures():
        {command.__name__: command for command in (stop, distclean)}[sys.argv[1]]()
