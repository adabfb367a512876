"""Totals for programs in the home, over anything that happens to meter, agent, outbox and clock: they never fall, and
never tell more than has flowed.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge_agent.home_store import energy_totals
from edge_agent.home_store.energy_totals import EnergyTotals, most_power_w
from edge_agent.home_store.live_values import WatchedMeter
from edge_agent.metering.home_meter import MeasuringPoint, Sample, read_checkpoint
from protocols.quantities import Measure
from protocols.slots import SLOT_S, slot_of, start_of

FIRST = 2_000_000
GRID = MeasuringPoint("meter", "grid", 15_000)
IMPORT = Measure.GRID_IMPORT
WH_A_MINUTE = {0: 0, 600: 10, 1200: 20, 6000: 100}
HAPPENS = ("stop", "kill", "outbox lost", "exchange", "zero", "dip", "silent", "clock ahead", "clock back")


class Home:
    """One meter, its agent and its totals, minute by minute. `flowed_wh` is what really flowed since the start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.at_s = float(start_of(FIRST))
        self.flowed_wh, self.offset_wh, self.shown_wh = 0, 1_000_000, 0
        self.kept: bytes | None = None
        self.is_silent = False
        self.totals = EnergyTotals(folder, most_w=most_power_w([GRID]))
        self.measure()

    def begin(self) -> None:
        """The agent starts."""
        self.totals = EnergyTotals(self.folder, most_w=most_power_w([GRID]))
        self.measure()

    def measure(self) -> None:
        """Measuring begins, from the checkpoint if there is one."""
        now = slot_of(self.at_s)
        next_slot, bases = read_checkpoint(self.kept) if self.kept else (now, {})
        self.meter = WatchedMeter([GRID], next_slot=min(max(next_slot, now - 8), now), longest_hole_s=150, bases=bases)
        self.totals.running = self.meter.running_wh
        self.close()

    def close(self) -> None:
        """Close the slots that are over, as the agent does after the last reading in them."""
        while self.meter.next_of(GRID) < slot_of(self.at_s):
            self.meter.close(GRID)
        while found := self.meter.next_closed_slot():
            closed, self.kept = found
            self.totals.add([closed])
            self.totals.save()

    def minute(self, power_w: int, *, read_wh: int | None = None) -> None:
        """A minute passes and the meter is read, at `read_wh` if that is given."""
        self.at_s += 60
        self.flowed_wh += WH_A_MINUTE[power_w]
        if not self.is_silent:
            counter_wh = self.offset_wh + self.flowed_wh if read_wh is None else read_wh
            self.meter.add_sample(GRID, Sample(self.at_s, {"import_wh": counter_wh, "export_wh": 0}, power_w))
        self.close()
        self.look()

    def look(self) -> None:
        """What Home Assistant would be told now."""
        shown = self.totals.shown_wh().get(IMPORT)
        if shown is not None:
            assert shown >= self.shown_wh, "it fell"
            assert shown <= self.flowed_wh, "more than has flowed"
            self.shown_wh = shown

    def happen(self, what: str) -> None:
        if what == "stop":
            self.totals.save(is_end=True)
            self.begin()
        elif what == "kill":
            self.begin()
        elif what == "outbox lost":
            self.kept = None
            self.begin()
        elif what in ("exchange", "zero"):
            self.offset_wh = (0 if what == "zero" else 50_000) - self.flowed_wh
        elif what == "dip":
            self.minute(600, read_wh=17)
        elif what == "silent":
            self.is_silent = not self.is_silent
        else:
            # The agent gives up what was sealed by a clock that was ahead, and goes on from the present time.
            self.at_s += (5 if what == "clock ahead" else -5) * SLOT_S
            self.kept = None
            self.measure()


STEPS = st.lists(
    st.tuples(st.sampled_from(HAPPENS), st.integers(1, 20), st.sampled_from(sorted(WH_A_MINUTE))), max_size=8
)


@pytest.fixture(scope="module", autouse=True)
def without_waiting_for_the_disk() -> Iterator[None]:
    """Nothing here is about power cuts, and a real write waits for the disk."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(energy_totals, "write_durably", lambda path, content, **_: path.write_bytes(content))
        yield


@settings(max_examples=30, deadline=None)
@given(STEPS)
@example([("silent", 14, 1200), ("kill", 3, 1200), ("silent", 16, 600)])
@example([("stop", 14, 1200), ("kill", 1, 0), ("exchange", 20, 6000), ("kill", 20, 600)])
def test_they_never_fall_and_never_tell_more_than_has_flowed(steps: list[tuple[str, int, int]]) -> None:
    with TemporaryDirectory() as folder:
        home = Home(Path(folder))
        for minutes, power_w in ((20, 1200), *((minutes, power_w) for _, minutes, power_w in steps)):
            for _ in range(minutes):
                home.minute(power_w)
            if steps:
                home.happen(steps[0][0])
                steps = steps[1:]
        home.is_silent = False
        for _ in range(60):
            home.minute(1200)
        assert home.shown_wh > 0
