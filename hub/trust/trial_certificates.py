"""Certificates for `commonwatt-hub broker check`: those of members that do not exist, an ended and a foreign one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from hub.trust.authority import AGENT_S, Authority
from hub.trust.certificates import DAY_S, Key, key_pem, make_root, make_working, new_key
from protocols.durable_files import write_durably

EXPIRED: Final = "expired"
FOREIGN: Final = "foreign"


def write_trial_certificates(
    authority: Authority, folder: Path, *, coop: str, names: Sequence[str], member: str, now_s: int
) -> Mapping[str, tuple[Path, Path]]:
    """The files of a certificate and of its key for each of these names, by name.

    EXPIRED is one for `member` that has ended, FOREIGN one of another authority with the same names as the co-op's.
    """
    other_key, working_key = new_key(), new_key()
    other = make_root(coop, other_key, now_s=now_s)
    working = make_working(other, other_key, coop=coop, public=working_key.public_key(), now_s=now_s)
    foreign = Authority(other, working, working_key)
    made = {name: _write(folder, name, authority, agent=name, now_s=now_s) for name in names}
    made[EXPIRED] = _write(folder, EXPIRED, authority, agent=member, now_s=now_s - AGENT_S - DAY_S)
    made[FOREIGN] = _write(folder, FOREIGN, foreign, agent=member, now_s=now_s)
    return made


def _write(folder: Path, file: str, authority: Authority, *, agent: str, now_s: int) -> tuple[Path, Path]:
    key = new_key()
    certificate, secret = folder / f"{file}.pem", folder / f"{file}.key"
    write_durably(certificate, authority.issue_agent(_request(key), agent=agent, now_s=now_s))
    write_durably(secret, key_pem(key))
    return certificate, secret


def _request(key: Key) -> bytes:
    built = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return built.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
