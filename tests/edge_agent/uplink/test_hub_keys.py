"""Whose signature an agent takes for its hub's, over rotations, restores, replays, forgeries, ends and power cuts."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.uplink.hub_keys import KnownHubKeys
from protocols.hub_keys import HubKeyCertificate, seal_certificate
from protocols.wire.envelope import seal
from protocols.wire.refusal_reasons import RefusalReason, WireError
from protocols.wire.topics import downlink_topic

DAY_S = 86_400
T0 = 1_790_000_000
TOPIC = downlink_topic("sol", "a-4k2f9c1d", kind="receipt")


def key(number: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)


IDENTITY = key(99)


def certificate(
    number: int,
    *,
    of: Ed25519PrivateKey | None = None,
    begins: int = T0,
    overlap_s: int = 30 * DAY_S,
    coop: str = "sol",
    by: Ed25519PrivateKey = IDENTITY,
) -> bytes:
    public_key = (of or key(number)).public_key().public_bytes_raw()
    made = HubKeyCertificate(coop, number, public_key, begins, begins + 400 * DAY_S, begins + overlap_s)
    return seal_certificate(made, by).encode()


class Home:
    """An agent's view, with a clock of its own; `begin` is a start of the agent on the same folder."""

    def __init__(self, folder: Path, first: bytes = b"") -> None:
        self.folder, self.first, self.now_s = folder, first.decode(), float(T0)
        self.begin()

    def begin(self) -> None:
        public = IDENTITY.public_key().public_bytes_raw()
        self.keys = KnownHubKeys(self.folder, coop="sol", identity=public, first=self.first, now=lambda: self.now_s)

    def accepts(self, *numbers: int) -> list[bool]:
        return [self.takes_key(key(number)) for number in numbers]

    def takes_key(self, signer: Ed25519PrivateKey) -> bool:
        try:
            return self.keys.open(seal(signer, TOPIC, b"word"), TOPIC) == b"word"
        except WireError as error:
            if error.reason is not RefusalReason.BAD_SIGNATURE:
                raise
            return False


def test_an_agent_enrolled_with_one_key_follows_to_the_first_hub_key(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path)
    assert home.accepts(99, 1) == [True, False]
    home.keys.note(certificate(1))
    assert home.accepts(99, 1) == [True, True]
    home.now_s = T0 + 30 * DAY_S
    assert home.accepts(99, 1) == [False, True]


def test_the_key_before_counts_until_the_overlap_ends_and_never_one_before_that(tmp_path: Path) -> None:
    home = Home(tmp_path, certificate(1))
    home.keys.note(certificate(2, begins=T0 + 10))
    assert home.accepts(99, 1, 2, 3) == [False, True, True, False]
    home.keys.note(certificate(3, begins=T0 + 20))
    assert home.accepts(99, 1, 2, 3) == [False, False, True, True]
    home.now_s = T0 + 20 + 30 * DAY_S
    assert home.accepts(1, 2, 3) == [False, False, True]


def test_an_agent_that_missed_a_rotation_takes_the_newest(tmp_path: Path) -> None:
    home = Home(tmp_path, certificate(1))
    home.keys.note(certificate(4, begins=T0 + 10))
    assert home.accepts(1, 3, 4) == [False, False, True]


def test_after_a_theft_the_old_key_is_refused_at_once_and_a_replay_changes_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path, certificate(1))
    home.keys.note(certificate(2, begins=T0 + 10, overlap_s=0))
    assert home.accepts(1, 2) == [False, True]
    home.keys.note(certificate(1))
    home.keys.note(certificate(2, begins=T0 + 5, of=key(7)))
    assert home.accepts(1, 2, 7) == [False, True, False]
    home.begin()
    assert home.accepts(1, 2) == [False, True], "also after a restart"


def test_a_restored_hub_that_made_its_next_key_again_is_followed(tmp_path: Path) -> None:
    home = Home(tmp_path, certificate(1))
    home.keys.note(certificate(2, begins=T0 + 10))
    home.keys.note(certificate(2, begins=T0 + 500, of=key(22)))
    assert home.accepts(1, 2, 22) == [True, False, True]
    home.begin()
    assert home.accepts(1, 2, 22) == [True, False, True]


@pytest.mark.parametrize(
    "forged",
    [
        certificate(2, begins=T0 + 10, by=key(1)),
        certificate(2, begins=T0 + 10, coop="mond"),
        certificate(2, begins=T0 + 10).replace(b'"number":2', b'"number":3'),
        b"x" * 5000,
        b"\xff\xfe",
        b"",
    ],
)
def test_a_forged_certificate_is_refused_and_nothing_is_kept(tmp_path: Path, forged: bytes) -> None:
    home = Home(tmp_path, certificate(1))
    with pytest.raises(WireError):
        home.keys.note(forged)
    assert home.accepts(1, 2) == [True, False]
    assert list(tmp_path.iterdir()) == []


def test_after_the_end_nothing_counts_until_the_next_key_comes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = Home(tmp_path, certificate(1))
    assert home.keys.trouble() is None
    home.now_s = T0 + 400 * DAY_S
    assert home.accepts(1, 1, 99) == [False, False, False]
    assert "has ended on" in str(home.keys.trouble())
    assert len(caplog.records) == 1, "it is said once"
    home.keys.note(certificate(2, begins=T0 + 401 * DAY_S))
    assert home.accepts(1, 2) == [False, True], "the one before has ended, overlap or not"


@pytest.mark.parametrize("content", [b"", b"[]", b'{"certificates": [1]}', b'{"certificates": ["x"]}', b"x" * 9000])
def test_a_damaged_file_falls_back_to_the_enrolment(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "hub-keys.json").write_bytes(content)
    home = Home(tmp_path, certificate(1))
    assert home.accepts(1, 2) == [True, False]
    home.keys.note(certificate(2, begins=T0 + 10))
    home.begin()
    assert home.accepts(2) == [True]


def test_a_full_disk_costs_nothing_but_the_memory_of_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    home = Home(tmp_path / "gone", certificate(1))
    home.keys.note(certificate(2, begins=T0 + 10))
    assert home.accepts(2) == [True]
    assert "cannot be written" in caplog.text
