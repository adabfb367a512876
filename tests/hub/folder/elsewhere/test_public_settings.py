"""The table [public] of hub.toml: what it means, and the line for each value that cannot work."""

from pathlib import Path

import pytest

from hub.folder.first_settings import settings_text
from hub.folder.settings import HubSettings, parse_settings
from hub.storage.records import Coop
from protocols.errors import SettingsError


def parsed(tmp_path: Path, public: str, *, kind: str = "auto") -> HubSettings:
    text = settings_text(Coop("street", "The Street", "Europe/Madrid", "EUR")).replace('"auto" ', f'"{kind}" ')
    return parse_settings(f"{text}\n{public}".encode(), name="hub.toml", folder=tmp_path)


def test_without_the_table_the_hub_serves_this_computer_only(tmp_path: Path) -> None:
    assert parsed(tmp_path, "").public is None


def test_the_lines_of_a_new_hub_hold_once_they_are_no_comments(tmp_path: Path) -> None:
    text = settings_text(Coop("street", "The Street", "Europe/Madrid", "EUR"))
    lines = text[text.index("# [public]") :].split("\n\n")[0].splitlines()
    public = parsed(tmp_path, "\n".join(line.removeprefix("# ") for line in lines)).public
    assert public is not None
    assert (public.host, public.broker_port, public.enrol_port) == ("hub.example.org", 8883, 8443)


def test_the_certificate_holds_each_name_once(tmp_path: Path) -> None:
    public = parsed(tmp_path, '[public]\nhost = "192.0.2.7"\nnames = ["hub.lan", "192.0.2.7", "2001:db8::7"]').public
    assert public is not None
    assert public.all_names == ("192.0.2.7", "hub.lan", "2001:db8::7")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("broker_port = 8883", "public.host: expected a host name or an address"),
        ('host = "https://hub.example.org"', "public.host: expected a host name or an address"),
        ('host = "300.1.2.3"', "public.host: expected a host name or an address"),
        ('host = "h"\nnames = ["*.example.org"]', "public.names: expected up to 10 host names or addresses"),
        ('host = "h"\nbroker_port = 0', "public.broker_port: expected a whole number from 1 to 65535"),
        ('host = "h"\nenrol_port = 8883', "public.enrol_port: expected a port that neither the broker nor the pages"),
        ('host = "h"\nenrol_port = 8400', "public.enrol_port: expected a port that neither the broker nor the pages"),
        ('host = "h"\nbroker_port = 1883', "public.broker_port: expected a port that neither web.port nor broker.port"),
        ('host = "h"\ntls = true', "public.tls: no such setting"),
    ],
)
def test_what_cannot_work_is_told_with_its_key(tmp_path: Path, lines: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parsed(tmp_path, f"[public]\n{lines}")
    assert said in str(refused.value)


def test_the_built_in_broker_is_for_this_computer(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="the built-in broker serves this computer only"):
        parsed(tmp_path, '[public]\nhost = "h"', kind="iotcore")
