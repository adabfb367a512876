"""A clock that was ahead for a few seconds: the agent goes on, says so, and needs no new token."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge_agent.program import AgentProgram
from edge_agent.settings import read_settings
from edge_agent.uplink.identity import load_identity
from protocols.quantities import Mark, Measure
from protocols.slots import start_of
from protocols.timeline import Clock
from protocols.wire.clock_check import ClockState
from tests.edge_agent.agent_process import FIRST, AgentHome, agent_home
from tests.edge_agent.hand_clock import until
from tests.edge_agent.modbus_stand import Stand, meter_words

YEARS_SLOTS = 5 * 365 * 96


class Computer:
    """A computer whose boot clock the test moves, and whose wall clock may be ahead."""

    def __init__(self, home: AgentHome) -> None:
        self.home = home
        self.boot_s, self.ahead_s = 30.0, 0.0
        self.clock = Clock(lambda: self.true_s() + self.ahead_s, sleep=self._nap)

    def true_s(self) -> float:
        return start_of(FIRST) + 200 + self.boot_s

    @staticmethod
    async def _nap(_seconds: float) -> None:
        await asyncio.sleep(0.005)

    async def minutes(self, count: int) -> None:
        """Time passes no faster than the agent polls, every five minutes."""
        for _ in range(count):
            seen, polls = len(self.home.stand.requests), self.true_s() // 300
            self.boot_s += 60
            self.home.stand.words = meter_words(10_000 + round(self.boot_s / 60 * 10), power_w=600)
            await asyncio.sleep(0.01)
            if self.true_s() // 300 > polls:
                with contextlib.suppress(TimeoutError):
                    await until(lambda seen=seen: len(self.home.stand.requests) > seen, 5)


@asynccontextmanager
async def running_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[AgentHome, Computer]]:
    monkeypatch.setattr("edge_agent.devices.boot_readings.READ_EVERY_S", 0.005)
    monkeypatch.setattr("edge_agent.metering.clock.trusted.CHECK_EVERY_S", 0.005)
    monkeypatch.setattr("edge_agent.timekeeping.CHECK_EVERY_S", 0.005)
    monkeypatch.setattr("edge_agent.uplink.mqtt_link.IDLE_S", 0.02)
    async with agent_home(tmp_path, Stand(meter_words(10_000))) as home:
        computer, settings = Computer(home), read_settings(home.config)
        program = AgentProgram(
            settings, computer.clock, load_identity(settings.data), wanted=None,
            boot_clock=lambda: computer.boot_s, is_synchronised=lambda: True,
        )  # fmt: skip
        running: list[asyncio.Future[None]] = []
        home.start = lambda *_: running.append(asyncio.ensure_future(program.run(None)))  # type: ignore[method-assign]
        try:
            yield home, computer
        finally:
            for each in running:
                each.cancel()
            await asyncio.wait(running, timeout=30)


async def until_sealed(home: AgentHome, computer: Computer, slot: int) -> None:
    """Let time pass until the batch of a slot is at the hub."""
    for _ in range(200):
        if any(batch.slot == slot for batch in home.hub.batches):
            return
        await computer.minutes(1)
    raise AssertionError(f"slot {slot} did not come")


async def test_eight_seconds_at_five_years_ahead_seal_nothing_and_cost_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_home(tmp_path, monkeypatch) as (home, computer):
        home.hub.time_s = computer.true_s
        home.start()
        await until_sealed(home, computer, FIRST + 1)
        computer.ahead_s = YEARS_SLOTS * 900.0
        computer.boot_s += 8
        await until(lambda: any(asked.state is ClockState.HELD for asked in home.hub.questions), what="it is told")
        (*_, told) = (asked for asked in home.hub.questions if asked.state is ClockState.HELD)
        assert told.at - computer.true_s() > YEARS_SLOTS * 900 - 3600, "the board sees by how much"
        computer.ahead_s = 0.0
        await until_sealed(home, computer, FIRST + 4)
        assert [batch.slot for batch in home.hub.batches] == list(range(FIRST, FIRST + len(home.hub.batches)))
        for batch in home.hub.batches[1:]:
            column = next(each for each in batch.columns if each.measure is Measure.GRID_IMPORT)
            assert column.energy_wh is not None
            assert column.mark in (Mark.MEASURED, Mark.DERIVED)
        assert "the system clock was changed by +157680000 s" in caplog.text
        assert "the system clock is right again" in caplog.text


async def test_an_agent_that_has_sealed_five_years_ahead_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_home(tmp_path, monkeypatch) as (home, computer):
        computer.ahead_s = YEARS_SLOTS * 900.0
        home.start()
        await until_sealed(home, computer, FIRST + YEARS_SLOTS + 1)
        computer.ahead_s = 0.0
        home.hub.time_s = computer.true_s
        await until(lambda: "were sealed while the clock was ahead" in caplog.text, what="the hub's time")
        here = FIRST + int(computer.true_s() - start_of(FIRST)) // 900
        await until_sealed(home, computer, here + 2)
        assert "were sealed while the clock was ahead" in caplog.text
        assert not home.hub.refused
