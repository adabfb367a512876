"""Options and settings of the whole test run."""

import pytest
from hypothesis import HealthCheck, settings

COUNTED = "counted"
"""The property under which a test records what it counted."""

# No verdict about speed: on a shared machine it says nothing of the code. Speed lives in tests/benchmarks.
settings.register_profile(
    "same-everywhere", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.register_profile("searching", settings.get_profile("same-everywhere"), derandomize=False)
settings.load_profile("same-everywhere")


def pytest_configure(config: pytest.Config) -> None:
    """New examples are looked for by the campaign; any other run draws the same ones on every machine."""
    if config.option.markexpr == "campaign":
        settings.load_profile("searching")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests have counted, one line each: a campaign says how much it went through."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            if name == COUNTED:
                terminalreporter.write_line(str(value))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", metavar="FILE", help="decode the golden vectors in FILE instead of our own")
