"""What several tests of the simulator share: one street with some days behind it."""

import asyncio
from collections.abc import Mapping

import pytest

from simulator.world.street import Street
from tests.patient_loop import PatientLoop

FIRST_DAY = 20600  # 2026-05-27
NOON_S = (FIRST_DAY + 1) * 86400 + 11 * 3600


@pytest.fixture(scope="session")
def street() -> Street:
    """Twelve homes; tests read it and move nothing."""
    return Street(seed=7, homes=12, first_day=FIRST_DAY)


@pytest.fixture(scope="session")
def noon_s() -> int:
    """A moment with sun on the street's second day, at the beginning of a step."""
    return NOON_S


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories() -> Mapping[str, type[asyncio.AbstractEventLoop]]:
    """A clock that stands still while the process of the tests gets no turn."""
    return {"patient": PatientLoop}
