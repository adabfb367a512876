"""The certificate of the hub's servers: issued when it is due and only then, and replaced whole."""

import time
from pathlib import Path

import pytest
from cryptography import x509

from hub.trust.authority import AuthorityError
from hub.trust.authority_files import (
    FolderAuthority,
    certificate_warnings,
    make_authority,
    open_root_key,
    read_root,
    read_server,
    renew_working,
    server_file,
)
from hub.trust.certificates import ends_at
from hub.trust.server_certificate import CertificateJob, refresh_server_certificate

PASSPHRASE = b"five words for the safe"
NOW_S = int(time.time())
DAY_S = 86_400
NAMES = ("hub.example.org", "2001:DB8::7")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_authority(tmp_path, coop="sunny", passphrase=PASSPHRASE, now_s=NOW_S)
    return tmp_path


def held(folder: Path) -> x509.Certificate:
    found = read_server(folder)
    assert found is not None
    return found


def test_it_is_issued_once_and_again_in_its_last_third(folder: Path) -> None:
    assert refresh_server_certificate(folder, names=NAMES, now_s=NOW_S)
    assert server_file(folder).stat().st_mode & 0o777 == 0o600
    first = held(folder)
    assert not refresh_server_certificate(folder, names=NAMES, now_s=NOW_S + 59 * DAY_S)
    assert held(folder) == first
    assert refresh_server_certificate(folder, names=NAMES, now_s=NOW_S + 61 * DAY_S)
    assert ends_at(held(folder)) == NOW_S + (61 + 90) * DAY_S


def test_one_made_while_the_clock_was_ahead_is_issued_again_once_it_is_right(folder: Path) -> None:
    assert refresh_server_certificate(folder, names=NAMES, now_s=NOW_S + 365 * DAY_S)
    (warning,) = certificate_warnings(folder, now_s=NOW_S)
    assert "certificate of the hub's servers is not valid yet: set this computer's clock" in warning
    assert refresh_server_certificate(folder, names=NAMES, now_s=NOW_S)
    assert held(folder).not_valid_before_utc.timestamp() <= NOW_S
    assert certificate_warnings(folder, now_s=NOW_S) == ()
    assert not refresh_server_certificate(folder, names=NAMES, now_s=NOW_S)


def test_other_names_and_a_new_working_certificate_make_it_due(folder: Path) -> None:
    refresh_server_certificate(folder, names=NAMES, now_s=NOW_S)
    assert refresh_server_certificate(folder, names=("hub.example.org",), now_s=NOW_S)
    live = FolderAuthority(folder)
    before = live.chain_pem
    root_key = open_root_key(folder / "authority" / "root.key", read_root(folder), PASSPHRASE)
    renew_working(folder, coop="sunny", root_key=root_key, now_s=NOW_S)
    assert live.chain_pem != before, "a hub that runs issues under the new one"
    assert refresh_server_certificate(folder, names=("hub.example.org",), now_s=NOW_S)
    assert not refresh_server_certificate(folder, names=("hub.example.org",), now_s=NOW_S)


def test_one_that_the_working_certificate_cut_short_is_not_issued_again_each_hour(folder: Path) -> None:
    working = x509.load_pem_x509_certificate(FolderAuthority(folder).chain_pem)
    last_days_s = ends_at(working) - 5 * DAY_S
    assert refresh_server_certificate(folder, names=NAMES, now_s=last_days_s)
    assert ends_at(held(folder)) == ends_at(working)
    assert not refresh_server_certificate(folder, names=NAMES, now_s=last_days_s + 3600)
    warnings = certificate_warnings(folder, now_s=last_days_s)
    assert [each.split(" ends ")[0] for each in warnings] == [
        "the co-op's working certificate",
        "the co-op's certificate of the hub's servers",
    ]


async def test_the_job_goes_by_real_time(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    await CertificateJob(folder, names=NAMES)(0)
    assert abs(ends_at(held(folder)) - NOW_S - 90 * DAY_S) < DAY_S
    assert not [each for each in caplog.records if each.levelname == "WARNING"]


def test_without_an_authority_the_board_is_told_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(AuthorityError, match="make it with commonwatt-hub authority make"):
        refresh_server_certificate(tmp_path, names=NAMES, now_s=NOW_S)


def test_a_damaged_file_is_one_line(folder: Path) -> None:
    refresh_server_certificate(folder, names=NAMES, now_s=NOW_S)
    server_file(folder).write_bytes(b"half")
    with pytest.raises(AuthorityError, match="expected a certificate and its key"):
        refresh_server_certificate(folder, names=NAMES, now_s=NOW_S)
