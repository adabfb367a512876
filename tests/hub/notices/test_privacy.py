from pathlib import Path

import pytest

from hub.__main__ import main
from hub.folder.first_settings import settings_text
from hub.folder.settings import parse_settings
from hub.notices.privacy import privacy_notice
from hub.storage.records import Coop
from protocols.consent.purposes import CATALOGUE

COOP = Coop("sol", "Sol y Viento", "Europe/Madrid", "EUR")


def notice(more: str = "", *, without: str = "") -> str:
    text = settings_text(COOP).replace(without, "") + more
    settings = parse_settings(text.encode(), name="hub.toml", folder=Path())
    return privacy_notice(settings, method="proportional", contact="Ana, ana@example.org")


def test_it_names_the_controller_every_purpose_and_how_long_data_are_kept() -> None:
    shown = notice()
    assert "Controller: Sol y Viento. Questions and requests: Ana, ana@example.org." in shown
    for purpose in CATALOGUE.values():
        assert purpose.plain_words in shown
    assert "until 36 months after you move out" in shown
    assert "method proportional" in shown


def test_it_says_what_this_hub_does_and_not_what_others_do() -> None:
    assert "backups" not in notice()
    assert "7 days, 5 weeks and 12 months" in notice('\n[backup]\nto = "/media/backup"\n')
    assert "no time is set" in notice(without="[retention]                # without it nothing is erased\nmonths = 36")
    assert "weather service" not in notice()
    weather = '\n[weather]\nurl = "http://127.0.0.1:8500/v1/forecast"\nlatitude = 41.4\nlongitude = 2.2\n'
    assert "weather service" in notice(weather)


def test_the_command_prints_it_and_refuses_a_contact_that_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub = ["--data", str(tmp_path / "hub")]
    assert main(["init", *hub, "--name", "Sol y Viento", "--coop", "sol", "--tz", "Europe/Madrid"]) == 0
    capsys.readouterr()
    assert main(["privacy-notice", *hub, "--contact", "Ana, ana@example.org"]) == 0
    assert "PRIVACY NOTICE of Sol y Viento" in capsys.readouterr().out
    assert main(["privacy-notice", *hub, "--contact", " "]) == 1
    assert "--contact: expected" in capsys.readouterr().err
