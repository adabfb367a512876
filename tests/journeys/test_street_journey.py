"""A small street in real processes, with an agent and the hub killed in between: no message with a receipt is lost,
nothing counts twice, the books are as if nothing had happened, and the script alone recomputes every statement.
"""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest

from edge_agent.home_store.credit_days import read_credit_day
from hub.core.ledger.entries import read_entry
from hub.core.statements.month import booked_amounts
from hub.statements.script import NAME
from protocols.slots import SLOT_S, slots_of_day
from simulator.demo.director import LIVE_RATE, Demo
from simulator.demo.processes import ChildProcess, ChildProcesses, tree_of

HOMES = 6
DAYS = 2
LIVE_SLOTS = 6
MONTH = "2026-05"


class Journey(Demo):
    """A demonstration whose programs can be killed and started again."""

    def program(self, name: str) -> ChildProcess:
        return next(one for one in self.programs.running if one.name == name)

    def kill_and_restart(self, name: str) -> None:
        """kill -9, then the same command again; the log continues in a second file."""
        killed = self.program(name)
        command = [str(part) for part in killed.process.args]  # type: ignore[union-attr]
        os.kill(killed.process.pid, signal.SIGKILL)
        killed.process.wait()
        self.programs.running.remove(killed)
        self.programs.start(name, command)

    def stored(self) -> int:
        status = self.ask_hub()
        return int(status["messages"]["stored"]) if status else 0


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    folder = tmp_path_factory.mktemp("journey")
    one = Journey(folder, seed=11, homes=HOMES, history_days=DAYS, print_line=lambda _text: None)
    try:
        one.start_street("")
        one.make_hub()
        one.start_hub()
        one.enrol()
        yield one
    finally:
        one.programs.stop()


@pytest.fixture(scope="module")
def travelled(journey: Journey) -> Journey:
    """History with one kill -9 of an agent and one of the hub while messages travel, then some live quarter hours."""
    expected = HOMES * DAYS * 96
    seen: list[str] = []

    def disturb() -> bool:
        stored = journey.stored()
        if stored > expected * 0.1 and "agent" not in seen:
            seen.append("agent")
            journey.kill_and_restart("agent-h02")
        if stored > expected * 0.3 and "hub" not in seen:
            seen.append("hub")
            journey.kill_and_restart("hub")
        return stored >= expected and len(seen) == 2

    original = journey.programs.wait

    def wait(what: str, ready: Any, *, within_s: float = 120.0, **more: float) -> None:
        if what == "the history to arrive":
            original(what, lambda: disturb() and ready(), within_s=240, **more)
        else:
            original(what, ready, within_s=within_s, **more)

    journey.programs.wait = wait  # type: ignore[method-assign]
    journey.send_history()
    assert seen == ["agent", "hub"]
    journey.wake_residents()
    for step in range(1, LIVE_SLOTS + 1):
        boundary = journey.start_s + step * SLOT_S
        journey.clock.run_until(boundary + 240, rate=LIVE_RATE)
        journey.programs.wait("time to pass", lambda at=boundary: journey.clock.now() >= at + 60)
        journey.keep_up(boundary)
    journey.programs.wait("the last receipts to arrive in the homes", lambda: not waiting(journey))
    return journey


def waiting(journey: Journey) -> list[str]:
    """Homes that wait for a receipt."""
    folders = {home: journey.street_folder / "homes" / home / "data" for home in journey.agents}
    return [home for home, folder in folders.items() if any(at is None for *_, at in messages_of(folder))]


def messages_of(folder: Path) -> list[tuple[int, int, bytes, int | None]]:
    with closing(sqlite3.connect(f"file:{folder / 'outbox.sqlite'}?mode=ro", uri=True)) as db:
        return list(db.execute("SELECT epoch, seq, hash, receipted_at FROM message ORDER BY epoch, seq"))


def test_everything_an_agent_sealed_has_a_receipt_and_is_stored_once(travelled: Journey) -> None:
    with closing(sqlite3.connect(f"file:{travelled.place.hub_folder / 'hub.sqlite'}?mode=ro", uri=True)) as db:
        for home, agent in travelled.agents.items():
            sealed = messages_of(travelled.street_folder / "homes" / home / "data")
            assert len(sealed) >= DAYS * 96 + LIVE_SLOTS, home
            assert all(receipted for *_, receipted in sealed), f"{home}: a message has no receipt"
            held = list(
                db.execute("SELECT epoch, seq, hash FROM message WHERE agent = ? ORDER BY epoch, seq", (agent,))
            )
            assert held == [(epoch, seq, hash_) for epoch, seq, hash_, _ in sealed], home


def test_the_hub_can_verify_all_it_has_stored(travelled: Journey) -> None:
    found: Any = travelled.hub_json("verify", "--whole", "--json")
    assert found["ok"], (found["messages"]["findings"], found["books"]["findings"])
    assert found["messages"]["messages"] > HOMES * DAYS * 96


def test_the_readings_equal_the_true_energies(travelled: Journey) -> None:
    """Import and export of every slot, at the resolution of the meters."""
    first_s = travelled.start_s - DAYS * 86400
    truth = travelled.ask_street(f"truth.json?from={first_s}&to={travelled.start_s}")
    with closing(sqlite3.connect(f"file:{travelled.place.hub_folder / 'hub.sqlite'}?mode=ro", uri=True)) as db:
        for home, true_home in truth["homes"].items():
            for measure, name in ((1, "grid_import"), (2, "grid_export")):
                rows = dict(
                    db.execute(
                        "SELECT slot, energy_wh FROM reading WHERE home = ? AND measure = ? AND energy_wh IS NOT NULL",
                        (home, measure),
                    )
                )
                true_wh = true_home["energy_wh"].get(name, [0.0] * (DAYS * 96))
                slots = range(first_s // SLOT_S, travelled.start_s // SLOT_S)
                measured = [rows.get(slot) for slot in slots]
                assert None not in measured, f"{home} {name}"
                # A meter with steps of 10 Wh may be off by one step in a slot, but not in the sum of all slots.
                assert max(abs(m - t) for m, t in zip(measured, true_wh, strict=True) if m is not None) <= 11, home
                assert abs(sum(m for m in measured if m is not None) - sum(true_wh)) <= 11, f"{home} {name}"


def test_the_closed_days_are_settled_and_settling_again_gives_the_same(travelled: Journey) -> None:
    report: Any = travelled.hub_json("report", "--from", "2026-05-04", "--to", "2026-05-05", "--by", "m01", "--json")
    assert report["settlement"]["days"] == {"complete": DAYS}
    assert (report["ledger"]["sum_wh"], report["ledger"]["sum_nano"]) == (0, 0)
    again: Any = travelled.hub_json("settle", "--day", "2026-05-04", "--json")
    assert again["entries_booked"] == 0


def test_each_home_has_been_told_what_its_settled_days_came_to(travelled: Journey) -> None:
    """By its own hub, soon after the night's settlement: the ledger's numbers of that home alone."""
    days = [slots_of_day(date(2026, 5, day), travelled.tz) for day in (4, 5)]
    with closing(sqlite3.connect(f"file:{travelled.place.hub_folder / 'hub.sqlite'}?mode=ro", uri=True)) as db:
        member_of = dict(db.execute("SELECT id, member_id FROM home"))
        entries = [read_entry(row[0]) for row in db.execute("SELECT canonical FROM entry WHERE unit = 'Wh'")]
    for home in travelled.agents:
        folder = travelled.street_folder / "homes" / home / "data"
        told = [read_credit_day(folder, slots) for slots in days]
        assert None not in told, home
        for day, each in zip((4, 5), told, strict=True):
            own = [entry for entry in entries if entry.day == f"2026-05-{day:02d}"]
            booked = booked_amounts([entry for entry in own if entry.member == member_of[home]], member_of[home])
            assert each is not None
            energies = (each.received_wh, each.given_wh, each.imported_wh, each.exported_wh)
            assert energies == tuple(booked[name] for name in ("received", "sold", "imported", "exported")), home


def write_statement(travelled: Journey, member: str, folder: Path) -> Any:
    """Have the hub write a member's statement and the files that check it; gives what the command printed."""
    options = {"--member": member, "--by": "m01", "--reason": "a check", "--month": MONTH, "--out": str(folder)}
    return travelled.hub_json("statement", *(word for option in options.items() for word in option), "--json")


def recompute(files: list[Path], hub_key: str) -> tuple[int, str]:
    command = [sys.executable, "-I", str(files[0].with_name(NAME)), *map(str, files), "--hub-key", hub_key]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).partition("\n")[0]


def test_every_members_statement_is_recomputed_and_a_changed_reading_is_found(
    travelled: Journey, tmp_path: Path
) -> None:
    received = sold = 0
    for home, member in travelled.members.items():
        out = tmp_path / home
        printed = write_statement(travelled, member, out)
        assert (printed["state"], printed["later"]) == ("provisional", {})
        files = [out / name for name in ("statement.json", "readings.json", "pool.json")]
        code, output = recompute(files, printed["hub_key"])
        assert (code, output.partition(" in ")[0]) == (0, f"{MONTH} of {member}: right")
        assert f"of {DAYS * 96} intervals" in output
        totals = json.loads(files[0].read_text())["document"]["totals"]
        received, sold = received + totals["received"], sold + totals["sold"]
        own = json.loads(files[1].read_text())
        own["readings"][100][2] += 1
        files[1].write_text(json.dumps(own))
        code, output = recompute(files, printed["hub_key"])
        assert code == 1
        assert f"slot {own['readings'][100][0]} " in output
    assert received == sold > 0


def test_the_page_offers_the_same_statement(travelled: Journey, tmp_path: Path) -> None:
    home, member = next(iter(travelled.members.items()))
    printed = write_statement(travelled, member, tmp_path / "o")
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    asked = urllib.request.Request(travelled.sign_in_links()[home], data=b"", headers={"Origin": travelled.hub_url})
    browser.open(asked).read()
    page = browser.open(f"{travelled.hub_url}/credits/statement/{MONTH}").read().decode()
    assert re.findall(r"--hub-key ([0-9a-f]{64})", page) == [printed["hub_key"]]
    signed = json.loads(browser.open(f"{travelled.hub_url}/credits/statement/{MONTH}.json").read())
    assert signed == json.loads((tmp_path / "o" / "statement.json").read_text())


def test_nothing_is_left_running(tmp_path: Path) -> None:
    programs = ChildProcesses(tmp_path, dict(os.environ))
    sleeper = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    program = programs.start("parent", [sys.executable, "-c", sleeper])
    while len(tree := tree_of(program.process.pid)) < 2:
        program.check()
    programs.stop()
    left = subprocess.run(
        ["ps", "-o", "stat=", "-p", ",".join(map(str, tree))], capture_output=True, text=True, check=False
    )
    assert not [state for state in left.stdout.split() if not state.startswith("Z")]
