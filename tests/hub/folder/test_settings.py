"""hub.toml: the file that `init` writes is read, with and without the byte-order mark that some editors add."""

import re
from pathlib import Path

import pytest

from hub.folder.settings import parse_settings, settings_text
from hub.storage.records import Coop


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
