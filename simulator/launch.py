"""The entry point of `commonwatt-sim`: a missing package of the `sim` extra is one line, not a traceback."""

import sys


def main() -> int:
    """Run the command line; 1 if a package it needs is not installed."""
    try:
        from simulator.__main__ import main as run  # noqa: PLC0415 - what it imports may be missing

        return run()
    except ModuleNotFoundError as missing:
        line = f"commonwatt-sim: the package {missing.name} is missing: install commonwatt with its extra 'sim'"
        sys.stderr.write(line + "\n")
        return 1
