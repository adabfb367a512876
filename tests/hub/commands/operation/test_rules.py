"""`commonwatt-hub rules`: from a proposal to a day settled under the new rule, and what is refused."""

import asyncio
import json
import shlex
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hub.__main__ import main
from hub.commands.operation.init import init_hub
from hub.storage.records import Home, Member
from hub.storage.sqlite.store import SqliteStore
from protocols.slots import slots_of_day
from protocols.timeline import Clock, Timeline
from tests.hub.settled_street import COOP, RULE, fill_street

FIRST, LAST_OLD, NEW = date(2026, 5, 27), date(2026, 5, 28), date(2026, 5, 29)


class RulesHub:
    """A hub's folder and its commands at a time."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._clock, self._capsys = folder, folder.parent / "clock.json", capsys

    def at(self, day: date) -> None:
        now_s = int(datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(COOP.tz)).timestamp())
        self._clock.write_text(Timeline(0, now_s, 0, None).text())

    def run(self, *words: str, code: int = 0) -> str:
        self._capsys.readouterr()
        found = main([*words, "--data", str(self.folder), "--clock", str(self._clock)])
        out, err = self._capsys.readouterr()
        assert found == code, (words, out, err)
        assert len(err.splitlines()) == (1 if code else 0)
        return err if code else out

    def rules(self, *words: str) -> Any:
        return json.loads(self.run("rules", *words, "--json"))

    def file(self, text: str) -> str:
        path = self.folder.parent / "change.toml"
        path.write_text(text)
        return str(path)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub with three days of readings; each test works on a copy."""
    folder = tmp_path_factory.mktemp("rules") / "hub"
    clock = Clock(real=lambda: 1_780_000_000.0)

    async def fill() -> None:
        await init_hub(folder, coop=COOP, clock=clock)
        store = await SqliteStore.open(folder / "hub.sqlite", now=clock.now)
        street = await fill_street(store)
        await street.arrive_days([FIRST, LAST_OLD, NEW])
        await store.close()

    asyncio.run(fill())
    return folder


@pytest.fixture
def hub(kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> RulesHub:
    made = RulesHub(Path(shutil.copytree(kept, tmp_path / "hub")), capsys)
    made.at(LAST_OLD)
    return made


def propose(hub: RulesHub, *words: str, by: str = "m01") -> Any:
    return hub.rules("propose", *words, "--from", str(NEW), "--by", by)


def refused(hub: RulesHub, *words: str) -> str:
    return hub.run("rules", *words, code=1)


def test_from_a_proposal_to_a_day_settled_under_the_new_rule(hub: RulesHub) -> None:
    change = hub.file('[rules]\nmethod = "equal"\nbuy_micro_per_kwh = 190000\n')
    (proposal,) = propose(hub, "--file", change)["proposals"]
    assert (proposal["proposed_by"], proposal["valid_from"], proposal["source"]) == (
        "m01", "2026-05-29", "file change.toml",
    )  # fmt: skip
    assert proposal["valid_from_slot"] == slots_of_day(NEW, COOP.tz).start
    assert "proposal 1, from 2026-05-29: by m01 on 2026-05-28 (file change.toml), waits" in hub.run("rules", "show")
    found = hub.rules("adopt", "--proposal", "1", "--by", "m02")
    assert found["proposals"] == []
    first, new = found["versions"]
    assert (first["rule"], first["adopted_by"], found["in_force"]) == (RULE.version(), None, RULE.version())
    assert (new["proposed_by"], new["adopted_by"], new["valid_from"]) == ("m01", "m02", "2026-05-29")
    assert new["content"]["prices"]["sell"] == RULE.prices.sell_micro_per_kwh, "what the file leaves out stays"
    hub.at(date(2026, 6, 1))
    hub.run("settle", "--day", str(LAST_OLD), str(NEW))
    with closing(sqlite3.connect(hub.folder / "hub.sqlite")) as db:
        runs = dict(db.execute("SELECT day, rule_hash FROM run").fetchall())
    assert runs == {str(LAST_OLD): RULE.version(), str(NEW): new["rule"]}
    assert hub.rules("show")["in_force"] == new["rule"]
    assert "from 2026-05-29, in force today: proposed by m01 on 2026-05-28, adopted by m02" in hub.run("rules", "show")
    books = json.loads(hub.run("verify", "--only", "books", "--json"))
    rows = json.loads(hub.run("verify", "--only", "rows", "--json"))["rows"]
    assert (books["ok"], rows["findings"]) == (True, [])
    assert rows["acts"] == 2


def test_a_statement_names_both_people_and_its_script_agrees(hub: RulesHub, tmp_path: Path) -> None:
    propose(hub, "--file", hub.file("buy_micro_per_kwh = 190000"))
    hub.run("rules", "adopt", "--proposal", "1", "--by", "m02")
    hub.at(date(2026, 6, 1))
    hub.run("settle", "--day", *map(str, (FIRST, LAST_OLD, NEW)))
    out = ("--month", "2026-05", "--out", str(tmp_path / "m01"), "--json")
    told = json.loads(hub.run("statement", "--member", "m01", "--by", "m01", *out))
    statement = json.loads((tmp_path / "m01" / "statement.json").read_text(encoding="utf-8"))
    assert [row["by"] for row in statement["document"]["rulebook"]] == [[], ["m01", "m02"]]
    command = [sys.executable, *shlex.split(told["verify"])[1:]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "m01" in done.stdout
    assert "m02" in done.stdout


def test_a_preset_becomes_a_rule_and_keeps_the_prices(hub: RulesHub) -> None:
    (proposal,) = propose(hub, "--preset", "de-42b-equal")["proposals"]
    assert proposal["content"]["params"] == {"weights": {"m01": 1, "m02": 1, "m03": 1}}
    assert proposal["content"]["prices"]["buy"] == RULE.prices.buy_micro_per_kwh
    weights = hub.file("[params.weights]\nm01 = 500000\nm02 = 250000\nm03 = 250000\n")
    found = propose(hub, "--preset", "es-beta", "--file", weights)["proposals"]
    assert (found[1]["content"]["aggregate"], found[1]["source"]) == (4, "preset es-beta with file change.toml")


@pytest.mark.parametrize(
    ("words", "text", "said"),
    [
        (("--by", "m01"), 'metod = "equal"', "the rule has no key 'metod'"),
        (("--by", "m01"), '[rules]\nmetod = "equal"', "the rule has no key 'metod'"),
        (("--by", "m01"), "[web]\nport = 1", "the rule has no key 'web'"),
        (("--by", "m01"), "method", "not a TOML file"),
        (("--by", "m01"), "", "this is the rule that holds on 2026-05-29 already"),
        (("--by", "m03"), 'method = "equal"', "'m03' is not on the board"),
        (("--by", "nobody"), 'method = "equal"', "'nobody' is not on the board"),
        (("--by", "m01", "--preset", "es-beta"), "", "the preset es-beta needs params.weights in a file"),
        (("--by", "m01", "--preset", "xx"), "", "there is no preset 'xx'"),
        (("--by", "m01", "--proposal", "1"), 'method = "equal"', "rules propose: --proposal does not go with it"),
        ((), 'method = "equal"', "rules propose: give --by"),
    ],
)
def test_a_wrong_proposal_is_one_line_and_stores_nothing(
    hub: RulesHub, words: tuple[str, ...], text: str, said: str
) -> None:
    assert said in refused(hub, "propose", "--from", str(NEW), "--file", hub.file(text), *words)
    assert hub.rules("show")["proposals"] == []


def test_no_rule_reaches_back(hub: RulesHub) -> None:
    change = hub.file('method = "equal"')
    said = refused(hub, "propose", "--file", change, "--from", str(LAST_OLD), "--by", "m01")
    assert "cannot hold from 2026-05-28: today is 2026-05-28, so 2026-05-29 is the earliest day" in said
    hub.at(date(2026, 6, 1))
    hub.run("settle", "--day", str(NEW))
    hub.at(date(2026, 5, 20))  # the clock was ahead
    said = refused(hub, "propose", "--file", change, "--from", str(NEW), "--by", "m01")
    assert "cannot hold from 2026-05-29: 2026-05-29 is settled, so 2026-05-30 is the earliest day" in said


def test_one_person_alone_and_stale_proposals_change_nothing(hub: RulesHub) -> None:
    propose(hub, "--file", hub.file('method = "equal"'))
    propose(hub, "--preset", "ch-leg", "--file", hub.file("buy_micro_per_kwh = 190000"), by="m02")
    assert "m01 made proposal 1: another member" in refused(hub, "adopt", "--proposal", "1", "--by", "m01")
    assert "'m03' is not on the board" in refused(hub, "adopt", "--proposal", "1", "--by", "m03")
    assert "there is no proposal 9" in refused(hub, "adopt", "--proposal", "9", "--by", "m02")
    hub.run("board", "--appoint", "m03", "--by", "m02")
    hub.run("board", "--remove", "m01", "--by", "m02")
    assert "'m01' is not on the board" in refused(hub, "adopt", "--proposal", "1", "--by", "m02")
    hub.run("rules", "adopt", "--proposal", "2", "--by", "m03")
    assert len(hub.rules("show")["versions"]) == 2
    hub.run("board", "--appoint", "m01", "--by", "m02")
    assert "proposal 1 is stale" in refused(hub, "adopt", "--proposal", "1", "--by", "m02")
    assert "can no longer be adopted" in hub.run("rules", "show")
    hub.at(NEW)
    assert "today is 2026-05-29" in refused(hub, "adopt", "--proposal", "1", "--by", "m02")
    assert len(hub.rules("show")["versions"]) == 2


def test_a_proposal_that_no_longer_names_every_member_is_refused(hub: RulesHub) -> None:
    propose(hub, "--preset", "de-42b-equal")

    async def join() -> None:
        store = await SqliteStore.open(hub.folder / "hub.sqlite", now=lambda: 1_780_000_000.0)
        await store.add_member(Member("m04", "Member 4", "m04@example.org", "en", False, 0), Home("h04", "h04", "m04"))
        await store.close()

    asyncio.run(join())
    assert "proposal 1 no longer fits the members: weights_members" in refused(
        hub, "adopt", "--proposal", "1", "--by", "m02"
    )


def test_a_hub_without_members_says_who_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = RulesHub(tmp_path / "hub", capsys)
    made.at(LAST_OLD)
    asyncio.run(init_hub(made.folder, coop=COOP, clock=Clock(real=lambda: 1_780_000_000.0)))
    assert "first version, from hub.toml, in force today" in made.run("rules", "show")
    said = refused(made, "propose", "--preset", "ch-leg", "--from", str(NEW), "--by", "m01")
    assert "no member has a home yet: invite members" in said


def test_the_settings_say_that_they_are_the_first_version_only(hub: RulesHub) -> None:
    text = (hub.folder / "hub.toml").read_text(encoding="utf-8")
    assert "the rulebook's first version only" in text
    assert "commonwatt-hub rules propose" in text


def test_a_proposal_is_taken_back_by_who_made_it(hub: RulesHub) -> None:
    propose(hub, "--file", hub.file('method = "equal"'))
    assert "only m01 withdraws it" in refused(hub, "withdraw", "--proposal", "1", "--by", "m02")
    assert "rules withdraw: give --by" in refused(hub, "withdraw", "--proposal", "1")
    found = hub.rules("withdraw", "--proposal", "1", "--by", "m01")
    assert found["proposals"] == []
    assert [(each["proposal"], each["withdrawn_by"]) for each in found["withdrawn"]] == [(1, "m01")]
    assert "m01 withdrew proposal 1" in refused(hub, "adopt", "--proposal", "1", "--by", "m02")
    assert json.loads(hub.run("verify", "--only", "rows", "--json"))["rows"]["findings"] == []
