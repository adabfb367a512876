"""`commonwatt-hub archive`: what it writes is checked without the hub, goes on from the last, and tells each change."""

import asyncio
import io
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.__main__ import main
from hub.backups.keys import key_text, load_backup_key, make_backup_key
from hub.backups.sealed_file import SealedReader, SealedWriter
from hub.folder.keys.signer import load_signer
from hub.folder.opening import open_store
from hub.storage.access_records import AccessFilter
from hub.storage.audit_records import StoredMessage
from hub.storage.records import Agent
from hub.verify.homes.archive import MAX_FRAME_BYTES, ArchiveError, ArchiveWriter, check_archive
from protocols.hub_keys import HubSigner
from protocols.timeline import Timeline
from protocols.wire.envelope import batch_hash
from protocols.wire.topics import shard_of
from tests.hub.sending_home import COOP, SendingHome
from tests.hub.verify.tampering import CLOCK, make_hub, tampering
from tests.releases.release_state import LATER_S

HOMES = 3


class Written:
    """An archive of made-up homes, as its frames."""

    def __init__(self, *, start: int = 0, count: int = 4, homes: list[SendingHome] | None = None) -> None:
        self.signer = HubSigner.of_one_key(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
        self.homes = homes or [SendingHome(f"h{number:02d}") for number in range(HOMES)]
        ends = {home.agent: (1, home.seq, home.previous) for home in self.homes if home.seq}
        agents = {
            home.agent: Agent(home.agent, home.home, shard_of(home.agent), home.public_key, 1, None)
            for home in self.homes
        }
        self.frames: list[bytes] = []
        writer = ArchiveWriter(
            self.frames.append, coop=COOP.id, identity=self.signer.identity, agents=agents, ends=ends
        )
        for home in sorted(self.homes, key=lambda home: home.agent):
            for _ in range(count):
                _, sealed = home.batch()
                row = StoredMessage(home.seq, 1, home.seq, "batch", batch_hash(sealed), sealed, 10, None, None, None)
                writer.add(home.agent, row)
        writer.finish(self.signer)

    def change(self, place: int, changed: Callable[[Any], Any]) -> list[bytes]:
        frame = cbor2.dumps(changed(cbor2.loads(self.frames[place][4:])))
        return [*self.frames[:place], len(frame).to_bytes(4, "big") + frame, *self.frames[place:][1:]]


def check(frames: list[bytes], **more: Any) -> Any:
    return check_archive(io.BytesIO(b"".join(frames)).read, **more)


def test_it_holds_whom_it_is_of_and_goes_on_from_the_one_before() -> None:
    first = Written()
    found = check(first.frames, pinned=first.signer.identity)
    assert (found.wrong, found.messages, len(found.ends)) == (0, 4 * HOMES, HOMES)
    second = Written(homes=first.homes)
    assert check(second.frames, ends=found.ends).wrong == 0
    third = Written(homes=second.homes)
    assert check(third.frames, ends=found.ends).findings == ["it does not go on where the archive before it ends"]
    assert "another identity key" in check(first.frames, pinned=bytes(32)).findings[0]


@pytest.mark.parametrize(
    ("place", "changed", "said"),
    [
        (2, lambda row: [*row[:7], row[7][:-1] + b"x"], "do not open with the agent's key"),
        (2, lambda row: [row[0], row[1], row[2] + 1, *row[3:]], "number 2 is missing"),
        (2, lambda row: [*row[:4], bytes(32), *row[5:]], "the hash of the stored bytes differs"),
        (2, lambda row: [*row[:7], b""], "has not signed what it holds"),
        (2, lambda row: [*row[:5], row[5] + 1, *row[6:]], "has not signed what it holds"),
        (0, lambda head: {**head, "agents": {**head["agents"], "a-x": ["h9", bytes(32)]}}, "its name does not belong"),
        (-1, lambda end: {**end, "messages": 3}, "it says that it holds 3 messages"),
        (-1, lambda end: {**end, "signature": bytes(64)}, "has not signed what it holds"),
    ],
)
def test_each_change_is_told(place: int, changed: Callable[[Any], Any], said: str) -> None:
    written = Written()
    found = check(written.change(place % len(written.frames), changed))
    assert found.wrong
    assert said in "\n".join(found.findings), found.findings


def test_what_was_erased_or_refused_has_its_number_and_hash_alone() -> None:
    home, frames = SendingHome("h01"), list[bytes]()
    signer = HubSigner.of_one_key(Ed25519PrivateKey.generate())
    agent = Agent(home.agent, home.home, shard_of(home.agent), home.public_key, 1, None)
    writer = ArchiveWriter(frames.append, coop=COOP.id, identity=signer.identity, agents={agent.id: agent}, ends={})
    for seq, refused in enumerate((None, "oversized", None, None), start=1):
        _, sealed = home.batch()
        digest = batch_hash(sealed)
        kept = sealed if seq == 4 else b""
        writer.add(agent.id, StoredMessage(seq, 1, seq, "batch", digest, kept, 10, None, None, refused))
    writer.finish(signer)
    found = check(frames)
    assert (found.wrong, found.messages, found.erased) == (0, 4, 2), found.findings


def test_what_follows_its_end_is_told() -> None:
    frames = Written().frames
    assert check([*frames, frames[1]]).findings == ["something follows its end"]


def test_a_message_that_is_left_out_is_missed() -> None:
    frames = Written().frames
    for place in range(1, len(frames) - 1):
        assert check(frames[:place] + frames[place + 1 :]).wrong, place


def test_what_is_no_archive_is_refused() -> None:
    whole = b"".join(Written().frames)
    for end in range(0, len(whole), 97):
        with pytest.raises(ArchiveError):
            check_archive(io.BytesIO(whole[:end]).read)
    for content in (b"\xff" * 40, b"\0\0\0\1\x01", b"\0\0\0\3\xa1\x01\x02", b"\0\0\0\1\xff"):
        with pytest.raises(ArchiveError):
            check_archive(io.BytesIO(content).read)
    longer = (MAX_FRAME_BYTES + 1).to_bytes(4, "big") + b"x"
    with pytest.raises(ArchiveError, match="longer than any"):  # it is not read to find out
        check_archive(io.BytesIO(longer).read)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub with real messages and a backup key, the key beside it; not to be written to."""
    place = tmp_path_factory.mktemp("archived")
    hub = make_hub(place)
    if hub != place / "hub":
        shutil.move(hub, place / "hub")
    (place / "key").write_text(key_text(make_backup_key(place / "hub")) + "\n", encoding="ascii")
    (place / "key").chmod(0o600)
    (place / "clock.json").write_text(Timeline(0, int(LATER_S), 0, None).text())
    (place / "archives").mkdir()
    return place


async def looks(hub: Path, home: str) -> list[tuple[str, str]]:
    """The newest look at this home that a person took."""
    store = await open_store(hub, clock=CLOCK)
    found = await store.access_rows(home, limit=20, wanted=AccessFilter())
    await store.close()
    return [(each.actor, each.reason) for each in found if each.role == "board"][:1]


def test_a_board_writes_archives_and_anybody_with_the_key_checks_them(
    kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "place"
    shutil.copytree(kept, place)
    now = datetime.fromtimestamp(LATER_S, UTC)
    this = f"{now:%Y-%m}"
    words = [
        "archive",
        "--data",
        str(place / "hub"),
        "--clock",
        str(place / "clock.json"),
        "--to",
        str(place / "archives"),
    ]
    by = ["--by", "m01", "--reason", "the year is closed"]
    for wrong, said in (
        ([*words, "--before", this], "give --by ID and --reason TEXT"),
        ([*words, "--before", this, "--by", "m03", "--reason", "x"], "not a member of the board"),
        ([*words, "--before", this, "--by", "m01", "--reason", "x" * 201], "1 to 200 printable characters"),
        ([*words, "--before", "2099-01", *by], "that month has not begun"),
        (["archive", "--check", "nowhere.cwarchive"], "nowhere.cwarchive: cannot be read"),
    ):
        assert main(wrong) == 1
        told = capsys.readouterr().err
        assert said in told, told
        assert len(told.splitlines()) == 1
    assert main([*words, "--before", this, *by]) == 0
    (file,) = (place / "archives").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    assert main([*words, "--before", this, *by]) == 1
    assert "is there already" in capsys.readouterr().err
    assert asyncio.run(looks(place / "hub", "h02")) == [("m01", "the year is closed")]
    shutil.move(place / "hub", place / "gone")
    identity = load_signer(place / "gone").identity.hex()
    checking = ["archive", "--check", str(file), "--key-file", str(place / "key")]
    assert main([*checking, "--hub-key", identity, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["wrong"] == 0
    assert found["messages"] > 100
    assert main([*checking, "--hub-key", "00" * 32]) == 1
    assert "another identity key" in capsys.readouterr().out
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)
    assert main(checking) == 1
    assert file.name in capsys.readouterr().err


def damage(archive: Path, hub: Path) -> None:
    """Seal it again with another signature, as somebody with the backup key could."""
    lock = load_backup_key(hub)
    with archive.open("rb") as file:
        content = bytearray(SealedReader(file, lock, name=archive.name).read(1 << 30))
    content[-20] ^= 1  # the signature stands before "certificate" and null
    with archive.open("wb") as file:
        writer = SealedWriter(file, lock, words={"archive": "a", "before": "b"})
        writer.write(bytes(content))
        writer.finish()


def test_each_archive_goes_on_from_the_last_and_only_from_one_that_holds(
    kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "place"
    shutil.copytree(kept, place)
    midnight_s = int(datetime(2021, 11, 1, tzinfo=ZoneInfo("Europe/Berlin")).timestamp())
    with tampering(place / "hub") as db:
        # The last one of October came with the first second of November.
        sql = "SELECT max(position) FROM message WHERE received_at < ?"
        ((last,),) = db.execute(sql, (midnight_s,)).fetchall()
        assert db.execute("UPDATE message SET received_at = ? WHERE position = ?", (midnight_s, last)).rowcount
        counts = [row[0] for row in db.execute(f"SELECT count(*) FROM message GROUP BY received_at >= {midnight_s}")]
    write = ["archive", "--data", str(place / "hub"), "--clock", str(place / "clock.json")]
    write += ["--to", str(place / "archives"), "--by", "m01", "--reason", "the year is closed", "--before"]
    assert main([*write, "2021-11"]) == 0
    (place / "clock.json").write_text(Timeline(0, int(LATER_S) + 30 * 86_400, 0, None).text())
    assert main([*write, "2021-12"]) == 0
    first, second = sorted((place / "archives").iterdir())
    capsys.readouterr()
    check = ["archive", "--key-file", str(place / "key"), "--json", "--check"]
    assert main([*check, str(first), "--check", str(second)]) == 0
    assert [each["messages"] for each in json.loads(capsys.readouterr().out)] == counts
    assert main([*check, str(second), "--check", str(first)]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [each["findings"] for each in found] == [[], ["it does not go on where the archive before it ends"]]
    (place / "clock.json").write_text(Timeline(0, int(LATER_S) + 60 * 86_400, 0, None).text())
    assert main([*write, "2022-01"]) == 0
    third = max((place / "archives").iterdir())
    capsys.readouterr()
    assert main([*check, str(second), "--check", str(third)]) == 0, "it goes on from the newest"
    for each in (second, third):
        each.unlink()
    damage(first, place / "hub")
    assert main([*write, "2021-12"]) == 1
    assert "nothing is written that goes on from it" in capsys.readouterr().err
    assert list((place / "archives").iterdir()) == [first]
