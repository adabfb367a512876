"""Options and settings of the whole test run."""

import gc
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

COUNTED = "counted"
"""The property under which a test records what it counted."""

TESTS = Path(__file__).parent
SLOW_FIRST = ("journeys", "simulator/demo", "pages", "simulator/commands", "releases", "hub/processes")
"""Folders whose tests start whole streets and hubs: begun last, they would keep one of two cores waiting at the end."""

# No verdict about speed: on a shared machine it says nothing of the code. Speed lives in tests/benchmarks.
settings.register_profile(
    "same-everywhere", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.register_profile("searching", settings.get_profile("same-everywhere"), derandomize=False)
settings.load_profile("same-everywhere")


def pytest_configure(config: pytest.Config) -> None:
    """New examples are looked for by the campaign; any other run draws the same ones on every machine.

    A shell starts what runs in the background deaf to Ctrl-C, and so would be every program that a test starts.
    """
    if config.option.markexpr == "campaign":
        settings.load_profile("searching")
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """What is collected stays to the end: looking through it for garbage, now or later, finds none."""
    gc.disable()
    try:
        load_share(session)
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def load_share(session: pytest.Session) -> None:
    """Of several workers that collect everything, each first loads its share of the files.

    Side by side they would all compile the same file at the same time; so each finds the others' compiled files.
    """
    worker = getattr(session.config, "workerinput", None)
    if worker is None or sys.dont_write_bytecode or session.config.args != session.config.getini("testpaths"):
        return
    mine = slice(int(worker["workerid"].removeprefix("gw")), None, worker["workercount"])
    for path in sorted(TESTS.rglob("test_*.py"))[mine]:
        # Collecting loads it again and reports what is wrong with it.
        with suppress(Exception, pytest.skip.Exception):
            import_module(".".join(path.relative_to(TESTS.parent).with_suffix("").parts))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow folders first, in the order above; all else stays as collected."""

    def rank(item: pytest.Item) -> int:
        folder = item.path.parent.relative_to(TESTS).as_posix()
        return SLOW_FIRST.index(folder) if folder in SLOW_FIRST else len(SLOW_FIRST)

    items.sort(key=rank)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests have counted, one line each: a campaign says how much it went through."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            if name == COUNTED:
                terminalreporter.write_line(str(value))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", metavar="FILE", help="decode the golden vectors in FILE instead of our own")
