"""The real agent process: measured, sealed, sent; killed at any moment and nothing lost or doubled; stopped cleanly."""

import asyncio
import json
import os
import random
import signal
import subprocess
from pathlib import Path

import pytest

from edge_agent.metering.clock.trusted import MAX_SKIPPED_SLOTS
from edge_agent.outbox.view import read_overview
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import format_slot, start_of
from protocols.wire.messages import AnswerChoice, PromptNotice, decode_answer, encode_prompt
from protocols.wire.readings import Batch
from tests.edge_agent.agent_process import FIRST, ROOT, AgentHome, agent_home
from tests.edge_agent.hand_clock import until
from tests.edge_agent.modbus_stand import Stand, meter_words

STEP_WH = 125


def import_column(batch: Batch):
    return next(column for column in batch.columns if column.measure is Measure.GRID_IMPORT)


async def has_batch(home: AgentHome, slot: int, timeout_s: float = 30) -> None:
    await until(lambda: any(batch.slot == slot for batch in home.hub.batches), timeout_s, f"the batch of slot {slot}")


def step(home: AgentHome, at: int) -> None:
    """Move to the boundary that begins slot FIRST + at, the meter having counted on; time runs through the window."""
    home.stand.words = meter_words(10_000 + at * STEP_WH)
    home.set_time(start_of(FIRST + at), rate=60, hold_at_s=start_of(FIRST + at) + 240)


async def test_a_day_in_the_life(tmp_path: Path) -> None:
    stand = Stand(meter_words(10_000))
    async with agent_home(tmp_path, stand) as home:
        home.start()
        await until(lambda: stand.requests, 60, "the first reading")
        for at in range(1, 5):
            step(home, at)
            await has_batch(home, FIRST + at - 1)
        assert [import_column(batch).energy_wh for batch in home.hub.batches] == [STEP_WH] * 4
        assert home.resident_mb() < 64

        second = await asyncio.to_thread(home.call, "run", "--clock", str(home.timeline))
        assert (second.returncode, second.stdout) == (1, "")
        assert "another agent is running on this folder" in second.stderr
        assert len(second.stderr.splitlines()) == 1

        shown = await asyncio.to_thread(home.call, "read", "--json")
        (reading,) = json.loads(shown.stdout)
        energy = next(point for point in reading["points"] if point["name"] == "energy_import_total")
        assert (energy["value"], energy["unit"], energy["words"]) == ("10.5", "kWh", [0x4128, 0])
        assert "energy_import_total" in (await asyncio.to_thread(home.call, "read")).stdout

        assert await asyncio.to_thread(home.stop) == 0
        assert not home.hub.refused
        (meter,) = home.hub.meters
        assert (meter.quality, meter.phases, meter.is_derived) == ("silver", "separate", False)
        found = read_overview(tmp_path / "data", limit=10)
        assert (found.messages, found.waiting) == (5, 0)
        assert "5 receipted by the hub, 0 waiting" in home.call("outbox").stdout
        said = home.log.read_text()
        assert said.count("the hub has signed for the first message: the link works") == 1
        assert f"the first readings are sent at {format_slot(FIRST + 1)}" in said
        assert "Traceback" not in said
        assert "10500" not in said
        assert "10.5" not in said


async def test_the_log_names_the_first_quarter_hour_that_is_seen_whole(tmp_path: Path) -> None:
    stand = Stand(meter_words(10_000))
    async with agent_home(tmp_path, stand) as home:
        home.set_time(start_of(FIRST) + 250)
        stand.always = "busy"
        home.start()
        await until(lambda: "readings are sent at" in home.log.read_text(), 60, "the agent's word")
        assert f"the first readings are sent at {format_slot(FIRST + 2)}" in home.log.read_text()
        # Only that a device answers again is logged, once its reading is taken; time that moves before makes it late.
        await until(lambda: "device meter" in home.log.read_text(), 60, "the word that the meter is busy")
        stand.always = "ok"
        home.set_time(start_of(FIRST) + 310)
        await until(lambda: "ok (answers)" in home.log.read_text(), 60, "the first reading")
        for at in range(1, 3):
            step(home, at)
            await has_batch(home, FIRST + at - 1)
        assert [import_column(batch).energy_wh for batch in home.hub.batches] == [None, STEP_WH]


async def test_a_prompt_is_answered_beside_the_running_agent(tmp_path: Path) -> None:
    async with agent_home(tmp_path, Stand(meter_words(10_000))) as home:
        home.start()
        prompt = PromptNotice("p-1", "dishwasher", 1, 2, 3, 4, 900, (("surplus", 1),), start_of(FIRST) + 600)

        def arrived() -> bool:
            home.hub.publish("prompt", encode_prompt(prompt))
            return "dishwasher" in home.call("prompts").stdout

        async with asyncio.timeout(30):
            while not await asyncio.to_thread(arrived):
                await asyncio.sleep(0.1)
        assert "not known here" in home.call("answer", "p-2", "yes").stderr
        assert home.call("answer", "p-1", "never", "--clock", str(home.timeline)).returncode == 0
        await until(lambda: [kind for kind, *_ in home.hub.messages.values()] == ["consent", "answer"], 60, "answer")
        answer = decode_answer(list(home.hub.messages.values())[1][1])
        assert (answer.prompt_id, answer.choice) == ("p-1", AnswerChoice.NEVER_APPLIANCE)
        assert await asyncio.to_thread(home.stop, signal.SIGINT) == 0


def check_nothing_lost_or_doubled(home: AgentHome, slots: int) -> None:
    """Every slot once, in order; what slots and totals tell together is what the meter ran between its boundaries."""
    batches = home.hub.batches
    assert [batch.slot for batch in batches] == list(range(FIRST, FIRST + slots))
    assert not home.hub.refused, home.hub.refused
    told, run_since = 0, None
    for batch in batches:
        column = import_column(batch)
        if column.mark is not Mark.MISSING:
            assert column.energy_wh == STEP_WH
            told += STEP_WH
        else:
            assert column.gap in (Gap.AGENT_OFF, Gap.DEVICE_SILENT)
        told += sum(each.energy_wh for each in batch.long_intervals if each.measure is Measure.GRID_IMPORT)
        if run_since is None and (column.mark is not Mark.MISSING or batch.long_intervals):
            run_since = batch.slot if column.mark is not Mark.MISSING else batch.long_intervals[0].first_slot
    assert run_since is not None
    assert told == (FIRST + slots - run_since) * STEP_WH


async def kill_again_and_again(folder: Path, seed: int, slots: int) -> None:
    """Walk through slots; kill -9 at a random moment around each boundary and start again at once."""
    chance = random.Random(seed)
    stand = Stand(meter_words(10_000))
    async with agent_home(folder, stand) as home:
        home.start()
        await until(lambda: stand.requests, 60, "the first reading")
        for at in range(1, slots + 1):
            step(home, at)
            if chance.random() < 0.7:
                await asyncio.sleep(chance.uniform(0, 0.06) if chance.random() < 0.7 else chance.uniform(0, 0.8))
                await asyncio.to_thread(home.kill)
                home.start()
            await has_batch(home, FIRST + at - 1, 90)
        # Started again a moment ago it may not listen to the signal yet, and is killed once more.
        assert await asyncio.to_thread(home.stop) in (0, -signal.SIGTERM)
        check_nothing_lost_or_doubled(home, slots)
        assert "Traceback" not in home.log.read_text()


async def test_killed_at_random_moments_it_loses_and_doubles_nothing(tmp_path: Path) -> None:
    await kill_again_and_again(tmp_path, 3, 8)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(10, 20))
async def test_killed_a_hundred_times_it_loses_and_doubles_nothing(tmp_path: Path, seed: int) -> None:
    await kill_again_and_again(tmp_path, seed, 100)


async def test_a_recording_survives_kills_and_goes_live(tmp_path: Path) -> None:
    lines = ["commonwatt-recording,1"]
    for at in range(-400, 1):
        lines.append(f"{start_of(FIRST + at)},meter,import_wh,{10_000 + at}")
        lines.append(f"{start_of(FIRST + at)},meter,export_wh,0")
    (tmp_path / "history.csv").write_text("\n".join(lines) + "\n")
    async with agent_home(tmp_path, Stand(meter_words(10_000))) as home:
        for pause_s in (0.4, 0.6, 0.8):
            home.start("--history", str(tmp_path / "history.csv"))
            await asyncio.sleep(pause_s)
            await asyncio.to_thread(home.kill)
        home.start("--history", str(tmp_path / "history.csv"))
        await has_batch(home, FIRST - 1, 60)
        seen = len(home.stand.requests)
        await until(lambda: len(home.stand.requests) > seen or home.stand.requests, 60, "going live")
        step(home, 1)
        await has_batch(home, FIRST)
        await asyncio.to_thread(home.stop)
        batches = home.hub.batches
        assert [batch.slot for batch in batches] == list(range(FIRST - 400, FIRST + 1))
        assert [import_column(batch).energy_wh for batch in batches] == [1] * 400 + [STEP_WH]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('map = "eastron-sdm630"', 'map = "nobody"'), "map: no family 'nobody'"),
        (("max_power_w = 15000", "max_power_w = 'much'"), "max_power_w: expected"),
        (('role = "grid"', 'role = "grid"\ncolour = 1'), "unknown key 'colour'"),
        (("[hub]", 'consent = "none.toml"\n[hub]'), "none.toml"),
    ],
)
async def test_a_wrong_configuration_is_one_line_and_no_traceback(
    tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    async with agent_home(tmp_path, Stand()) as home:
        home.config.write_text(home.config.read_text().replace(*change))
        said = home.call("run", "--clock", str(home.timeline))
        assert said.returncode == 1
        assert words in said.stderr
        assert len(said.stderr.splitlines()) == 1


async def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    async with agent_home(tmp_path, Stand()) as home:
        gone, ours = os.pipe()
        os.close(gone)
        command = home.command("read", "--json", "--config", str(home.config))
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=ROOT, stdout=ours, stderr=subprocess.PIPE, timeout=60, check=False
        )
        os.close(ours)
        assert (done.returncode, done.stderr) == (1, b"")


async def test_a_clock_that_was_never_set_closes_no_slot_until_it_is(tmp_path: Path) -> None:
    stand = Stand(meter_words(10_000))
    async with agent_home(tmp_path, stand) as home:
        home.set_time(1000.0)
        home.start()
        await until(lambda: "clock is not set yet" in home.log.read_text(), 60)
        assert not home.hub.batches
        step(home, 0)
        await until(lambda: stand.requests, 60, "the first reading")
        step(home, 1)
        await has_batch(home, FIRST)
        assert await asyncio.to_thread(home.stop) == 0


async def test_only_a_very_long_absence_is_reported_and_its_slots_get_no_message(tmp_path: Path) -> None:
    stand = Stand(meter_words(10_000))
    async with agent_home(tmp_path, stand) as home:
        home.start()
        await until(lambda: stand.requests, 60, "the first reading")
        step(home, 1)
        await has_batch(home, FIRST)
        assert await asyncio.to_thread(home.stop) == 0
        assert "off for so long" not in home.log.read_text()
        back = FIRST + 1 + MAX_SKIPPED_SLOTS + 5
        home.set_time(start_of(back) + 300)
        home.start()
        await until(lambda: "off for so long that 5 slots get no message" in home.log.read_text(), 60)
        assert await asyncio.to_thread(home.stop) == 0


async def test_a_silent_device_and_a_dead_broker_stop_nothing_else(tmp_path: Path) -> None:
    stand, dead = Stand(meter_words(10_000)), Stand()
    dead.always = "silent"
    await dead.start()
    second = f"""
[[device]]
name = "sun"
map = "shelly-pro3em"
role = "pv"
connect = "tcp://127.0.0.1:{dead.port}"
max_power_w = 5000
timeout_ms = 200
"""
    async with agent_home(tmp_path, stand, devices=second) as home:
        home.start()
        await until(lambda: stand.requests, 60, "the first reading")
        await until(lambda: "device sun" in home.log.read_text(), 60, "the word on the silent device")
        for at in (1, 2):
            step(home, at)
            await has_batch(home, FIRST + at - 1)
        assert [import_column(batch).energy_wh for batch in home.hub.batches] == [STEP_WH] * 2
        said = home.log.read_text()
        assert said.count("device sun") == 1, "said once"
        states = {device.name: device.state.value for device in home.hub.batches[-1].devices}
        assert states == {"meter": "ok", "sun": "silent"}
        assert await asyncio.to_thread(home.stop) == 0
    await dead.stop()
