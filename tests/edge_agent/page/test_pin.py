"""`page pin` prints a PIN that the running page takes, once; and says plainly when there is nothing to open."""

from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.page.guard import Gate
from edge_agent.page.pin import pin_lines
from edge_agent.page_settings import PageSettings
from edge_agent.settings import Settings, parse_settings
from protocols.errors import IdentityError, RequestError
from tests.edge_agent.page.page_home import CONFIG, NOW_S, PageHome
from tests.edge_agent.page.test_guard import VISITOR


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    PageHome(tmp_path / "data")
    return parse_settings(CONFIG, name="agent.toml", folder=tmp_path)


def test_the_printed_pin_is_taken_once(settings: Settings) -> None:
    opened = replace(settings, page=PageSettings("192.168.1.7", 8087))
    pin, where = pin_lines(opened, now_s=NOW_S)
    assert where.endswith("the page is at http://192.168.1.7:8087")
    gate = Gate(settings.data, now=lambda: NOW_S)
    assert gate.try_pin(VISITOR, pin) is not None
    assert gate.try_pin(VISITOR, pin) is None


def test_it_says_when_no_other_computer_reaches_the_page(settings: Settings) -> None:
    assert "only this computer reaches it" in pin_lines(settings, now_s=NOW_S)[2]


def test_without_a_page_or_an_enrolment_there_is_no_pin(settings: Settings) -> None:
    with pytest.raises(RequestError, match="listen is 'off'"):
        pin_lines(replace(settings, page=None), now_s=NOW_S)
    (settings.data / "enrolment.json").unlink()
    with pytest.raises(IdentityError, match="not enrolled"):
        pin_lines(settings, now_s=NOW_S)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('listen = "8087"', "listen: expected"),
        ('listen = "0.0.0.0:0"', "listen: expected"),
        ('listen = "pi.local:8087"', "listen: expected"),
        ('listen = "[::1]:99999"', "listen: expected"),
        ('names = ["http://pi"]', "names: expected"),
        ("port = 8087", "unknown key"),
    ],
)
def test_a_page_that_cannot_be_served_is_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    from protocols.errors import SettingsError

    with pytest.raises(SettingsError, match=words):
        parse_settings(CONFIG + b"[page]\n" + text.encode(), name="agent.toml", folder=tmp_path)


def test_an_address_with_six_groups_and_off_are_understood(tmp_path: Path) -> None:
    text = CONFIG + b'[page]\nlisten = "[fe80::7]:80"\nnames = ["Pi.Example.org."]\n'
    page = parse_settings(text, name="agent.toml", folder=tmp_path).page
    assert page == PageSettings("fe80::7", 80, ("pi.example.org",))
    assert (page.shown, page.is_local) == ("http://[fe80::7]:80", False)
    assert parse_settings(CONFIG + b'[page]\nlisten = "off"\n', name="a", folder=tmp_path).page is None
