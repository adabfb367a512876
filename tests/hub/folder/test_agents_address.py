"""Where agents are told to enrol follows from the settings."""

from dataclasses import replace
from pathlib import Path

from hub.folder.agents_address import agents_address
from hub.folder.elsewhere.public_settings import PublicSettings
from hub.folder.first_settings import settings_text
from hub.folder.settings import HubSettings, parse_settings
from tests.hub.sending_home import COOP


def settings_of(**web: object) -> HubSettings:
    found = parse_settings(settings_text(replace(COOP, id="sol")).encode(), name="hub.toml", folder=Path())
    return replace(found, web=replace(found.web, **web))  # type: ignore[arg-type]


def test_on_one_computer_it_is_the_pages_address() -> None:
    assert agents_address(settings_of()) == "http://127.0.0.1:8400"
    assert agents_address(settings_of(host="::1")) == "http://[::1]:8400"


def test_without_tls_there_is_none_for_homes_elsewhere() -> None:
    assert agents_address(settings_of(host="192.168.1.10")) is None


def test_for_homes_elsewhere_it_is_the_enrolment_port() -> None:
    public = PublicSettings("2001:db8::7", 8883, 8443, ())
    assert agents_address(replace(settings_of(), public=public)) == "https://[2001:db8::7]:8443"
