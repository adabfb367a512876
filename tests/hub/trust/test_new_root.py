"""A new root of the co-op's authority: whole in the old one's place wherever the power fails, and signed for homes."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.folder.keys.encrypted_key import decrypt_identity
from hub.trust.authority_files import load_authority, make_authority, open_root_key
from hub.trust.new_root import replace_root, root_document
from protocols.enrolment.token import EnrolToken, hub_hash_of
from protocols.enrolment.trust_root import open_new_root, open_root
from protocols.errors import RequestError
from protocols.hub_keys import HubSigner

PASSPHRASE = b"five words for the safe"
NOW_S = 1_790_000_000
IDENTITY = Ed25519PrivateKey.from_private_bytes(b"i" * 32)
SIGNER = HubSigner.of_one_key(IDENTITY)
TOKEN = EnrolToken(bytes(16), hub_hash_of(SIGNER.identity))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_authority(tmp_path, coop="sunny", passphrase=PASSPHRASE, now_s=NOW_S)
    return tmp_path


def root_of(folder: Path) -> str:
    held = load_authority(folder)
    assert held is not None
    return held.root_pem.decode()


def change(folder: Path, *, now_s: int = NOW_S + 10) -> str:
    made = replace_root(folder, coop="sunny", identity=IDENTITY, passphrase=PASSPHRASE, now_s=now_s)
    return made.root_pem.decode()


def test_the_new_root_is_in_place_and_the_identity_key_signed_it(folder: Path) -> None:
    old = root_of(folder)
    new = change(folder)
    assert root_of(folder) == new != old
    document = root_document(folder, coop="sunny", signer=SIGNER)
    assert open_root(document, token=TOKEN, coop="sunny") == new, "for those who enrol"
    assert open_new_root(document, coop="sunny", identity=SIGNER.identity, held=old) == new, "for those who had the old"
    authority = load_authority(folder)
    assert authority is not None
    open_root_key(folder / "authority" / "root.key", authority.root, PASSPHRASE)
    kept = decrypt_identity((folder / "identity.key").read_bytes(), PASSPHRASE)
    assert kept.private_bytes_raw() == IDENTITY.private_bytes_raw()
    assert sorted(path.name for path in folder.iterdir()) == ["authority", "identity.key"]
    assert change(folder, now_s=NOW_S + 20) != new, "and once more"


def test_before_a_change_the_hub_key_signs_the_root_on_demand(folder: Path) -> None:
    document = root_document(folder, coop="sunny", signer=SIGNER)
    assert open_root(document, token=TOKEN, coop="sunny") == root_of(folder)
    assert open_new_root(document, coop="sunny", identity=SIGNER.identity, held=root_of(folder)) is None


def test_a_clock_that_was_set_back_makes_no_root(folder: Path) -> None:
    old = root_of(folder)
    with pytest.raises(RequestError, match="set this computer's clock"):
        change(folder, now_s=NOW_S - 1)
    assert root_of(folder) == old


def test_a_root_made_in_the_second_of_the_old_one_is_later_still(folder: Path) -> None:
    old = root_of(folder)
    new = change(folder, now_s=NOW_S)
    document = root_document(folder, coop="sunny", signer=SIGNER)
    assert open_new_root(document, coop="sunny", identity=SIGNER.identity, held=old) == new


class PowerCut(Exception):
    """The power fails at a rename."""


@pytest.mark.parametrize("renames", range(8))
def test_power_may_fail_at_any_rename(folder: Path, monkeypatch: pytest.MonkeyPatch, renames: int) -> None:
    old, left = root_of(folder), [renames]

    def failing(real: object) -> object:
        def rename(self: Path, target: Path) -> Path:
            if not left[0]:
                raise PowerCut
            left[0] -= 1
            return real(self, target)  # type: ignore[operator,no-any-return]

        return rename

    for name in ("replace", "rename"):
        monkeypatch.setattr(Path, name, failing(getattr(Path, name)))
    try:
        change(folder)
    except PowerCut:
        monkeypatch.undo()
    else:
        assert renames == 7, "every rename was tried"
        monkeypatch.undo()
    found = root_of(folder)
    assert (found == old) == (renames < 6), "the old one until both are whole, then the new one"
    root_document(folder, coop="sunny", signer=SIGNER)
    assert change(folder, now_s=NOW_S + 20) == root_of(folder) != found
