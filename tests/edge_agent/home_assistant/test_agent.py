"""The real agent beside a home's broker: energies that only rise over a kill, and a hub link that needs no broker."""

import asyncio
from pathlib import Path

from protocols.slots import start_of
from tests.edge_agent.agent_process import FIRST, AgentHome, agent_home
from tests.edge_agent.hand_clock import until
from tests.edge_agent.home_mosquitto import PASSWORD, USER, home_broker, listening, needs_mosquitto
from tests.edge_agent.modbus_stand import Stand, meter_words

pytestmark = needs_mosquitto
STEP_WH = 125
ENERGY = "commonwatt/a-test/grid_import"


def step(home: AgentHome, at: int) -> None:
    home.stand.words = meter_words(10_000 + at * STEP_WH, power_w=500)
    home.set_time(start_of(FIRST + at), rate=60, hold_at_s=start_of(FIRST + at) + 240)


async def told(home: AgentHome, at: int) -> None:
    """Count on to this slot and wait until the hub has the one before."""
    step(home, at)
    await until(lambda: any(batch.slot == FIRST + at - 1 for batch in home.hub.batches), 60, f"batch {at - 1}")


async def test_energies_only_rise_over_a_kill_and_the_hub_needs_no_broker(tmp_path: Path) -> None:
    with home_broker(tmp_path) as broker:
        (tmp_path / "broker.password").write_text(PASSWORD + "\n")
        (tmp_path / "broker.password").chmod(0o600)
        table = f'[home_assistant]\nbroker = "mqtt://127.0.0.1:{broker.port}"\nusername = "{USER}"\n'
        table += 'password_file = "broker.password"\n'
        async with agent_home(tmp_path, Stand(meter_words(10_000, power_w=500)), devices=table) as home:
            with listening(broker.port) as heard:
                home.start()
                await until(lambda: home.stand.requests, 60, "the first reading")
                for at in range(1, 3):
                    await told(home, at)
                await until(lambda: heard.texts.get(ENERGY) == "0.250", 60, "the energy of two quarter hours")
                await until(lambda: heard.texts.get("commonwatt/a-test/grid_power") == "500", 60, "the power")
                home.kill()
                await until(lambda: heard.texts.get("commonwatt/a-test/availability") == "offline", 60, "the last will")
                read_before = len(home.stand.requests)
                home.start()
                await until(lambda: len(home.stand.requests) > read_before, 60, "a reading after the kill")
                await told(home, 3)
                await until(lambda: heard.texts.get(ENERGY) == "0.375", 60, "the energy after the kill")
                shown = [float(text) for topic, text in heard.history if topic == ENERGY]
                assert shown == sorted(shown)
            broker.stop()
            await told(home, 4)
            await told(home, 5)
            broker.start()
            with listening(broker.port) as heard:
                await until(lambda: heard.texts.get(ENERGY) == "0.625", 90, "the energy when the broker is back")
            assert home.resident_mb() < 64
            assert await asyncio.to_thread(home.stop) == 0
        said = home.log.read_text()
        assert "measuring goes on" in said
        assert "Traceback" not in said
        assert PASSWORD not in said


async def test_a_missing_password_is_one_line_before_anything_starts(tmp_path: Path) -> None:
    table = '[home_assistant]\nbroker = "mqtt://127.0.0.1"\nusername = "me"\npassword_file = "none"\n'
    async with agent_home(tmp_path, Stand(meter_words(10_000)), devices=table) as home:
        done = await asyncio.to_thread(home.call, "run", "--clock", str(home.timeline))
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "password_file: " in done.stderr
