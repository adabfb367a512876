"""The table [store]: its values, what is refused, and an address that nobody else can read."""

import re
from pathlib import Path

import pytest

from hub.folder.elsewhere.store_settings import ADDRESS_VARIABLE, STORE_TEXT, StoreSettings, read_address
from hub.folder.settings import parse_settings
from protocols.errors import SettingsError

COOP = '[coop]\nid = "street"\nname = "Street"\ntz = "Europe/Madrid"\n'
ADDRESS = "postgresql://street_hub:hush@127.0.0.1/energy"


def store_settings(folder: Path, lines: str) -> StoreSettings | None:
    return parse_settings((COOP + lines).encode(), name="hub.toml", folder=folder).store


def test_without_the_table_the_store_is_a_file(tmp_path: Path) -> None:
    assert store_settings(tmp_path, "") is None


def test_the_lines_that_explain_the_store_are_good_settings(tmp_path: Path) -> None:
    (tmp_path / "store-address").write_text(f"{ADDRESS}\n")
    (tmp_path / "store-address").chmod(0o600)
    found = store_settings(tmp_path, re.sub(r"(?m)^# ", "", STORE_TEXT))
    assert found == StoreSettings("sunny_street", tmp_path / "store-address")
    assert read_address(found) == ADDRESS


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "store.schema: expected the name of the co-op's schema"),
        ('schema = "Pg"\n', "store.schema: expected the name"),
        ('schema = "pg_x"\n', "store.schema: expected the name"),
        ('schema = "a"\naddress_file = 1\n', "store.address_file: expected the name of a file"),
        ('schema = "a"\nbackup = "one\\nor two"\n', "store.backup: expected how the server is backed up"),
        ('schema = "a"\n[backup]\nto = "/media"\n', "backup.to: expected nothing: [store] is on a server"),
        ('schema = "a"\ndsn = "postgresql://"\n', "store.dsn: no such setting"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, lines: str, said: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(said)):
        store_settings(tmp_path, f"[store]\n{lines}")


def test_an_address_is_read_from_the_environment_or_from_a_file_of_the_hub_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "address"
    monkeypatch.delenv(ADDRESS_VARIABLE, raising=False)
    with pytest.raises(SettingsError, match=f"expected a file, or {ADDRESS_VARIABLE}"):
        read_address(StoreSettings("a", None))
    with pytest.raises(SettingsError, match="make the hub's own again with: commonwatt-hub db prepare"):
        read_address(StoreSettings("a", path))
    for content, mode, said in (
        (ADDRESS, 0o640, "other users can read the server's address"),
        ("", 0o600, "on the first line"),
        ("x" * 3000, 0o600, "on the first line"),
        ("a\x1bb", 0o600, "on the first line"),
    ):
        path.write_text(content)
        path.chmod(mode)
        with pytest.raises(SettingsError, match=said) as refused:
            read_address(StoreSettings("a", path))
        assert "hush" not in str(refused.value)
    monkeypatch.setenv(ADDRESS_VARIABLE, ADDRESS)
    assert read_address(StoreSettings("a", path)) == ADDRESS
