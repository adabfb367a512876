"""A `commonwatt-sim` command as a real process, started when it says so and ended as a person ends it."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STARTED_WITHIN_S = 120


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A command that serves, and what it printed until it named Ctrl-C as the way to stop it."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "simulator", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    # A program that never says so would keep readline waiting: killed, it ends the output and the test fails.
    watch = threading.Timer(STARTED_WITHIN_S, process.kill)
    watch.start()
    try:
        while "Ctrl-C to stop" not in said:
            line = process.stdout.readline()
            assert line, f"ended early: {said}"
            said += line
        watch.cancel()
        yield process, said
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert "Traceback" not in process.stdout.read()
    finally:
        watch.cancel()
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
