"""Where `commonwatt-hub` starts: a missing package from the `hub` extra gives one line, not a traceback."""

import sys


def main() -> int:
    """Run the command line; returns 1 if a package it needs is not installed."""
    try:
        from hub.__main__ import main as run  # noqa: PLC0415 - its imports may be missing

        return run()
    except ModuleNotFoundError as missing:
        line = f"commonwatt-hub: the package {missing.name} is missing: install commonwatt with its extra 'hub'"
        sys.stderr.write(line + "\n")
        return 1
