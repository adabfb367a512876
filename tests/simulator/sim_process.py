"""A `commonwatt-sim` command as a real process, started when it says so and ended as a person ends it."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

STARTED_WITHIN_S = 120


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A command that serves, and what it printed until it said that Ctrl-C ends it."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "simulator", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said, deadline = "", time.monotonic() + STARTED_WITHIN_S
    try:
        while "Ctrl-C ends" not in said:
            line = process.stdout.readline()
            assert line, f"ended early: {said}"
            assert time.monotonic() < deadline
            said += line
        yield process, said
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert "Traceback" not in process.stdout.read()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
