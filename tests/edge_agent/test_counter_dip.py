"""The running agent and a meter that shows 1,000 Wh too little around the end of a quarter hour."""

from pathlib import Path

from protocols.quantities import Mark, Measure
from protocols.slots import start_of
from tests.edge_agent.agent_process import FIRST, AgentHome, agent_home
from tests.edge_agent.hand_clock import until
from tests.edge_agent.modbus_stand import Stand, meter_words

READINGS = (
    (300, 10_005), (600, 9_010), (900, 9_015), (1200, 10_020), (1500, 10_025), (1800, 10_030),
    (2100, 10_035), (2400, 10_040), (2700, 10_045),
)  # fmt: skip


async def read_at(home: AgentHome, stand: Stand, second: int, counter_wh: int) -> None:
    stand.words = meter_words(counter_wh, power_w=60)
    seen = len(stand.requests)
    at_s = start_of(FIRST) + second
    home.set_time(at_s, rate=60, hold_at_s=at_s + 20)
    await until(lambda: len(stand.requests) > seen, 20, f"a reading at {second} s")


async def test_a_dip_over_a_boundary_is_never_sealed_as_energy(tmp_path: Path) -> None:
    stand = Stand(meter_words(10_000, power_w=60))
    async with agent_home(tmp_path, stand) as home:
        home.start()
        await until(lambda: stand.requests, 60, "the first reading")
        for second, counter_wh in READINGS:
            await read_at(home, stand, second, counter_wh)
        home.set_time(start_of(FIRST + 3), rate=60, hold_at_s=start_of(FIRST + 3) + 290)
        await until(lambda: any(batch.slot == FIRST + 2 for batch in home.hub.batches), 60, "the third batch")
        told = 0
        for batch in home.hub.batches:
            column = next(each for each in batch.columns if each.measure is Measure.GRID_IMPORT)
            # At 60 times real speed a busy computer reads minutes late; test_excursions.py holds the exact energy.
            assert column.energy_wh is None or column.mark is not Mark.MEASURED or abs(column.energy_wh - 15) <= 10
            told += column.energy_wh or 0
            told += sum(each.energy_wh for each in batch.long_intervals if each.measure is Measure.GRID_IMPORT)
        assert told in range(40, 51), "nothing is lost: 45 Wh flowed"
