"""A street's readings from simulated meters to a member's statement, recomputed by the script alone, in real
processes, from the command and from the page.
"""

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest

from hub.statements.script import NAME
from protocols.slots import SLOT_S
from simulator.demo.director import LIVE_RATE, Demo

HOMES = 6
DAYS = 2
MONTH = "2026-05"


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A street whose history has arrived and whose closed days are settled."""
    one = Demo(
        tmp_path_factory.mktemp("statements"), seed=11, homes=HOMES, history_days=DAYS, print_line=lambda _text: None
    )
    try:
        one.start_street("")
        one.make_hub()
        one.start_hub()
        one.enrol()
        one.send_history()
        boundary = one.start_s + 2 * SLOT_S
        one.clock.run_until(boundary + 240, rate=LIVE_RATE)
        one.programs.wait("time to pass", lambda: one.clock.now() >= boundary + 60)
        one.keep_up(boundary)
        yield one
    finally:
        one.programs.stop()


def write_statement(street: Demo, member: str, folder: Path) -> Any:
    """Have the hub write a member's statement and the files that check it; gives what the command printed."""
    options = {"--member": member, "--by": "m01", "--reason": "a check", "--month": MONTH, "--out": str(folder)}
    return street.hub_json("statement", *(word for option in options.items() for word in option), "--json")


def recompute(files: list[Path], hub_key: str) -> tuple[int, str]:
    command = [sys.executable, "-I", str(files[0].with_name(NAME)), *map(str, files), "--hub-key", hub_key]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).partition("\n")[0]


def test_every_members_statement_is_recomputed_and_a_changed_reading_is_found(street: Demo, tmp_path: Path) -> None:
    received = sold = 0
    for home, member in street.members.items():
        out = tmp_path / home
        printed = write_statement(street, member, out)
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


def test_the_page_offers_the_same_statement(street: Demo, tmp_path: Path) -> None:
    home, member = next(iter(street.members.items()))
    printed = write_statement(street, member, tmp_path / "o")
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    asked = urllib.request.Request(street.sign_in_links()[home], data=b"", headers={"Origin": street.hub_url})
    browser.open(asked).read()
    page = browser.open(f"{street.hub_url}/credits/statement/{MONTH}").read().decode()
    assert re.findall(r"--hub-key ([0-9a-f]{64})", page) == [printed["hub_key"]]
    signed = json.loads(browser.open(f"{street.hub_url}/credits/statement/{MONTH}.json").read())
    assert signed == json.loads((tmp_path / "o" / "statement.json").read_text())
