"""A running agent's time: small changes are followed, a jump only if the hub or a time service confirms it."""

import pytest

from edge_agent.metering.clock.guard import CONFIRMED_AFTER_S, STEP_S, ClockGuard
from edge_agent.metering.clock.trusted import PATIENCE_S
from edge_agent.uplink.hub_time import TimeBounds

START = 1_790_000_000.0
YEARS_S = 5 * 365 * 86400.0


class Computer:
    """Its boot clock runs; its wall clock is `off_s` from the true time."""

    def __init__(self, *, is_set: bool = True, hub_answers: bool = False) -> None:
        self.boot_s, self.off_s, self.is_set, self.hub_answers = 100.0, 0.0, is_set, hub_answers
        self.guard = ClockGuard(
            lambda: self.true_s + self.off_s,
            boot_clock=lambda: self.boot_s,
            is_synchronised=lambda: self.is_set,
            hub_bounds=lambda: TimeBounds(self.true_s, self.true_s + 1) if self.hub_answers else None,
        )

    @property
    def true_s(self) -> float:
        return START + self.boot_s

    def after(self, seconds: float) -> float:
        self.boot_s += seconds
        return self.guard.now() - self.true_s


def test_before_any_time_is_trusted_the_wall_clock_shows_through() -> None:
    computer = Computer()
    computer.off_s = -YEARS_S
    assert computer.after(5) == -YEARS_S


@pytest.mark.parametrize("hub_answers", [False, True])
@pytest.mark.parametrize("off_s", [YEARS_S, 3600.0, STEP_S + 1, -STEP_S - 1, -YEARS_S])
def test_eight_seconds_of_a_wrong_clock_change_nothing(
    off_s: float, hub_answers: bool, caplog: pytest.LogCaptureFixture
) -> None:
    computer = Computer(hub_answers=hub_answers and abs(off_s) > 600)
    computer.guard.trust(computer.true_s)
    computer.off_s = off_s
    assert [computer.after(1) for _ in range(8)] == [0.0] * 8
    assert computer.guard.is_held
    computer.off_s = 0.0
    assert computer.after(1) == 0
    assert not computer.guard.is_held
    assert [f"{off_s:+.0f} s" in record.getMessage() for record in caplog.records] == [True, False], "said once each"


def test_a_clock_that_drifts_is_followed() -> None:
    computer = Computer()
    computer.guard.trust(computer.true_s)
    for _ in range(100):
        computer.off_s += 5
        assert computer.after(900) == computer.off_s


@pytest.mark.parametrize(("is_set", "after_s"), [(True, CONFIRMED_AFTER_S), (False, PATIENCE_S)])
def test_without_a_hub_a_change_that_lasts_is_believed(is_set: bool, after_s: float) -> None:
    computer = Computer(is_set=is_set)
    computer.guard.trust(computer.true_s - 7200)
    assert computer.after(1) == -7200
    assert computer.after(after_s - 1) == -7200
    assert computer.after(2) == 0


def test_a_hub_confirms_the_right_clock_at_once_and_the_wrong_one_never() -> None:
    computer = Computer(is_set=True, hub_answers=True)
    computer.guard.trust(computer.true_s + YEARS_S)
    assert computer.after(1) == 0, "the agent had believed a clock that was ahead"
    computer.off_s = YEARS_S
    assert computer.after(10 * PATIENCE_S) == 0
