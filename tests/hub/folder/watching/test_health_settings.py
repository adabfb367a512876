"""The tables [health] and [log] of hub.toml: nothing but this computer reaches the port unless a token is asked for."""

from pathlib import Path

import pytest

from hub.folder.first_settings import settings_text
from hub.folder.settings import parse_settings
from hub.folder.watching.health_settings import HealthSettings, read_token
from hub.folder.watching.log_settings import LogSettings
from hub.folder.watching.tables import WATCH_TEXT, WatchSettings
from hub.storage.records import Coop
from protocols.errors import SettingsError

TEXT = settings_text(Coop("street", "The Street", "Europe/Madrid", "EUR"))
TOKEN = "a-token-of-many-letters"


def parsed(folder: Path, lines: str) -> WatchSettings:
    text = TEXT.replace(WATCH_TEXT, f"\n{lines}\n")
    return parse_settings(text.encode(), name="hub.toml", folder=folder).watch


def token_file(folder: Path, text: str, *, mode: int = 0o600) -> None:
    (folder / "token").write_text(text)
    (folder / "token").chmod(mode)


def test_a_new_hub_and_one_without_the_tables_serve_this_computer_only(tmp_path: Path) -> None:
    usual = WatchSettings(HealthSettings("127.0.0.1", 0, None), LogSettings("text", trail=False), None)
    assert parse_settings(TEXT.encode(), name="hub.toml", folder=tmp_path).watch == usual
    assert parsed(tmp_path, "") == usual


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1"])
def test_an_address_of_this_computer_needs_no_token(tmp_path: Path, host: str) -> None:
    assert parsed(tmp_path, f'[health]\nhost = "{host}"\nport = 8401').health == HealthSettings(host, 8401)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])
def test_any_other_address_needs_a_token(tmp_path: Path, host: str) -> None:
    with pytest.raises(SettingsError, match=r"^hub\.toml: health\.token_file: expected a file with a token, because"):
        parsed(tmp_path, f'[health]\nhost = "{host}"')
    token_file(tmp_path, TOKEN)
    health = parsed(tmp_path, f'[health]\nhost = "{host}"\ntoken_file = "token"').health
    assert read_token(health) == TOKEN


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('[health]\nhost = "hub.example"', "health.host: expected an address of this computer, like 127.0.0.1"),
        ("[health]\nport = 8400", "health.port: expected a port that neither the pages nor the broker use"),
        ("[health]\nport = 1883", "health.port: expected a port that neither the pages nor the broker use"),
        ("[health]\nport = -1", "health.port: expected a whole number from 0 to 65535"),
        ('[health]\ntoken = "x"', "health.token: no such setting; expected one of host, port, token_file"),
        ('[log]\nform = "xml"', "log.form: expected one of text, json"),
        ("[log]\ntrail = 1", "log.trail: expected true or false"),
        ('[log]\nlevel = "debug"', "log.level: no such setting; expected one of form, trail"),
    ],
)
def test_a_mistake_is_one_line_with_its_key(tmp_path: Path, lines: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parsed(tmp_path, lines)
    assert str(refused.value) == f"hub.toml: {said}"


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("short", 0o600, "expected a token of 16 or more letters and digits"),
        ("", 0o600, "expected a token of 16 or more letters and digits"),
        ("with a space in the token", 0o600, "expected a token of 16 or more letters and digits"),
        ("ümlaut-ümlaut-ümlaut", 0o600, "cannot read the token for metrics as one line of plain ASCII"),
        (TOKEN, 0o604, "other users can read the token for metrics; fix it with: chmod 600"),
    ],
)
def test_a_token_that_is_none_is_refused_and_never_shown(tmp_path: Path, text: str, mode: int, said: str) -> None:
    token_file(tmp_path, text, mode=mode)
    health = parsed(tmp_path, '[health]\ntoken_file = "token"').health
    with pytest.raises(SettingsError) as refused:
        read_token(health)
    assert said in str(refused.value)
    assert not text or text not in str(refused.value)
