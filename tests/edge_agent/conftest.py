"""The agent's tests go by a clock that stands still while their process gets no turn."""

import asyncio
from collections.abc import Mapping

import pytest

from tests.patient_loop import PatientLoop


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories() -> Mapping[str, type[asyncio.AbstractEventLoop]]:
    return {"patient": PatientLoop}
