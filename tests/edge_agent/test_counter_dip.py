"""The running agent and a meter that shows 1,000 Wh too little around the end of a quarter hour."""

import time
from collections.abc import Callable
from pathlib import Path

from protocols.quantities import Mark, Measure
from protocols.slots import start_of
from protocols.timeline import parse_timeline
from tests.edge_agent.agent_process import FIRST, AgentHome, agent_home
from tests.edge_agent.hand_clock import until
from tests.edge_agent.modbus_stand import Stand, meter_words

READINGS = (
    (0, 10_000), (300, 10_005), (600, 9_010), (900, 9_015), (1200, 10_020), (1500, 10_025), (1800, 10_030),
    (2100, 10_035), (2400, 10_040), (2700, 10_045),
)  # fmt: skip


MARKER = """
[[device]]
name = "marker"
map = "eastron-sdm630"
role = "load"
connect = "tcp://127.0.0.1:{port}"
unit = 2
max_power_w = 15000
"""
"""A second device behind the meter on the same connection. It is read after the meter at each poll, and as its counter
stands still, it is never looked at a second time: its first register is asked for exactly once a reading."""


class DippingMeter(Stand):
    """Answers by the timeline's time, so that whoever asks late or twice sees the counter as it is then."""

    def __init__(self) -> None:
        super().__init__(units=(1, 2))
        self.home: AgentHome | None = None

    async def _treat(self, unit: int, pdu: bytes, send: Callable[..., None]) -> None:
        assert self.home is not None
        passed_s = parse_timeline(self.home.timeline.read_text()).at(time.time()) - start_of(FIRST)
        shown_wh = max((each for each in READINGS if each[0] <= passed_s), default=READINGS[0])[1]
        self.words = meter_words(shown_wh, power_w=60) if unit == 1 else meter_words(5000)
        await super()._treat(unit, pdu, send)

    def readings(self) -> int:
        """How many readings the meter has given, second looks left out."""
        marked = [request for request in self.requests if request[0] == 2]
        return marked.count(marked[0]) if marked else 0


async def read_at(home: AgentHome, meter: DippingMeter, second: int) -> None:
    seen = meter.readings()
    at_s = start_of(FIRST) + second
    home.set_time(at_s, rate=60, hold_at_s=at_s + 20)
    await until(lambda: meter.readings() > seen, 20, f"a reading at {second} s")


async def test_a_dip_over_a_boundary_is_never_sealed_as_energy(tmp_path: Path) -> None:
    meter = DippingMeter()
    async with agent_home(tmp_path, meter) as home:
        meter.home = home
        home.config.write_text(home.config.read_text() + MARKER.format(port=meter.port))
        home.start()
        await until(meter.readings, 60, "the first reading")
        for second, _ in READINGS[1:]:
            await read_at(home, meter, second)
        home.set_time(start_of(FIRST + 3), rate=60, hold_at_s=start_of(FIRST + 3) + 290)
        await until(lambda: any(batch.slot == FIRST + 2 for batch in home.hub.batches), 60, "the third batch")
        told = 0
        for batch in home.hub.batches:
            column = next(each for each in batch.columns if each.measure is Measure.GRID_IMPORT)
            assert column.energy_wh is None or column.mark is not Mark.MEASURED or abs(column.energy_wh - 15) <= 5
            told += column.energy_wh or 0
            told += sum(each.energy_wh for each in batch.long_intervals if each.measure is Measure.GRID_IMPORT)
        assert told in range(40, 51), "nothing is lost: 45 Wh flowed"
