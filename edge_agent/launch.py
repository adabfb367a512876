"""Where `commonwatt-agent` begins: a missing package of the `edge` extra is one line, not a traceback."""

import sys


def main() -> int:
    """Run the command line; 1 when a package it needs is not installed."""
    try:
        from edge_agent.__main__ import main as run  # noqa: PLC0415 - what it imports may be missing

        return run()
    except ModuleNotFoundError as missing:
        line = f"commonwatt-agent: the package {missing.name} is missing: install commonwatt with its extra 'edge'"
        sys.stderr.write(line + "\n")
        return 1
