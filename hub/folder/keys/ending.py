"""When the hub key in use ends, and what the board has to do before that."""

from pathlib import Path
from typing import Final

from hub.folder.keys.signer import load_identity, load_signer
from protocols.hub_keys import HubKeyCertificate, open_certificate

DAY_S: Final = 86_400
WARN_S: Final = 60 * DAY_S
URGE_S: Final = 30 * DAY_S


def hub_key_certificate(folder: Path) -> HubKeyCertificate | None:
    """The certificate of the hub key in use; None if it is itself the identity key. Raises: IdentityError."""
    identity = load_identity(folder)
    if identity is None or (signer := load_signer(folder)).certificate is None:
        return None
    return open_certificate(signer.certificate, coop=identity[0], identity=identity[1])


def hub_key_warning(folder: Path, *, now_s: int) -> str | None:
    """What the board has to do about a hub key that ends soon, or has ended. Raises: IdentityError."""
    held = hub_key_certificate(folder)
    if held is None or held.valid_until - now_s >= WARN_S:
        return None
    advice = "make the next one with commonwatt-hub authority renew and the keys from the safe"
    if held.valid_until <= now_s:
        return f"the hub key has ended: homes go on measuring but accept no receipt; {advice}"
    days = (held.valid_until - now_s) // DAY_S
    urgent = "after that homes accept no receipt; " if held.valid_until - now_s < URGE_S else ""
    return f"the hub key ends in {days} days: {urgent}{advice}"
