"""The agent's TLS files survive a power cut and a lost or damaged file, and a foreign certificate is never kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.uplink.tls.files import CERTIFICATE_FILE, KEY_FILE, TlsFiles, certificate_request, tls_public_key
from protocols.enrolment.certificates import Validity
from protocols.errors import IdentityError
from tests.coop_authority import LIFE_S, TestAuthority

NOW_S = 1_800_000_000
OURS, FOREIGN = TestAuthority(), TestAuthority("foreign")


def issued(folder: Path, *, authority: TestAuthority = OURS, agent: str = "a-1", now_s: int = NOW_S) -> str:
    csr = certificate_request(folder, agent=agent)
    return authority.issue_agent(csr, agent=agent, now_s=now_s).decode()


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    return TlsFiles(tmp_path, agent="a-1", root=OURS.root_pem.decode(), first=issued(tmp_path))


def test_the_first_certificate_comes_from_the_enrolment(files: TlsFiles, tmp_path: Path) -> None:
    """Power may fail between the enrolment's file and the certificate's."""
    assert not (tmp_path / CERTIFICATE_FILE).exists()
    assert files.validity() == Validity(NOW_S, NOW_S + LIFE_S)
    files.context()
    assert (tmp_path / CERTIFICATE_FILE).stat().st_mode & 0o777 == 0o600
    (tmp_path / CERTIFICATE_FILE).write_bytes(b"\xff damaged")
    files.context()
    assert files.validity() == Validity(NOW_S, NOW_S + LIFE_S)


def test_a_newer_certificate_is_used_once_it_is_stored(files: TlsFiles, tmp_path: Path) -> None:
    files.store(issued(tmp_path, now_s=NOW_S + 1000))
    assert files.validity() == Validity(NOW_S + 1000, NOW_S + 1000 + LIFE_S)
    files.context()


@pytest.mark.parametrize(
    ("authority", "agent", "words"),
    [(FOREIGN, "a-1", "not issued by the co-op's authority"), (OURS, "a-2", "for another agent")],
)
def test_what_does_not_fit_is_not_stored(
    files: TlsFiles, tmp_path: Path, authority: TestAuthority, agent: str, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        files.store(issued(tmp_path, authority=authority, agent=agent))
    with pytest.raises(ValueError, match="for another key"):
        files.store(issued(tmp_path / "elsewhere"))
    assert not (tmp_path / CERTIFICATE_FILE).exists()


@pytest.mark.parametrize("damage", ["gone", "bytes", "readable by others"])
def test_a_lost_or_exposed_key_is_replaced_at_the_next_request(files: TlsFiles, tmp_path: Path, damage: str) -> None:
    before = tls_public_key(tmp_path)
    key = tmp_path / KEY_FILE
    if damage == "gone":
        key.unlink()
    elif damage == "bytes":
        key.write_bytes(b"short")
    else:
        key.chmod(0o644)
    assert files.validity() is None
    with pytest.raises(ValueError, match="no certificate"):
        files.context()
    files.store(OURS.issue_agent(files.request(), agent="a-1", now_s=NOW_S).decode())
    files.context()
    assert tls_public_key(tmp_path) not in (None, before)
    assert key.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_takes_no_key_is_one_line(tmp_path: Path) -> None:
    (tmp_path / f"{KEY_FILE}.part").mkdir()
    with pytest.raises(IdentityError, match=r"tls\.key: cannot be written"):
        certificate_request(tmp_path, agent="a-1")
