"""Options and settings of the whole test run."""

import pytest
from hypothesis import HealthCheck, settings

# No verdict about speed: on a shared machine it says nothing of the code. Speed lives in tests/benchmarks.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", metavar="FILE", help="decode the golden vectors in FILE instead of our own")
