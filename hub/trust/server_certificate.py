"""Keeps the certificate fresh that the broker's listener for homes and the enrolment server share."""

import ipaddress
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from hub.trust.authority import SERVER_S, Authority, AuthorityError
from hub.trust.authority_files import certificate_warnings, load_authority, read_server, server_file
from hub.trust.certificates import begins_at, ends_at
from protocols.durable_files import write_durably

log = logging.getLogger(__name__)

RENEW_BEFORE_S: Final = SERVER_S // 3


def required_authority(folder: Path) -> Authority:
    """The co-op's authority, which [public] needs. Raises: AuthorityError with what to do."""
    authority = load_authority(folder)
    if authority is None:
        raise AuthorityError(
            "[public] in hub.toml needs the co-op's certificate authority: make it with"
            f" commonwatt-hub authority make --data {folder}"
        )
    return authority


def refresh_server_certificate(folder: Path, *, names: Sequence[str], now_s: int) -> bool:
    """Issue a new server certificate if one is due; whether it was. Whoever serves with it notices the new file.

    It is due without one, in the last third of its time, for other names, after the working certificate was renewed,
    and while it is not valid yet because the clock was ahead. Raises: AuthorityError.
    """
    authority = required_authority(folder)
    if not _is_due(folder, authority, names=names, now_s=now_s):
        return False
    made = authority.issue_server(names, now_s=now_s)
    try:
        write_durably(server_file(folder), made.chain_pem + made.key_pem, replace=True)
    except OSError as error:
        raise AuthorityError(f"{server_file(folder)}: cannot be written: {error.strerror}") from None
    log.info("issued a new certificate for the hub's servers: %s", ", ".join(names))
    return True


class CertificateJob:
    """The timetable's job: renews the servers' certificate when due, and says in the log which others end soon."""

    def __init__(self, folder: Path, *, names: Sequence[str]) -> None:
        self._folder, self._names = folder, tuple(names)

    async def __call__(self, _due_s: int) -> None:
        """Look once. Real time counts, since TLS checks certificates by it. Raises: AuthorityError."""
        now_s = int(time.time())
        refresh_server_certificate(self._folder, names=self._names, now_s=now_s)
        for warning in certificate_warnings(self._folder, now_s=now_s):
            log.warning("%s", warning)


def _is_due(folder: Path, authority: Authority, *, names: Sequence[str], now_s: int) -> bool:
    held = read_server(folder)
    if held is None or _hosts(held) != frozenset(_plain(name) for name in names):
        return True
    # A certificate that the working one cut short is not renewed again and again: only a new working one helps.
    is_late = ends_at(held) - now_s < RENEW_BEFORE_S and ends_at(held) < ends_at(authority.working)
    is_early = begins_at(held) > now_s
    return is_late or is_early or not _is_issued_by(authority.working, held)


def _hosts(certificate: x509.Certificate) -> frozenset[str]:
    try:
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(str(name.value) for name in held)


def _plain(name: str) -> str:
    """An address in its usual writing; a name as it is."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name


def _is_issued_by(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
