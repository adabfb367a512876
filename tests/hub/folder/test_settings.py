"""hub.toml: the file that `init` writes is read, with and without the byte-order mark that some editors add."""

import re
from pathlib import Path

import pytest

from hub.folder.first_settings import settings_text
from hub.folder.intake_settings import IntakeLimits
from hub.folder.settings import parse_settings
from hub.storage.records import Coop
from protocols.errors import SettingsError


def test_a_byte_order_mark_changes_nothing(tmp_path: Path) -> None:
    text = settings_text(Coop("sunny", "Sunny Street", "Europe/Vienna", "EUR")).encode()
    with_mark = parse_settings(b"\xef\xbb\xbf" + text, name="hub.toml", folder=tmp_path)
    assert with_mark == parse_settings(text, name="hub.toml", folder=tmp_path)


@pytest.mark.parametrize(
    ("web", "warns"),
    [("https = true", True), ('https = true\nnames = ["hub.example.org"]', False), ("https = false", False)],
)
def test_a_hub_behind_a_proxy_says_that_it_needs_its_name(tmp_path: Path, web: str, warns: bool) -> None:
    text = settings_text(Coop("street", "The Street", "Europe/Madrid", "EUR"))
    text = re.sub(r"(?s)\[web\].*?(?=\n\[)", f"[web]\n{web}\n", text)
    settings = parse_settings(text.encode(), name="hub.toml", folder=tmp_path)
    assert ("web.names" in (settings.web.warning or "")) == warns


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("estimate_longest = 0", "rules.estimate_longest: expected a whole number of quarter hours from 1 to 96"),
        ("connection_w = -1", "rules.connection_w: expected a whole number from 0 to"),
    ],
)
def test_a_wrong_number_is_told_with_its_key_and_its_unit(tmp_path: Path, lines: str, said: str) -> None:
    text = settings_text(Coop("street", "The Street", "Europe/Madrid", "EUR"))
    text = re.sub(r"(?s)\[rules\].*?(?=\n\[|\Z)", f"[rules]\n{lines}\n", text)
    with pytest.raises(SettingsError, match=re.escape(said)):
        parse_settings(text.encode(), name="hub.toml", folder=tmp_path)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("messages_a_day = 10", "intake.messages_a_day: expected a whole number from 1000 to"),
        ("slow_after = 2000\ncut_off_after = 1000", "intake.cut_off_after: expected at least slow_after"),
        ("speed = 1", "intake.speed: no such setting"),
    ],
)
def test_a_limit_that_would_hit_honest_homes_is_refused(tmp_path: Path, lines: str, said: str) -> None:
    text = settings_text(Coop("street", "The Street", "Europe/Madrid", "EUR"))
    text = re.sub(r"(?s)\[intake\].*?(?=\n# \[|\n\[|\Z)", f"[intake]\n{lines}\n", text)
    with pytest.raises(SettingsError, match=re.escape(said)):
        parse_settings(text.encode(), name="hub.toml", folder=tmp_path)


def test_a_file_without_limits_has_the_usual_ones(tmp_path: Path) -> None:
    text = settings_text(Coop("street", "The Street", "Europe/Madrid", "EUR"))
    without = re.sub(r"(?s)\[intake\].*?(?=\n# \[)", "", text)
    parsed = [parse_settings(each.encode(), name="hub.toml", folder=tmp_path).intake for each in (text, without)]
    assert parsed == [IntakeLimits(), IntakeLimits()]
