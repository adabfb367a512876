"""The identity key and the hub keys under it: made, rotated, and whole wherever the power fails."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hub.folder.keys import rotation
from hub.folder.keys.encrypted_key import decrypt_identity
from hub.folder.keys.ending import hub_key_certificate, hub_key_warning
from hub.folder.keys.hub_key import make_key
from hub.folder.keys.rotation import identity_in, make_identity, rotate_hub_key
from hub.folder.keys.signer import load_certificates, load_signer
from protocols.errors import IdentityError, RequestError

PASSPHRASE = b"five words for the safe"
NOW_S = 1_790_000_000
DAY_S = 86_400


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a hub with hub key 1; encrypting takes a moment, so it is made once."""
    folder = tmp_path_factory.mktemp("hub")
    make_key(folder / "hub.key")
    make_identity(folder, coop="sol", passphrase=PASSPHRASE, now_s=NOW_S)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(begun: dict[str, bytes], tmp_path: Path) -> Path:
    (tmp_path / "hub-keys").mkdir()
    for name, content in begun.items():
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
    return tmp_path


def test_the_one_key_of_an_older_hub_becomes_the_identity(tmp_path: Path) -> None:
    one = make_key(tmp_path / "hub.key")
    made = make_identity(tmp_path, coop="sol", passphrase=PASSPHRASE, now_s=NOW_S)
    signer = load_signer(tmp_path)
    assert signer.identity == one.public_key().public_bytes_raw(), "no home enrols again"
    assert signer.public_key == made.public_key != signer.identity
    assert (made.number, made.valid_until - NOW_S, made.previous_until - NOW_S) == (1, 400 * DAY_S, 30 * DAY_S)
    held = decrypt_identity((tmp_path / "identity.key").read_bytes(), PASSPHRASE)
    assert held.private_bytes_raw() == one.private_bytes_raw()
    assert one.private_bytes_raw() not in (tmp_path / "hub.key").read_bytes()
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert modes == {
        "hub.key": 0o600,
        "identity.key": 0o600,
        "hub-keys": 0o700,
        "identity.json": 0o600,
        "1.json": 0o600,
    }
    with pytest.raises(RequestError, match="has an identity key already"):
        make_identity(tmp_path, coop="sol", passphrase=PASSPHRASE, now_s=NOW_S)


def test_a_rotation_keeps_the_identity_and_the_past_certificates(folder: Path) -> None:
    identity = identity_of(folder)
    first, before = load_signer(folder), hub_key_certificate(folder)
    made = rotate_hub_key(folder, identity, now_s=NOW_S + 100)
    second = load_signer(folder)
    assert (second.identity, made.number, second.public_key) == (first.identity, 2, made.public_key)
    assert [each for _, each in load_certificates(folder)] == [before, made]
    stolen = rotate_hub_key(folder, identity, now_s=NOW_S + 100, is_stolen=True)
    assert (stolen.number, stolen.valid_from, stolen.previous_until) == (3, NOW_S + 101, NOW_S + 101)


def identity_of(folder: Path) -> rotation.Ed25519PrivateKey:
    content = (folder / "identity.key").read_bytes()
    return identity_in(content, folder=folder, passphrase=PASSPHRASE, where="identity.key")


def test_what_is_not_this_hubs_identity_key_is_refused(folder: Path, tmp_path: Path) -> None:
    content = (folder / "identity.key").read_bytes()
    with pytest.raises(RequestError, match="passphrase is wrong"):
        identity_in(content, folder=folder, passphrase=b"other words", where="x")
    with pytest.raises(RequestError, match="this file holds no keys"):
        identity_in(b"", folder=folder, passphrase=PASSPHRASE, where="x")
    other = tmp_path / "other"
    other.mkdir()
    make_key(other / "hub.key")
    make_identity(other, coop="sol", passphrase=PASSPHRASE, now_s=NOW_S)
    foreign = (other / "identity.key").read_bytes()
    with pytest.raises(RequestError, match="x: the identity key of another co-op"):
        identity_in(foreign, folder=folder, passphrase=PASSPHRASE, where="x")
    with pytest.raises(ValueError, match="not signed by the co-op's identity key"):
        next(iter(check_forged(folder, other)))


def check_forged(folder: Path, other: Path) -> list[object]:
    """The folder with the other's certificate in its place."""
    (folder / "hub-keys" / "1.json").write_bytes((other / "hub-keys" / "1.json").read_bytes())
    try:
        return list(load_certificates(folder))
    except IdentityError as error:
        raise ValueError(str(error)) from None


def test_a_clock_that_was_set_back_makes_no_key(folder: Path) -> None:
    before = load_signer(folder)
    with pytest.raises(RequestError, match="before the hub key in use was made: set the clock"):
        rotate_hub_key(folder, identity_of(folder), now_s=NOW_S - 1)
    assert load_signer(folder).public_key == before.public_key


def test_a_stolen_key_is_replaced_also_if_the_clock_was_ahead_when_it_was_made(folder: Path) -> None:
    years_s = 5 * 365 * DAY_S
    made = rotate_hub_key(folder, identity_of(folder), now_s=NOW_S - years_s, is_stolen=True)
    assert (made.number, made.valid_from, made.previous_until) == (2, NOW_S + 1, NOW_S + 1), "homes go by the newest"
    assert load_signer(folder).public_key == made.public_key


class PowerCut(Exception):
    """The power fails at a write."""


@pytest.mark.parametrize("writes", range(2))
def test_power_may_fail_at_any_write_of_a_rotation(folder: Path, monkeypatch: pytest.MonkeyPatch, writes: int) -> None:
    identity, before = identity_of(folder), load_signer(folder)
    monkeypatch.setattr(rotation, "write_durably", failing_after(writes))
    with pytest.raises(PowerCut):
        rotate_hub_key(folder, identity, now_s=NOW_S + 100)
    monkeypatch.undo()
    after = load_signer(folder)
    assert (after.public_key, after.certificate) == (before.public_key, before.certificate)
    made = rotate_hub_key(folder, identity, now_s=NOW_S + 200)
    assert made.number == 2
    assert load_signer(folder).public_key == made.public_key


@pytest.mark.parametrize("writes", range(4))
def test_power_may_fail_at_any_write_while_the_identity_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    one = make_key(tmp_path / "hub.key").public_key().public_bytes_raw()
    monkeypatch.setattr(rotation, "write_durably", failing_after(writes))
    with pytest.raises(PowerCut):
        make_identity(tmp_path, coop="sol", passphrase=PASSPHRASE, now_s=NOW_S)
    monkeypatch.undo()
    signer = load_signer(tmp_path)
    assert (signer.public_key, signer.identity, signer.certificate) == (one, one, None)
    make_identity(tmp_path, coop="sol", passphrase=PASSPHRASE, now_s=NOW_S)
    assert load_signer(tmp_path).identity == one
    assert load_signer(tmp_path).certificate is not None


def failing_after(writes: int) -> Callable[..., None]:
    real, left = rotation.write_durably, [writes]

    def write(path: Path, content: bytes, *, replace: bool = False) -> None:
        if not left[0]:
            raise PowerCut
        left[0] -= 1
        real(path, content, replace=replace)

    return write


def test_the_board_is_warned_60_and_30_days_before_the_end(folder: Path, tmp_path: Path) -> None:
    end_s = NOW_S + 400 * DAY_S
    assert hub_key_warning(folder, now_s=end_s - 60 * DAY_S) is None
    assert "ends in 59 days: make the next one" in str(hub_key_warning(folder, now_s=end_s - 60 * DAY_S + 1))
    assert "after that homes accept no receipt" in str(hub_key_warning(folder, now_s=end_s - 29 * DAY_S))
    assert "has ended: homes go on measuring" in str(hub_key_warning(folder, now_s=end_s))
    one = tmp_path / "one"
    one.mkdir()
    make_key(one / "hub.key")
    assert hub_key_warning(one, now_s=end_s) is None
