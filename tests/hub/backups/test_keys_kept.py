"""A backup holds everything that a hub signs with, so that a restored hub signs as the one before did."""

import asyncio
from pathlib import Path

from hub.backups.contents import files_of
from hub.commands.operation.init import init_hub
from hub.folder.clock import open_clock
from hub.folder.keys.signer import load_signer
from hub.storage.records import Coop

COOP = Coop("sunny", "S", "Europe/Madrid", "EUR")


def test_what_is_packed_signs_as_the_hub_did(tmp_path: Path) -> None:
    folder, restored = tmp_path / "hub", tmp_path / "restored"
    asyncio.run(init_hub(folder, coop=COOP, clock=open_clock(None), passphrase=b"five words for the safe"))
    packed = dict(files_of(folder))
    assert {"hub.key", "salt.key", "identity.key", "hub-keys/identity.json", "hub-keys/1.json"} <= set(packed)
    for name, path in packed.items():
        (restored / name).parent.mkdir(parents=True, exist_ok=True)
        (restored / name).write_bytes(path.read_bytes())
        (restored / name).chmod(0o600)
    before, after = load_signer(folder), load_signer(restored)
    assert before.certificate is not None
    assert (after.public_key, after.identity, after.certificate) == (
        before.public_key,
        before.identity,
        before.certificate,
    )
