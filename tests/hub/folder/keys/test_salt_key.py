"""The salt key: made once, even by several programs at the same moment, and refused where others could read it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hub.folder.keys.salt_key import load_seals, make_salt_key
from protocols.errors import IdentityError


def test_a_folder_without_a_salt_key_gets_one_that_stays(tmp_path: Path) -> None:
    first = load_seals(tmp_path)
    assert load_seals(tmp_path) == first
    path = tmp_path / "salt.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert bytes.fromhex(path.read_text()) == first.key
    assert [each.name for each in tmp_path.iterdir()] == ["salt.key"]


def test_programs_that_make_it_at_once_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len({seals.key for seals in pool.map(load_seals, [tmp_path] * 32)}) == 1


def test_an_existing_key_is_never_replaced(tmp_path: Path) -> None:
    first = load_seals(tmp_path)
    make_salt_key(tmp_path / "salt.key")
    assert load_seals(tmp_path) == first


def test_a_key_that_others_can_read_or_that_is_none_is_refused(tmp_path: Path) -> None:
    load_seals(tmp_path)
    path = tmp_path / "salt.key"
    path.chmod(0o640)
    with pytest.raises(IdentityError, match="chmod 600"):
        load_seals(tmp_path)
    path.chmod(0o600)
    for content in ("", "5b", "x" * 64, "5b" * 5000):
        path.write_text(content)
        with pytest.raises(IdentityError, match="expected 64 hex digits"):
            load_seals(tmp_path)


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(IdentityError, match="cannot write the hub's salt key"):
        load_seals(tmp_path / "nowhere")
