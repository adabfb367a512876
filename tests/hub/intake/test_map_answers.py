"""Which agents get the board's bundle of maps: those that ask and hold an older one, and once a new one is there."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from hub.intake.map_answers import PARTS_A_SECOND, SAME_AGAIN_S, MapAnswers
from hub.intake.state import AskedMaps
from hub.storage.maps.records import MapFile, MapRelease
from hub.storage.records import Home, Member
from hub.storage.sqlite.store import SqliteStore
from protocols.wire.envelope import seal
from protocols.wire.map_bundles.content import MapBundle, ReleasedMap, encode_bundle
from protocols.wire.map_bundles.parts import BundleAssembly, BundlePart, decode_part
from protocols.wire.map_bundles.question import MapQuestion, encode_map_question
from protocols.wire.topics import uplink_topic
from tests.hub.intake.test_receiver import Bench, bench_on
from tests.hub.sending_home import COOP, NOW_S, SendingHome, open_store


async def release(store: SqliteStore, serial: int, *, texts: tuple[str, ...] = ("x = 1\n",)) -> bytes:
    """Release these texts past the check of maps, which is the command's; the bundle is returned."""
    bundle = encode_bundle(
        MapBundle(COOP.id, serial, NOW_S, tuple(ReleasedMap(f"m{n}", text) for n, text in enumerate(texts)))
    )
    digests = []
    for n, text in enumerate(texts):
        each = ReleasedMap(f"m{n}", text)
        await store.add_map_file(MapFile(each.digest.hex(), each.id, "bronze", text, "b1", NOW_S))
        digests.append(each.digest.hex())
    number = await store.propose_maps(digests, by="b1", at=NOW_S)
    await store.release_maps(MapRelease(serial, number, len(texts), bundle, "b2", NOW_S))
    return bundle


@pytest.fixture
def home() -> SendingHome:
    return SendingHome("h01")


@pytest.fixture
async def bench(tmp_path: Path, home: SendingHome) -> AsyncIterator[Bench]:
    store = await open_store(tmp_path, [home])
    for name in ("b1", "b2"):
        await store.add_member(Member(name, name, f"{name}@example.org", "en", True, 0), Home(f"h-{name}", name, name))
    yield bench_on(store)
    await store.close()


async def ask(bench: Bench, home: SendingHome, serial: int, **other: str) -> None:
    topic = uplink_topic(COOP.id, home.agent, kind="maps")
    question = replace(MapQuestion(home.agent, NOW_S, serial), **other)
    await bench.receive((topic, seal(home.key, topic, encode_map_question(question))))


def told(bench: Bench, home: SendingHome) -> list[BundlePart]:
    found = [decode_part(payload) for payload in bench.broker.opened(home, "maps")]
    bench.broker.sent.clear()
    return found


async def test_an_agent_that_holds_less_gets_every_part_of_the_newest_bundle(bench: Bench, home: SendingHome) -> None:
    await ask(bench, home, 0)
    assert told(bench, home) == [], "nothing is released yet"
    answers = MapAnswers(bench.store)
    data = await release(bench.store, 3, texts=("x = 1\n" * 5000, "y = 2\n" * 5000))
    parts = [decode_part(payload) for _, _, payload in await answers.told([AskedMaps(home.agent, 2)], steady_s=0)]
    assert len(parts) == 4
    assembly = BundleAssembly()
    assert [assembly.add(part) for part in parts] == [None, None, None, data]
    assert await answers.told([AskedMaps(home.agent, 3)], steady_s=1) == []
    assert await answers.told([AskedMaps(home.agent, 9)], steady_s=2) == [], "never an older one than it holds"
    for at_s, count in ((3, 0), (SAME_AGAIN_S, 4)):
        assert len(await answers.told([AskedMaps(home.agent, 0)], steady_s=at_s)) == count, "not again at once"


async def test_a_new_bundle_goes_with_the_next_batch_to_agents_that_asked(
    bench: Bench, home: SendingHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.intake.map_answers.LOOK_EVERY_S", 0)
    await bench.receive(home.batch())
    await release(bench.store, 1)
    await bench.receive(home.batch())
    assert told(bench, home) == [], "an agent of an older release never asked"
    await ask(bench, home, 1)
    await release(bench.store, 2)
    await bench.receive(home.batch())
    assert [part.serial for part in told(bench, home)] == [2]
    await bench.receive(home.batch())
    assert told(bench, home) == [], "once"


async def test_a_whole_street_that_asks_at_once_does_not_fill_the_queue_that_receipts_go_through(bench: Bench) -> None:
    await release(bench.store, 1, texts=("x = 1\n" * 5000, "y = 2\n" * 5000))
    answers, asking = MapAnswers(bench.store), [AskedMaps(f"a{n:03}", 0) for n in range(130)]
    served: set[str] = set()
    for second in (0, 1, 2):
        parts = [part for at in (0, 0.5) for part in await answers.told(asking, steady_s=second + at)]
        assert len(parts) <= PARTS_A_SECOND
        assert not served & {agent for agent, _, _ in parts}
        served |= {agent for agent, _, _ in parts}
    assert len(served) == 130


async def test_only_the_agent_itself_asks_and_nothing_of_it_is_stored(bench: Bench, home: SendingHome) -> None:
    await release(bench.store, 1)
    await ask(bench, home, 0, agent="a-other")
    assert told(bench, home) == []
    assert [row.reason for row in await bench.store.refusals()] == ["foreign_topic"]
    topic = uplink_topic(COOP.id, home.agent, kind="maps")
    await bench.receive((topic, seal(home.key, topic, b"\x00" * 426)))
    assert {row.reason for row in await bench.store.refusals()} == {"foreign_topic", "garbage"}
    assert await bench.store.message_count() == 0


async def test_a_hub_that_was_restored_says_how_homes_take_its_next_bundle(
    bench: Bench, home: SendingHome, caplog: pytest.LogCaptureFixture
) -> None:
    await ask(bench, home, 5)
    await ask(bench, home, 5)
    (line,) = [record.getMessage() for record in caplog.records if "holds bundle" in record.getMessage()]
    assert "maps confirm --after 5" in line


async def test_an_agent_that_claims_a_bundle_of_the_far_future_uses_up_no_serials(
    bench: Bench, home: SendingHome, caplog: pytest.LogCaptureFixture
) -> None:
    """The log's advice would end the serials: they only rise, and there is a last one."""
    await ask(bench, home, 2**32 - 1)
    assert not [each for each in caplog.records if "confirm --after" in each.getMessage()]
