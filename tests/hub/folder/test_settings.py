"""hub.toml: the file that `init` writes is read, with and without the byte-order mark that some editors add."""

from pathlib import Path

from hub.folder.settings import parse_settings, settings_text
from hub.storage.records import Coop


def test_a_byte_order_mark_changes_nothing(tmp_path: Path) -> None:
    text = settings_text(Coop("sunny", "Sunny Street", "Europe/Vienna", "EUR")).encode()
    with_mark = parse_settings(b"\xef\xbb\xbf" + text, name="hub.toml", folder=tmp_path)
    assert with_mark == parse_settings(text, name="hub.toml", folder=tmp_path)
