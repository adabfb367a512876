"""Storage that is restored from an older copy or lost, in real processes: the hub's, an agent's, the broker's.

Everything that was measured and had arrived is stored afterwards, once, and the closed days settle to the same result.
"""

import os
import random
import re
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hub.broker.mosquitto_files import find_mosquitto
from hub.folder.paths import is_running
from protocols.slots import SLOT_S, slot_of
from simulator.demo.director import HOLD_AFTER_BOUNDARY_S, LIVE_RATE, Demo
from simulator.demo.outbox import next_slot
from simulator.demo.processes import ChildProcess, tree_of

HOMES = 2
DAYS = 2
EXPECTED = HOMES * DAYS * 96
CLOSED_DAY = "2026-05-04"
CAMPAIGN_SEEDS = (1, 2, 3)
CAMPAIGN_ROUNDS = 8

Reading = tuple[str, int, int, int]
"""Home, measure, slot, span."""


@dataclass
class Street(Demo):
    """A demonstration whose stores can be copied, restored and deleted while its programs run."""

    broker: str = "auto"
    copies: dict[str, Path] = field(default_factory=dict)

    def make_hub(self) -> None:
        super().make_hub()
        settings = self.place.hub_folder / "hub.toml"
        text = settings.read_text(encoding="utf-8")
        assert 'kind = "auto"' in text
        settings.write_text(text.replace('kind = "auto"', f'kind = "{self.broker}"'), encoding="utf-8")

    def program(self, name: str) -> ChildProcess:
        return next(one for one in self.programs.running if one.name == name)

    def log_of(self, name: str) -> str:
        return (self.folder / "logs" / f"{name}.log").read_text(encoding="utf-8")

    def kill(self, name: str) -> list[str]:
        """kill -9; returns the command that starts it again."""
        killed = self.program(name)
        os.kill(killed.process.pid, signal.SIGKILL)
        killed.process.wait()
        self.programs.running.remove(killed)
        # Its processes end with it, a moment later: until then its folder is locked.
        self.programs.wait("the hub's processes to end", lambda: name != "hub" or not is_running(self.place.hub_folder))
        return [str(part) for part in killed.process.args]  # type: ignore[union-attr]

    def signal_agent(self, home: str, number: signal.Signals) -> None:
        os.kill(self.program(f"agent-{home}").process.pid, number)

    def copy_hub(self, name: str) -> None:
        """A backup of the running hub's store."""
        self.copies[name] = _copied(self.place.hub_folder / "hub.sqlite", self.folder / f"hub-{name}.copy")

    def copy_agent(self, home: str, name: str) -> None:
        """An image of a running agent's outbox."""
        self.copies[name] = _copied(self.data_of(home) / "outbox.sqlite", self.folder / f"{home}-{name}.copy")

    def restore_hub(self, name: str) -> None:
        command = self.kill("hub")
        _put_back(self.copies[name], self.place.hub_folder / "hub.sqlite")
        self.programs.start("hub", command)
        self.programs.wait("the restored hub", lambda: bool((self.ask_hub() or {}).get("broker_connected")))

    def restore_agent(self, home: str, name: str) -> None:
        command = self.kill(f"agent-{home}")
        _put_back(self.copies[name], self.data_of(home) / "outbox.sqlite")
        self.programs.start(f"agent-{home}", command)

    def erase_broker(self) -> None:
        """kill -9 of the broker; when the hub starts it again, everything it had stored is gone."""
        hub = self.program("hub").process.pid
        words = {"mosquitto": b"mosquitto.conf", "iotcore": b"broker/embedded"}[self.broker]
        # The shell around the broker has the same words in its command; ending one of them may end the others.
        found = [pid for pid in tree_of(hub) if pid != hub and words in _command_of(pid)]
        assert found, "the hub runs its own broker"
        for pid in reversed(found):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.place.hub_folder / "broker")

    def next_quarter(self) -> None:
        """Let a quarter of an hour pass, so that every agent sends something, and wait for all receipts."""
        boundary = (int(self.clock.now()) // SLOT_S + 1) * SLOT_S
        self.clock.run_until(boundary + HOLD_AFTER_BOUNDARY_S, rate=LIVE_RATE)
        self.programs.wait("time to pass", lambda: self.clock.now() >= boundary + 60)
        self.programs.wait(
            "every agent to seal", lambda: all(self.sealed_through(home, slot_of(boundary)) for home in self.agents)
        )
        self.keep_up(boundary)
        self.programs.wait("every receipt", lambda: not any(self.waiting(home) for home in self.agents))

    def sealed_through(self, home: str, slot: int) -> bool:
        """Whether the agent's meter has closed all slots before this one."""
        return next_slot(self.data_of(home)) >= slot

    def waiting(self, home: str) -> int:
        with _reading(self.data_of(home) / "outbox.sqlite") as db:
            return int(db.execute("SELECT count(*) FROM message WHERE receipted_at IS NULL").fetchone()[0])

    def measured(self) -> dict[Reading, int]:
        """All energies stored by the hub."""
        with _reading(self.place.hub_folder / "hub.sqlite") as db:
            rows = db.execute("SELECT home, measure, slot, span, energy_wh FROM reading WHERE energy_wh IS NOT NULL")
            return {(home, measure, slot, span): wh for home, measure, slot, span, wh in rows}

    def held(self, home: str) -> dict[tuple[int, int], bytes]:
        """The hub's messages of a home's agent: number and hash."""
        with _reading(self.place.hub_folder / "hub.sqlite") as db:
            rows = db.execute("SELECT epoch, seq, hash FROM message WHERE agent = ?", (self.agents[home],))
            return {(epoch, seq): digest for epoch, seq, digest in rows}

    def kept(self, home: str) -> dict[tuple[int, int], bytes]:
        """The agent's messages that have a receipt."""
        with _reading(self.data_of(home) / "outbox.sqlite") as db:
            rows = db.execute("SELECT epoch, seq, hash FROM message WHERE receipted_at IS NOT NULL")
            return {(epoch, seq): digest for epoch, seq, digest in rows}

    def settled(self) -> Any:
        """The run of a closed day, settled again from what is stored now."""
        found: Any = self.hub_json("settle", "--day", CLOSED_DAY, "--json")
        return found["run"]


def _copied(path: Path, copy: Path) -> Path:
    copy.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as db, closing(sqlite3.connect(copy)) as other:
        db.backup(other)
    return copy


def _put_back(copy: Path, path: Path) -> None:
    for tail in ("-wal", "-shm"):
        path.with_name(path.name + tail).unlink(missing_ok=True)
    shutil.copyfile(copy, path)


def _reading(path: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10))


def _command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""  # it ended in the meantime


def begun(folder: Path, *, broker: str, seed: int) -> Street:
    """A street with its hub and enrolled agents, which have sent nothing yet."""
    street = Street(folder, seed=seed, homes=HOMES, history_days=DAYS, print_line=lambda _text: None, broker=broker)
    try:
        street.start_street("")
        street.make_hub()
        street.start_hub()
        street.enrol()
    except BaseException:
        street.programs.stop()
        raise
    return street


def send_disturbed(street: Street) -> None:
    """Send the history; in the middle, copy everything and let the broker lose all it has stored."""
    original, paused = street.programs.wait, dict[str, int]()

    def disturb() -> None:
        for home in street.agents:
            if home not in paused and (held := len(street.held(home))) >= 20:
                street.signal_agent(home, signal.SIGSTOP)
                paused[home] = held
                if len(paused) == HOMES:
                    street.copy_hub("middle")
                    street.copy_agent("h02", "image")
                    street.erase_broker()
                    for each in street.agents:
                        street.signal_agent(each, signal.SIGCONT)

    def arrived(ready: Any) -> bool:
        disturb()
        return len(paused) == HOMES and ready()

    def wait(what: str, ready: Any, *, within_s: float = 120.0, **more: float) -> None:
        history = what == "the history to arrive"
        original(what, (lambda: arrived(ready)) if history else ready, within_s=within_s, **more)

    street.programs.wait = wait  # type: ignore[method-assign]
    street.send_history()
    street.programs.wait = original  # type: ignore[method-assign]
    assert max(paused.values()) < DAYS * 96, "the broker was lost in the middle"


@dataclass
class Stages:
    """What the hub had stored and how the closed day settled after each stage."""

    street: Street
    measured: dict[str, dict[Reading, int]] = field(default_factory=dict)
    runs: dict[str, Any] = field(default_factory=dict)

    def note(self, name: str) -> None:
        self.measured[name] = self.street.measured()
        self.runs[name] = self.street.settled()


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    """History with a broker that loses everything; then each store is restored from an older copy in turn."""
    street = begun(tmp_path_factory.mktemp("restores"), broker="iotcore", seed=11)
    try:
        found = Stages(street)
        street.copy_hub("beginning")
        send_disturbed(street)
        street.next_quarter()
        found.note("broker")
        street.restore_hub("middle")
        street.next_quarter()
        found.note("hub, middle")
        street.restore_hub("beginning")
        street.next_quarter()
        found.note("hub, beginning")
        street.restore_agent("h02", "image")
        street.next_quarter()
        found.note("agent")
        yield found
    finally:
        street.programs.stop()


def require_all_history(street: Street, measured: dict[Reading, int]) -> None:
    first = slot_of(street.start_s) - DAYS * 96
    for home in street.agents:
        slots = {slot for at, measure, slot, _ in measured if (at, measure) == (home, 1)}
        assert slots >= set(range(first, first + DAYS * 96)), home


def test_a_broker_that_loses_everything_loses_no_readings(stages: Stages) -> None:
    require_all_history(stages.street, stages.measured["broker"])


@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed here")
def test_a_mosquitto_that_loses_everything_loses_no_readings(tmp_path: Path) -> None:
    street = begun(tmp_path, broker="mosquitto", seed=12)
    try:
        send_disturbed(street)
        street.next_quarter()
        require_all_history(street, street.measured())
        for home in street.agents:
            assert street.held(home) == street.kept(home)
    finally:
        street.programs.stop()


def test_no_measured_energy_is_lost_or_changed_by_any_restore(stages: Stages) -> None:
    before: dict[Reading, int] = {}
    for name, measured in stages.measured.items():
        assert {key: measured.get(key) for key in before} == before, name
        before = measured
    assert len(before) >= 2 * EXPECTED


def test_a_closed_day_settles_to_the_same_after_every_restore(stages: Stages) -> None:
    assert len(set(stages.runs.values())) == 1, stages.runs


def test_every_receipt_an_agent_has_is_true(stages: Stages) -> None:
    for home in stages.street.agents:
        held, kept = stages.street.held(home), stages.street.kept(home)
        assert len(kept) > DAYS * 96, home
        assert {key: held.get(key) for key in kept} == kept, home


def test_each_agent_logs_in_one_line_what_it_noticed(stages: Stages) -> None:
    untouched, restored = stages.street.log_of("agent-h01"), stages.street.log_of("agent-h02")
    found = re.findall(r"up to (\d+) only, though it had receipted (\d+)", untouched)
    assert [int(of) - int(through) > 64 for through, of in found] == [True, True], (
        "further back than the hub looks ahead"
    )
    assert found[1][0] == "0", "the second backup had nothing of the agent"
    assert "older copy" not in untouched
    assert restored.count("its storage is an older copy") == 1
    epochs = sorted({epoch for epoch, _ in stages.street.held("h02")})
    assert len(epochs) == 2
    assert f"starting epoch {epochs[1]}" in restored
    assert len({epoch for epoch, _ in stages.street.held("h01")}) == 1


def test_the_hub_verifies_all_it_has_stored_and_its_books_sum_to_zero(stages: Stages) -> None:
    found: Any = stages.street.hub_json("verify", "--json")
    assert found["ok"], (found["messages"]["findings"], found["books"]["findings"])


@pytest.mark.campaign
@pytest.mark.parametrize("seed", CAMPAIGN_SEEDS)
def test_many_restores_in_any_order(tmp_path: Path, seed: int) -> None:
    """Faults drawn from a seed, each with any older copy; after each one the street catches up."""
    draw = random.Random(seed)
    brokers = ("iotcore", "mosquitto") if find_mosquitto() else ("iotcore",)
    street = begun(tmp_path, broker=draw.choice(brokers), seed=seed)
    try:
        send_disturbed(street)
        street.next_quarter()
        before, run = street.measured(), street.settled()
        hubs, images = ["middle"], {"h02": ["image"]}
        for number in range(CAMPAIGN_ROUNDS):
            _one_fault(street, draw, hubs=hubs, images=images, number=number)
            street.next_quarter()
            measured = street.measured()
            assert {key: measured.get(key) for key in before} == before, f"seed {seed}, round {number}"
            assert street.settled() == run, f"seed {seed}, round {number}"
            before = measured
        found: Any = street.hub_json("verify", "--json")
        assert found["ok"], (found["messages"]["findings"], found["books"]["findings"])
    finally:
        street.programs.stop()


def _one_fault(
    street: Street, draw: random.Random, *, hubs: list[str], images: dict[str, list[str]], number: int
) -> None:
    home = draw.choice(list(street.agents))
    fault = draw.choice(("hub", "hub", "agent", "agent", "broker", "copy"))
    if fault == "hub" and hubs:
        street.restore_hub(draw.choice(hubs))
    elif fault == "agent" and images.get(home):
        street.restore_agent(home, draw.choice(images[home]))
        # Only the hub still has what this agent lost: restoring an older backup of the hub would lose it forever.
        hubs.clear()
    elif fault == "broker":
        street.erase_broker()
    else:
        hubs.append(f"hub-{number}")
        street.copy_hub(hubs[-1])
        images.setdefault(home, []).append(f"agent-{number}")
        street.copy_agent(home, f"agent-{number}")
