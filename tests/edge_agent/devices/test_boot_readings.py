"""A computer without a clock of its own: it measures from its start, the slots follow once the time is known."""

import asyncio
from pathlib import Path

import pytest

from edge_agent.program import AgentProgram
from edge_agent.settings import read_settings
from edge_agent.uplink.identity import load_identity
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import start_of
from protocols.timeline import Clock
from protocols.wire.readings import Batch, ClockTrust
from tests.edge_agent.agent_process import FIRST, AgentHome, agent_home
from tests.edge_agent.hand_clock import until
from tests.edge_agent.modbus_stand import Stand, meter_words

WH_A_MINUTE = 10
WRONG_BY_S = 5 * 3600


class Pi:
    """A computer whose boot clock the test moves, and whose wall clock is wrong until it is set."""

    def __init__(self) -> None:
        self.boot_s, self.is_set = 30.0, False
        self.clock = Clock(self._now, sleep=self._nap)

    def _now(self) -> float:
        true_s = start_of(FIRST) + 200 + self.boot_s
        return true_s if self.is_set else true_s - WRONG_BY_S

    @staticmethod
    async def _nap(_seconds: float) -> None:
        await asyncio.sleep(0.005)

    async def minute(self, home: AgentHome) -> None:
        """A minute passes, and the meter is read in it."""
        self.boot_s += 60
        home.stand.words = meter_words(10_000 + round(self.boot_s / 60 * WH_A_MINUTE), power_w=60 * WH_A_MINUTE)
        seen = len(home.stand.requests)
        # The first of them may have been on its way already.
        await until(lambda: len(home.stand.requests) >= seen + 4, 60, "two readings")


def imported(batch: Batch) -> tuple[int | None, Mark, Gap]:
    column = next(column for column in batch.columns if column.measure is Measure.GRID_IMPORT)
    return column.energy_wh, column.mark, column.gap


async def test_what_was_measured_before_the_time_was_known_gets_its_slots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.devices.boot_readings.READ_EVERY_S", 0.005)
    monkeypatch.setattr("edge_agent.metering.clock.trusted.CHECK_EVERY_S", 0.005)
    async with agent_home(tmp_path, Stand(meter_words(10_000, power_w=60 * WH_A_MINUTE))) as home:
        pi, settings = Pi(), read_settings(home.config)
        program = AgentProgram(
            settings, pi.clock, load_identity(settings.data), wanted=None,
            boot_clock=lambda: pi.boot_s, is_synchronised=lambda: pi.is_set,
        )  # fmt: skip
        running = asyncio.ensure_future(program.run(None))
        try:
            for _ in range(50):
                await pi.minute(home)
            assert not home.hub.batches, "nothing is sealed under a time that is not known"
            pi.is_set = True
            await until(lambda: len(home.hub.batches) >= 3, 60, "the slots of the time before")
            batches = home.hub.batches[:3]
            assert [batch.slot for batch in batches] == [FIRST, FIRST + 1, FIRST + 2]
            assert {batch.clock for batch in batches} == {ClockTrust.BACKFILLED}
            assert imported(batches[0]) == (None, Mark.MISSING, Gap.AGENT_OFF)
            for energy_wh, mark, gap in map(imported, batches[1:]):
                assert (mark, gap) == (Mark.MEASURED, Gap.NONE)
                assert energy_wh is not None
                assert abs(energy_wh - 15 * WH_A_MINUTE) <= 1, "the meter's float counts whole watt hours nearly"
        finally:
            running.cancel()
            await asyncio.wait({running}, timeout=30)
        assert not home.hub.refused


LIVE = "then each quarter hour"


async def test_slots_between_two_starts_name_the_clock_if_the_agent_waited_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("edge_agent.devices.boot_readings.READ_EVERY_S", 0.005)
    monkeypatch.setattr("edge_agent.metering.clock.trusted.CHECK_EVERY_S", 0.005)
    caplog.set_level("INFO")
    stand = Stand(meter_words(10_000, power_w=60 * WH_A_MINUTE))
    async with agent_home(tmp_path, stand) as home:
        pi, settings = Pi(), read_settings(home.config)
        pi.is_set, pi.boot_s = True, 100.0

        def start() -> asyncio.Future[None]:
            program = AgentProgram(
                settings, pi.clock, load_identity(settings.data), wanted=None,
                boot_clock=lambda: pi.boot_s, is_synchronised=lambda: pi.is_set,
            )  # fmt: skip
            return asyncio.ensure_future(program.run(None))

        running = start()
        try:
            await until(lambda: LIVE in caplog.text, 60, "the first start")
            running.cancel()
            await asyncio.wait({running}, timeout=30)
            caplog.clear()
            pi.boot_s, pi.is_set, stand.always = pi.boot_s + 3 * 900, False, "silent"
            asked = len(stand.requests)
            running = start()
            await until(lambda: len(stand.requests) > asked, 60, "the first question of the second start")
            pi.is_set = True
            await until(lambda: LIVE in caplog.text, 60, "the second start")
            stand.always = "ok"
            await until(lambda: len(home.hub.batches) >= 2, 60, "the slots between")
            assert [batch.slot for batch in home.hub.batches[:2]] == [FIRST, FIRST + 1]
            assert imported(home.hub.batches[1]) == (None, Mark.MISSING, Gap.CLOCK_UNTRUSTED)
        finally:
            running.cancel()
            await asyncio.wait({running}, timeout=30)
