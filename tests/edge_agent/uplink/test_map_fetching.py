"""The co-op's bundle of maps on its way in: what is not newer, whole, ours or a map never counts, over restarts too."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.maps.coop import kept as module
from edge_agent.maps.coop.kept import ENROLMENT, FILE, read_bundle, read_kept
from edge_agent.maps.files import known_families
from edge_agent.uplink.hub_keys import KnownHubKeys
from edge_agent.uplink.map_fetching import ASK_EVERY_S, ASK_SOON_S, CoopMaps
from edge_agent.uplink.sealing import AgentSigner
from protocols.hub_keys import HubKeyCertificate, seal_certificate
from protocols.wire.envelope import open_sealed, seal
from protocols.wire.map_bundles.content import MapBundle, ReleasedMap, encode_bundle, map_digest
from protocols.wire.map_bundles.parts import encode_part, split_bundle
from protocols.wire.map_bundles.question import decode_map_question
from protocols.wire.refusal_reasons import RefusalReason, WireError
from protocols.wire.topics import downlink_topic
from tests.edge_agent.maps.coop.signed import DOWN, HUB_KEY, enrolled
from tests.protocols.maps.proof.test_lint import SOUND as MAP

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
MAPS = (ReleasedMap("example-meter", MAP),)


def coop_maps(
    folder: Path, *, used: Mapping[str, bytes] | None = None, steady: Callable[[], float] = lambda: 0.0
) -> CoopMaps:
    enrolled(folder)
    signer = AgentSigner("coop", "a-1", KEY)
    return CoopMaps(folder, coop="coop", signer=signer, now=lambda: 1_780_000_000.5, monotonic=steady, used=used or {})


def payloads(serial: int, maps: tuple[ReleasedMap, ...] = MAPS, *, coop: str = "coop") -> list[bytes]:
    data = encode_bundle(MapBundle(coop, serial, 1_780_000_000, maps))
    return [encode_part(part) for part in split_bundle(serial, data)]


async def take(maps: CoopMaps, sent: list[bytes]) -> None:
    for payload in sent:
        await maps.note(payload, seal(HUB_KEY, DOWN, payload))


async def test_a_bundle_counts_and_stays_over_a_restart_and_an_older_one_never_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    maps, changes = coop_maps(tmp_path, used={"example-meter": map_digest(MAP)}), list[int]()
    maps.changed = lambda: changes.append(maps.serial)
    await take(maps, payloads(3))
    assert maps.is_released("example-meter")
    assert not maps.is_released("other")
    for run in (maps, coop_maps(tmp_path, used={"example-meter": map_digest(MAP)})):
        assert (run.serial, run.is_released("example-meter")) == (3, True)
        for serial in (1, 2, 2, 3):
            await take(run, payloads(serial, ()))
        assert run.serial == 3
        assert run.is_released("example-meter"), "a bundle of the past takes nothing back"
    assert sum("offers bundle 2" in record.getMessage() for record in caplog.records) == 2, "once a run"
    await take(maps, payloads(4, ()))
    assert (maps.serial, maps.is_released("example-meter")) == (4, False), "withdrawn"
    assert "has taken back the map example-meter: it stays in use" in caplog.text
    assert changes == [3, 4]


async def test_one_changed_character_is_another_map(tmp_path: Path) -> None:
    maps = coop_maps(tmp_path, used={"example-meter": map_digest(MAP + " ")})
    await take(maps, payloads(1))
    assert not maps.is_released("example-meter")


async def test_what_the_hub_did_not_seal_for_this_agent_is_not_opened(tmp_path: Path) -> None:
    keys = KnownHubKeys(
        tmp_path, coop="coop", identity=HUB_KEY.public_key().public_bytes_raw(), first="", now=lambda: 0.0
    )
    (payload,) = payloads(1)
    assert keys.open(seal(HUB_KEY, DOWN, payload), DOWN) == payload
    other = downlink_topic("coop", "a-2", kind="maps")
    flipped = bytearray(seal(HUB_KEY, DOWN, payload))
    flipped[200] ^= 1
    for sealed in (seal(KEY, DOWN, payload), seal(HUB_KEY, other, payload), bytes(flipped)):
        with pytest.raises(WireError) as refused:
            keys.open(sealed, DOWN)
        assert refused.value.reason is RefusalReason.BAD_SIGNATURE


async def test_a_bundle_of_another_coop_or_with_another_serial_than_its_parts_is_refused(tmp_path: Path) -> None:
    maps = coop_maps(tmp_path)
    with pytest.raises(WireError, match="another co-op"):
        await take(maps, payloads(1, coop="other"))
    data = encode_bundle(MapBundle("coop", 1, 0, MAPS))
    with pytest.raises(WireError, match="another serial"):
        await take(maps, [encode_part(part) for part in split_bundle(2, data)])
    with pytest.raises(WireError, match="not a bundle of maps"):
        await take(maps, [encode_part(part) for part in split_bundle(2, b"\xa0")])
    with pytest.raises(WireError):
        await take(maps, [encode_part(part) for part in split_bundle(2, b"../../agent.toml")])
    assert maps.serial == 0
    assert [each.name for each in tmp_path.iterdir()] == [ENROLMENT]


async def test_what_is_not_a_map_for_this_agent_is_left_out_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    maps = coop_maps(tmp_path)
    wrong = MAP.replace("version = 1", "version = 1\nnewer_key = 1")
    sent = (*MAPS, ReleasedMap("newer", wrong.replace("example-meter", "newer")), ReleasedMap("not-a-map", "[x"))
    await take(maps, payloads(1, sent))
    kept = read_bundle(tmp_path)
    assert kept is not None
    assert [each.id for each in kept.maps] == ["example-meter"]
    said = [record.getMessage() for record in caplog.records if "is left out" in record.getMessage()]
    assert len(said) == 2
    assert "newer_key" in said[0]
    await take(maps, payloads(2, (ReleasedMap("other", MAP),)))
    assert read_bundle(tmp_path) == replace(kept, serial=2, maps=()), "a map under another id than its own"


async def test_a_map_in_use_stays_and_the_household_is_told_how_to_change_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    maps = coop_maps(tmp_path, used={"example-meter": b"another text"})
    await take(maps, payloads(1))
    (line,) = [record.getMessage() for record in caplog.records if "has another map" in record.getMessage()]
    assert "`commonwatt-agent map take example-meter`" in line


async def test_it_asks_at_once_every_six_hours_and_sooner_while_parts_are_missing(tmp_path: Path) -> None:
    steady = [0.0]
    maps = coop_maps(tmp_path, steady=lambda: steady[0])
    due = maps.due()
    assert due is not None
    question = decode_map_question(open_sealed(due[1], due[0], KEY.public_key()))
    assert (question.agent, question.at, question.serial) == ("a-1", 1_780_000_000, 0)
    maps.told()
    assert maps.due() is None
    large = tuple(ReleasedMap(f"m{n}", "x" * 20_000) for n in range(2))
    await take(maps, payloads(7, large)[:1])
    steady[0] = ASK_SOON_S
    assert maps.due() is not None
    await take(maps, payloads(7, large)[1:])
    assert maps.due() is None
    steady[0] = ASK_EVERY_S
    due = maps.due()
    assert due is not None
    assert decode_map_question(open_sealed(due[1], due[0], KEY.public_key())).serial == 7
    maps.told()
    maps.ask_again()
    assert maps.due() is not None


async def test_a_damaged_file_is_told_and_asked_for_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    await take(coop_maps(tmp_path), payloads(3))
    raw = bytearray((tmp_path / FILE).read_bytes())
    raw[len(raw) // 2] ^= 1
    (tmp_path / FILE).write_bytes(raw)
    maps = coop_maps(tmp_path)
    assert maps.serial == 0
    assert "the hub sends the co-op's maps again" in caplog.text
    await take(maps, payloads(3))
    assert maps.serial == 3


async def test_what_an_agent_could_not_use_is_there_after_its_update(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bundle is kept as the hub signed it: a program that knows more finds more in it, and asks nobody."""
    newer = MAP.replace("version = 1", "version = 1\nnewer_key = 1").replace("example-meter", "newer")
    await take(coop_maps(tmp_path), payloads(1, (*MAPS, ReleasedMap("newer", newer))))
    kept = read_kept(tmp_path)
    assert kept.bundle is not None
    assert [each.id for each in kept.bundle.maps] == ["example-meter"]
    assert "left out until this agent can use it" in kept.unusable[0]
    assert "newer" not in known_families(state=tmp_path)
    module._kept.cache_clear()
    monkeypatch.setattr(module, "judge_text", lambda _text, name: (None, []))
    updated = read_kept(tmp_path)
    assert updated.bundle is not None
    assert [each.id for each in updated.bundle.maps] == ["example-meter", "newer"]
    assert updated.unusable == ()
    assert coop_maps(tmp_path).serial == 1
    module._kept.cache_clear()


async def test_a_hub_key_that_was_rotated_signs_the_bundle_of_before_and_the_next(tmp_path: Path) -> None:
    """An agent holds a bundle over two rotations, and takes the next one under the newest key."""
    enrolled(tmp_path)
    keys = KnownHubKeys(
        tmp_path, coop="coop", identity=HUB_KEY.public_key().public_bytes_raw(), first="", now=lambda: 1_000.0
    )
    signer = AgentSigner("coop", "a-1", KEY)
    maps = CoopMaps(
        tmp_path, coop="coop", signer=signer, now=lambda: 1_000.0, monotonic=lambda: 0.0, used={},
        certificates=lambda: keys.certificates,
    )  # fmt: skip
    for number in (0, 1, 2, 3):
        key = HUB_KEY if number == 0 else Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
        if number:
            held = HubKeyCertificate("coop", number, key.public_key().public_bytes_raw(), number, 9_000, 8_000)
            keys.note(seal_certificate(held, HUB_KEY).encode())
            assert read_kept(tmp_path).floor == number, "what came under the key before still counts"
        for payload in payloads(number + 1):
            sealed = seal(key, DOWN, payload)
            await maps.note(keys.open(sealed, DOWN), sealed)
        module._kept.cache_clear()
        assert coop_maps(tmp_path).serial == number + 1


async def test_a_bundle_that_an_earlier_agent_kept_counts_until_it_comes_with_its_signatures(tmp_path: Path) -> None:
    """Without the old form, a meter whose map is released would wait for the board after every update of agents."""
    enrolled(tmp_path)
    (tmp_path / FILE).write_bytes(OLD_FORM)
    maps = coop_maps(tmp_path, used={"example-meter": map_digest(MAP)})
    assert (maps.serial, maps.is_released("example-meter")) == (2, True), "asks for the third once more"
    assert read_bundle(tmp_path) is None, "no map is read from it"
    await take(maps, payloads(2, ()))
    assert maps.is_released("example-meter"), "an older one takes nothing back"
    await take(maps, payloads(3))
    assert (maps.serial, maps.is_released("example-meter")) == (3, True)
    assert read_bundle(tmp_path) is not None


OLD_FORM = encode_bundle(MapBundle("coop", 3, 1_780_000_000, MAPS))
"""The plain bundle: what version 1 of the file was."""


async def test_a_disk_that_takes_nothing_leaves_the_old_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    maps = coop_maps(tmp_path)
    await take(maps, payloads(3))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge_agent.maps.coop.kept.write_durably", full)
    await take(maps, payloads(4))
    assert maps.serial == 3
    assert "No space left on device" in caplog.text
