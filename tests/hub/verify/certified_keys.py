"""Hub keys with certificates, as an identity key would make them one after another."""

import json
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.hub_keys import HubKeyCertificate, HubSigner, open_certificate, seal_certificate

STRANGER: Final = Ed25519PrivateKey.from_private_bytes(bytes([99]) * 32)
DAY_S: Final = 86_400


def hub_key(number: int, *, other: int = 0) -> Ed25519PrivateKey:
    """The hub key of this number; with `other`, another key that somebody gave the same number."""
    return Ed25519PrivateKey.from_private_bytes(bytes([number, other]) * 16)


def signer_of(
    number: int,
    identity: Ed25519PrivateKey,
    *,
    coop: str = "sunny",
    valid_from: int,
    days: int = 400,
    overlap_days: int = 30,
    vouched_by: Ed25519PrivateKey | None = None,
    other: int = 0,
) -> HubSigner:
    """Hub key `number` of the co-op with this identity, with its certificate. `vouched_by` is who signed that."""
    key = hub_key(number, other=other)
    certificate = HubKeyCertificate(
        coop=coop,
        number=number,
        public_key=key.public_key().public_bytes_raw(),
        valid_from=valid_from,
        valid_until=valid_from + days * DAY_S,
        previous_until=valid_from + overlap_days * DAY_S,
    )
    text = seal_certificate(certificate, identity if vouched_by is None else vouched_by)
    return HubSigner(key, identity.public_key().public_bytes_raw(), text)


def certificate_in(signer: HubSigner, *, coop: str = "sunny") -> HubKeyCertificate:
    """The certificate of this signer, opened."""
    assert signer.certificate is not None
    return open_certificate(signer.certificate, coop=coop, identity=signer.identity)


def changed_certificates(text: str) -> dict[str, str]:
    """The certificate with one value changed after it was signed, by the name of the value; and in another form."""
    found = {}
    given = json.loads(text)
    for name, value in given["document"].items():
        document = given["document"] | {name: _other(value)}
        found[name] = _canonical({**given, "document": document})
        lacking = {each: held for each, held in given["document"].items() if each != name}
        found[f"no {name}"] = _canonical({**given, "document": lacking})
    found["signature"] = _canonical({**given, "signature": _other(given["signature"])})
    found["a field more"] = _canonical({**given, "note": 1})
    found["a field more in the document"] = _canonical({**given, "document": given["document"] | {"note": 1}})
    found["other spaces"] = json.dumps(given)
    found["no JSON"] = text[:-1]
    return found


def write_keys(folder: Path, identity: Ed25519PrivateKey, *signers: HubSigner, coop: str) -> None:
    """The public files of these keys in a hub's folder."""
    public = folder / "hub-keys"
    public.mkdir(mode=0o700, exist_ok=True)
    named = {"coop": coop, "public_key": identity.public_key().public_bytes_raw().hex()}
    (public / "identity.json").write_text(_canonical(named) + "\n", encoding="ascii")
    for signer in signers:
        number = certificate_in(signer, coop=coop).number
        (public / f"{number}.json").write_text(f"{signer.certificate}\n", encoding="ascii")


def _other(value: Any) -> Any:
    if isinstance(value, int):
        return value + 1
    return ("0" if value[0] != "0" else "1") + value[1:]


def _canonical(fields: Any) -> str:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"))
