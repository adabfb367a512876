"""`commonwatt-hub maps`: a map is checked and added, one board member proposes, another confirms; all is in the log."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from hub.__main__ import main
from hub.commands.operation.init import init_hub
from hub.commands.operation.verify import verify_hub
from hub.storage.maps.records import MapRelease
from hub.storage.records import Home, Member
from hub.storage.sqlite.store import SqliteStore
from protocols.timeline import Clock
from protocols.wire.map_bundles.content import MAX_MAP_BYTES, decode_bundle, map_digest
from tests.hub.settled_street import COOP
from tests.hub.verify.tampering import tampering

MAPS = Path(__file__).resolve().parents[4] / "firmware_configs" / "devices"
BRONZE, SILVER = "chint-ddsu666", "eastron-sdm630"
NOW_S = 1_795_212_000
CLOCK = Clock(real=lambda: float(NOW_S))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub with two members of the board and one other; each test works on a copy."""
    folder = tmp_path_factory.mktemp("maps") / "hub"

    async def fill() -> None:
        await init_hub(folder, coop=COOP, clock=CLOCK)
        store = await SqliteStore.open(folder / "hub.sqlite", now=CLOCK.now)
        for number in (1, 2, 3):
            name = f"m0{number}"
            member = Member(name, f"Member {number}", f"{name}@example.org", "en", number < 3, NOW_S)
            await store.add_member(member, Home(f"h0{number}", f"House {number}", name))
        await store.close()

    asyncio.run(fill())
    return folder


class MapsHub:
    """A hub's folder and the command on it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys

    def run(self, *words: str, code: int = 0) -> str:
        self._capsys.readouterr()
        found = main(["maps", *words, "--data", str(self.folder)])
        out, err = self._capsys.readouterr()
        assert found == code, (words, out, err)
        assert len(err.splitlines()) == (1 if code else 0)
        return out + err

    def add(self, *families: str) -> None:
        self.run("add", *(str(MAPS / f"{family}.toml") for family in families), "--by", "m01")

    def shown(self) -> Any:
        return json.loads(self.run("list", "--json"))

    def releases(self) -> tuple[MapRelease, ...]:
        async def read() -> tuple[MapRelease, ...]:
            store = await SqliteStore.open(self.folder / "hub.sqlite", now=CLOCK.now)
            try:
                return await store.map_releases()
            finally:
                await store.close()

        return asyncio.run(read())


@pytest.fixture
def hub(kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> MapsHub:
    return MapsHub(Path(shutil.copytree(kept, tmp_path / "hub")), capsys)


def test_from_a_file_to_a_bundle_and_back(hub: MapsHub) -> None:
    assert "no map was added" in hub.run("list")
    hub.add(BRONZE, SILVER)
    assert [(each["map"], each["quality"]) for each in hub.shown()["maps"]] == [(BRONZE, "bronze"), (SILVER, "silver")]
    assert "proposal 1: another board member confirms it" in hub.run("release", SILVER, BRONZE, "--by", "m01")
    assert hub.releases() == (), "one member alone releases nothing"
    assert "bundle 1 is released" in hub.run("confirm", "--proposal", "1", "--by", "m02")
    (first,) = hub.releases()
    bundle = decode_bundle(first.bundle)
    assert (bundle.coop, bundle.serial, first.bronze) == (COOP.id, 1, 1)
    for each in bundle.maps:
        text = (MAPS / f"{each.id}.toml").read_text(encoding="utf-8")
        assert (each.text, each.digest) == (text, map_digest(text))
    hub.run("withdraw", BRONZE, "--by", "m02")
    hub.run("confirm", "--proposal", "2", "--by", "m01")
    assert [each.id for each in decode_bundle(hub.releases()[-1].bundle).maps] == [SILVER]
    assert [each["is_released"] for each in hub.shown()["maps"]] == [False, True]
    assert hub.shown()["bundle"] == 2
    hub.run("withdraw", SILVER, "--by", "m02")
    assert "no maps at all" in hub.run("confirm", "--proposal", "3", "--by", "m01")
    found = asyncio.run(verify_hub(hub.folder, clock=CLOCK))
    assert found["ok"], found


def test_a_bundle_after_a_restore_goes_on_above_what_homes_hold(hub: MapsHub) -> None:
    hub.add(SILVER)
    hub.run("release", SILVER, "--by", "m01")
    assert "bundle 8 is released" in hub.run("confirm", "--proposal", "1", "--by", "m02", "--after", "7")


def test_what_is_not_good_is_refused_with_a_line_for_each_finding(hub: MapsHub, tmp_path: Path) -> None:
    text = (MAPS / f"{SILVER}.toml").read_text(encoding="utf-8")
    broken = tmp_path / f"{SILVER}.toml"
    twice_wrong = text.replace('quality = "silver"', 'quality = "silvery"')
    broken.write_text(twice_wrong.replace("[transport]", "[transport]\nbaud_rate = 1", 1))
    out = hub.run("add", str(broken), str(MAPS / f"{BRONZE}.toml"), "--by", "m01", code=1)
    assert len(out.splitlines()) >= 3, out
    assert all(line.startswith(f"{SILVER}.toml") for line in out.splitlines()[:-1])
    assert hub.shown()["maps"] == [], "none of the files was added"
    broken.write_text(text)
    assert "no vectors found" in hub.run("add", str(broken), "--by", "m01", code=1), "silver needs its golden vectors"
    vectors = json.loads((MAPS.parent / "vectors" / f"{SILVER}.json").read_text(encoding="utf-8"))
    vectors["vectors"][0]["expected"] = "987654321"
    (tmp_path / "wrong.json").write_text(json.dumps(vectors))
    out = hub.run("add", str(broken), "--vectors", str(tmp_path / "wrong.json"), "--by", "m01", code=1)
    assert "987654321" in out
    (tmp_path / "other.toml").write_text(text)
    assert "id: expected 'other' like the file's name" in hub.run(
        "add", str(tmp_path / "other.toml"), "--by", "m01", code=1
    )
    (tmp_path / "large.toml").write_text("#" * (MAX_MAP_BYTES + 1))
    assert "no home takes that" in hub.run("add", str(tmp_path / "large.toml"), "--by", "m01", code=1)


REFUSED = (
    (("release", "nothing", "--by", "m01"), "no map 'nothing' was added"),
    (("release", SILVER, "--by", "m03"), "'m03' is not on the board"),
    (("release", SILVER, "--by", "m99"), "'m99' is not on the board"),
    (("release", "--by", "m01"), "give a map's id"),
    (("release", SILVER), "give --by"),
    (("withdraw", SILVER, "--by", "m01"), f"{SILVER!r} is not released"),
    (("confirm", "--proposal", "1", "--by", "m01"), "m01 made proposal 1: another member of the board confirms it"),
    (("confirm", "--proposal", "1", "--by", "m03"), "'m03' is not on the board"),
    (("confirm", "--proposal", "7", "--by", "m02"), "there is no proposal 7"),
    (("confirm", "--by", "m02"), "give --proposal"),
    (("confirm", "--proposal", "1", "--by", "m02", "--after", "-1"), "--after: expected 0 or more"),
    (
        ("confirm", "--proposal", "1", "--by", "m02", "--after", str(2**32)),
        "--after: 4294967296 is more than 10000 above bundle 0",
    ),
    (("confirm", "--proposal", "1", "--by", "m02", "--after", "10001"), "homes would never take a lower one again"),
    (("withdraw", "--proposal", "1", "--by", "m02"), "m01 made proposal 1 and is on the board: only m01 withdraws it"),
    (("withdraw", "--proposal", "7", "--by", "m01"), "there is no proposal 7"),
    (("withdraw", BRONZE, "--proposal", "1", "--by", "m01"), "give maps or --proposal, not both"),
    (("list", "--by", "m01"), "--by does not go with it"),
    (("list", "x"), "'x' does not go with it"),
    (("add", "none.toml", "--by", "m01"), "none.toml: cannot be read"),
    (("add", "--by", "m01"), "give FILE"),
)


def test_who_and_what_does_not_fit_is_one_line_and_changes_nothing(hub: MapsHub) -> None:
    hub.add(BRONZE, SILVER)
    hub.run("release", BRONZE, "--by", "m01")
    before = hub.shown()
    for words, said in REFUSED:
        assert said in hub.run(*words, code=1), words
    assert hub.shown() == before


def test_only_a_board_member_adds_and_the_same_set_twice_is_nothing_new(hub: MapsHub) -> None:
    assert "'m03' is not on the board" in hub.run("add", str(MAPS / f"{SILVER}.toml"), "--by", "m03", code=1)
    hub.add(SILVER)
    hub.add(SILVER)
    assert len(hub.shown()["maps"]) == 1
    for number, words in ((1, "proposal 1"), (2, "proposal 2")):
        assert words in hub.run("release", hub.shown()["maps"][0]["digest"][:12], "--by", f"m0{number}")
    hub.run("confirm", "--proposal", "1", "--by", "m02")
    assert "proposal 2 is stale: bundle 1 was released since" in hub.run(
        "confirm", "--proposal", "2", "--by", "m01", code=1
    )
    assert "nothing to propose" in hub.run("release", SILVER, "--by", "m01", code=1)


def test_which_of_two_files_of_a_map_is_meant_is_said_and_can_be_taken_back(hub: MapsHub, tmp_path: Path) -> None:
    hub.add(BRONZE)
    changed = tmp_path / f"{BRONZE}.toml"
    changed.write_text((MAPS / f"{BRONZE}.toml").read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    assert f"maps release {BRONZE} --by" in hub.run("add", str(changed), "--by", "m01")
    old, new = (each["digest"][:16] for each in hub.shown()["maps"])
    again = hub.run("add", str(MAPS / f"{BRONZE}.toml"), "--by", "m01")
    assert f"maps release {old} --by" in again, "by its id the newer file would be released"
    shown = hub.run("release", old, old, "--by", "m01")
    assert f"{BRONZE} ({old}), 1 of them bronze, which will count for settlement; waits" in shown
    hub.run("confirm", "--proposal", "1", "--by", "m02")
    assert "is not released" in hub.run("withdraw", new, "--by", "m01", code=1)
    assert "is not released" in hub.run("withdraw", old[:4], "--by", "m01", code=1), "too short to name one file"
    assert "no maps at all" in hub.run("withdraw", old, BRONZE, "--by", "m01")


def test_a_proposal_is_taken_back_before_it_is_confirmed(hub: MapsHub) -> None:
    hub.add(SILVER)
    hub.run("release", SILVER, "--by", "m01")
    hub.run("release", SILVER, "--by", "m02")
    assert "proposal 1 is withdrawn" in hub.run("withdraw", "--proposal", "1", "--by", "m01")
    assert [each["proposal"] for each in hub.shown()["proposals"]] == [2], "the other one waits"
    assert "m01 withdrew proposal 1" in hub.run("confirm", "--proposal", "1", "--by", "m02", code=1)
    assert "m01 withdrew proposal 1" in hub.run("withdraw", "--proposal", "1", "--by", "m01", code=1)
    hub.run("confirm", "--proposal", "2", "--by", "m01")
    assert "proposal 2 is released" in hub.run("withdraw", "--proposal", "2", "--by", "m02", code=1)
    found = asyncio.run(verify_hub(hub.folder, clock=CLOCK))
    assert found["ok"], found
    with tampering(hub.folder) as db:
        db.execute("UPDATE map_withdrawal SET proposal = 2")
    found = asyncio.run(verify_hub(hub.folder, clock=CLOCK, only="rows"))
    assert "map_release 1: m01 had withdrawn its proposal 2" in found["rows"]["findings"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE map_file SET text = text || '# more'", "its text is another than the one that was added"),
        (
            "UPDATE map_release SET bundle = x'00'",
            "the bundle that homes get is not the maps of its proposal",
        ),
        ("UPDATE map_release SET bronze = 1", "it does not say how many of its maps are bronze"),
        ("UPDATE map_release SET proposal = 9", "nobody proposed it"),
        ("UPDATE map_release SET released_by = 'm01'", "m01 alone proposed and confirmed it"),
        ("UPDATE map_proposal SET digests = '[\"ab\"]'", "the map ab in its proposal was never added"),
        ("UPDATE map_proposal SET follows = 3", "was made after bundle 3, and 0 came before it"),
    ],
)
def test_a_bundle_that_is_not_the_texts_that_were_added_is_found(hub: MapsHub, change: str, said: str) -> None:
    """Beside the log of rows: the log says that a row was changed, and this that homes read with something else."""
    hub.add(SILVER)
    hub.run("release", SILVER, "--by", "m01")
    hub.run("confirm", "--proposal", "1", "--by", "m02")
    found = asyncio.run(verify_hub(hub.folder, clock=CLOCK, only="rows"))
    assert (found["ok"], found["rows"]["bundles"]) == (True, 1)  # type: ignore[index]
    with tampering(hub.folder) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute(change)
    rows = asyncio.run(verify_hub(hub.folder, clock=CLOCK, only="rows"))["rows"]
    assert any(said in each for each in rows["findings"]), rows  # type: ignore[index]


def test_a_release_past_the_board_is_found(hub: MapsHub) -> None:
    hub.add(SILVER)
    hub.run("release", SILVER, "--by", "m01")
    hub.run("confirm", "--proposal", "1", "--by", "m02")
    with tampering(hub.folder) as db:
        db.execute("UPDATE map_release SET released_by = 'm01', bundle = x'00'")
    found = asyncio.run(verify_hub(hub.folder, clock=CLOCK, only="rows"))
    rows = found["rows"]
    assert isinstance(rows, dict)
    assert any("map_release 1: the row was changed" in each for each in rows["findings"]), rows
    assert any("m01 decided their own matter" in each for each in rows["findings"]), rows
