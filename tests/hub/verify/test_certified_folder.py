"""A hub's folder after its key was replaced: `verify` and the script hold every document to the identity's key."""

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.commands.operation.verify import verify_hub
from hub.core.ledger.signed_document import sign_document
from hub.folder.keys.hub_key import load_key
from hub.folder.keys.rotation import make_identity, rotate_hub_key
from hub.folder.keys.signer import load_signer
from hub.folder.paths import KEY_NAME
from hub.statements.script import script_text
from protocols.errors import IdentityError
from protocols.hub_keys import HubSigner
from tests.hub.verify.certified_keys import DAY_S, STRANGER, changed_certificates, hub_key, signer_of, write_keys
from tests.hub.verify.tampering import CLOCK
from tests.releases.invented_home import COOP_ID, key_file
from tests.releases.keep import write_statements
from tests.releases.release_state import LATER_S, later_clock, run_hub
from tests.releases.test_kept_releases import check_statement

START: Final = int(LATER_S) - 200 * DAY_S


class Rotated:
    """A copy of a hub that had one key, its old key made the identity, and statements under hub keys 1 and 2."""

    def __init__(self, kept_hub: Path, work: Path) -> None:
        self.work, self.hub = work, work / "hub"
        shutil.copytree(kept_hub, self.hub)
        self.identity: Ed25519PrivateKey = load_key(self.hub / KEY_NAME)
        make_identity(self.hub, coop=COOP_ID, passphrase=b"nine small words", now_s=START)
        self.one, first = load_signer(self.hub), self._stated("key-1")
        rotate_hub_key(self.hub, self.identity, now_s=int(LATER_S) - DAY_S)
        self.two, second = load_signer(self.hub), self._stated("key-2")
        self.statements = [first, second]

    def signer(self, number: int, *, valid_from: int = START, coop: str = COOP_ID, **more: Any) -> HubSigner:
        return signer_of(number, self.identity, coop=coop, valid_from=valid_from, **more)

    @property
    def public_key(self) -> bytes:
        return self.identity.public_key().public_bytes_raw()

    def _stated(self, name: str) -> Path:
        """A member's files as the hub makes them with the key it has now."""
        folder = self.work / name
        folder.mkdir()
        write_statements(self.hub, folder, folder / "given")
        return folder / "given" / "m01" / "statement.json"


@pytest.fixture(scope="module")
def rotated(kept_hub: Path, tmp_path_factory: pytest.TempPathFactory) -> Rotated:
    """Not to be written to."""
    return Rotated(kept_hub, tmp_path_factory.mktemp("rotated"))


@pytest.fixture
def hub(rotated: Rotated, tmp_path: Path) -> Path:
    """A copy of its folder."""
    shutil.copytree(rotated.hub, tmp_path / "hub")
    return tmp_path / "hub"


def found_in(hub: Path, *kept: Path, **more: Any) -> list[str]:
    """What `verify` finds."""
    found = asyncio.run(verify_hub(hub, clock=CLOCK, kept=kept, **more))
    lines = [line for part in found.values() if isinstance(part, dict) for line in part["findings"]]
    assert found["ok"] == (not lines)
    return lines


def test_documents_of_both_keys_hold_against_the_identity(rotated: Rotated, hub: Path) -> None:
    assert found_in(hub, *rotated.statements, pinned=rotated.public_key) == []
    signed = [json.loads(path.read_bytes()) for path in rotated.statements]
    assert [each["certificate"] for each in signed] == [rotated.one.certificate, rotated.two.certificate]
    assert len({each["signature"] for each in signed}) == 2


def test_the_script_holds_both_against_the_key_that_the_hub_shows(rotated: Rotated, tmp_path: Path) -> None:
    script = tmp_path / "check.py"
    script.write_text(script_text(), encoding="utf-8")
    clock = later_clock(tmp_path)
    words = "statement --member m01 --by m01 --reason shown --month 2021-10 --json"
    code, out = run_hub(rotated.hub, clock, words, "--out", str(tmp_path / "made"))
    assert (code, json.loads(out)["hub_key"]) == (0, rotated.public_key.hex())
    for path in rotated.statements:
        code, said = check_statement(path.parent, script, rotated.public_key.hex())
        assert code == 0, said


def test_no_hub_key_stands_for_the_identity(rotated: Rotated, hub: Path) -> None:
    for signer in (rotated.one, rotated.two):
        (finding,) = found_in(hub, pinned=signer.public_key)
        assert finding.startswith("the folder's key is not the one given with --hub-key")


def test_a_kept_root_brings_its_certificate(rotated: Rotated, hub: Path) -> None:
    """The folder lost it: what the member kept is still held to the identity's key."""
    (hub / "hub-keys" / "1.json").unlink()
    assert found_in(hub, rotated.statements[0], only="messages") == []


ROOT_REFUSED: Final[dict[str, tuple[Callable[[Rotated], HubSigner | Ed25519PrivateKey], str]]] = {
    "a certificate that somebody else signed": (
        lambda it: it.signer(2, vouched_by=STRANGER),
        "its root is not signed by this hub: hub key certificate: not signed by the co-op's identity key",
    ),
    "a certificate of another co-op": (
        lambda it: it.signer(2, coop="other"),
        "its root is not signed by this hub: hub key certificate: coop: it is of 'other', expected 'example-lane'",
    ),
    "two keys with one number": (
        lambda it: it.signer(2, other=7),
        "its root is not signed by this hub: there are two hub keys with the number 2",
    ),
    "a key without a certificate": (lambda it: hub_key(3), "its root is not signed by this hub's key"),
    "a certificate taken away": (lambda it: it.two.key, "its root is not signed by this hub's key"),
    "the certificate of another key": (
        lambda it: HubSigner(STRANGER, it.public_key, it.two.certificate),
        "its root is not signed by this hub's key",
    ),
    "a certificate that had ended": (
        lambda it: it.signer(3, valid_from=START - 100 * DAY_S, days=10, overlap_days=0),
        "its root is signed with hub key 3, whose time was over at 2021-01-30T22:00:00Z",
    ),
}


@pytest.mark.parametrize("case", ROOT_REFUSED)
def test_a_kept_root_that_no_certified_key_signed_is_named(
    case: str, rotated: Rotated, hub: Path, tmp_path: Path
) -> None:
    make, said = ROOT_REFUSED[case]
    root = json.loads(rotated.statements[1].read_bytes())["document"]["days"][0]["root"]
    (tmp_path / "root.json").write_text(json.dumps(sign_document(root["document"], make(rotated))), encoding="utf-8")
    assert found_in(hub, tmp_path / "root.json", only="messages") == [f"kept root.json: 2021-10-30: {said}"]


@pytest.mark.parametrize("name", changed_certificates(signer_of(2, STRANGER, valid_from=START).certificate or ""))
def test_a_changed_certificate_in_the_folder_is_refused(name: str, rotated: Rotated, hub: Path) -> None:
    path = hub / "hub-keys" / "1.json"
    path.write_text(changed_certificates(rotated.one.certificate or "")[name], encoding="ascii")
    with pytest.raises(IdentityError, match=r"1\.json: ") as refused:
        found_in(hub)
    assert "\n" not in str(refused.value)


def test_keys_of_another_co_op_are_named(rotated: Rotated, hub: Path) -> None:
    others = [rotated.signer(number, coop="other") for number in (1, 2)]
    write_keys(hub, rotated.identity, *others, coop="other")
    (hub / KEY_NAME).write_bytes(key_file(others[-1].key.private_bytes_raw()))
    assert found_in(hub) == ["the certificates of the hub keys are of other, hub.toml says example-lane"]
