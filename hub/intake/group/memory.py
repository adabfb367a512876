"""How often an intake process has the interpreter look for objects that only refer to each other.

A group makes some ten thousand objects that all live until it is stored and then go by themselves. By default the
interpreter looks through the newest whenever there are 700 more: a tenth of intake's work, and all of it in vain.
"""

import gc
from typing import Final

MADE: Final = 50_000
"""After so many new objects they are looked through: about two groups, some megabytes."""


def collect_seldom() -> None:
    """From now on in this process."""
    gc.set_threshold(MADE, *gc.get_threshold()[1:])
