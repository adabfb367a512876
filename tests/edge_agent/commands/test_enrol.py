"""`commonwatt-agent enrol` as a household runs it: afterwards the consent file is there, and never one overwritten."""

import codecs
import io
import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from edge_agent.__main__ import main
from edge_agent.commands.enrol import _token
from edge_agent.devices.silence import TroubleLog
from edge_agent.maps.files import find_map
from edge_agent.outbox.schema import SCHEMA
from protocols.consent.rules import default_consent
from protocols.consent.text import parse_consent
from protocols.enrolment.token import token_text
from protocols.errors import IdentityError
from protocols.wire.readings import DeviceState, Liveness
from tests.edge_agent.enrolment_desk import HUB_KEY, TOKEN, sealed_reply

CONFIG = """data = "data"
consent = "consent.toml"
[hub]
url = "http://127.0.0.1:8400"
coop = "sonne"
[[device]]
name = "meter"
map = "eastron-sdm630"
role = "grid"
connect = "rtu:///dev/ttyUSB0?baud=9600&parity=N"
unit = 1
max_power_w = 15000
"""

CONSENT = 'home = "h01"\nversion = 2\n[[rule]]\npurpose = "peers.view"\n'


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("edge_agent.setup.hub_site.post_to", lambda _url, **_: sealed_reply)
    (tmp_path / "agent.toml").write_text(CONFIG)
    (tmp_path / "token").write_text(token_text(TOKEN))
    return tmp_path


def enrol(home: Path) -> int:
    return main(["enrol", "--config", str(home / "agent.toml"), "--token-file", str(home / "token")])


def test_the_consent_of_the_enrolment_is_left_for_the_household(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert enrol(home) == 0
    text = (home / "consent.toml").read_text()
    assert parse_consent(text) == default_consent("h01")
    assert "Without a rule only this leaves the home" in text
    assert f"what may leave the home is listed in {home / 'consent.toml'}" in capsys.readouterr().out
    assert sorted(path.name for path in home.iterdir()) == ["agent.toml", "consent.toml", "data", "token"]


def test_a_token_saved_with_a_byte_order_mark_is_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "token").write_bytes(codecs.BOM_UTF8 + token_text(TOKEN).encode() + b"\r\n")
    assert enrol(home) == 0
    monkeypatch.setattr("sys.stdin", io.StringIO(f"\ufeff{token_text(TOKEN)}\r\n"))
    assert _token(None) == token_text(TOKEN)


def test_a_consent_that_is_there_is_never_written_over(home: Path) -> None:
    mine = '# mine\nhome = "h01"\nversion = 2\n'
    (home / "consent.toml").write_text(mine)
    assert enrol(home) == 0
    assert (home / "consent.toml").read_text() == mine


@pytest.mark.parametrize(
    ("consent", "config"),
    [
        ('home = "h01"\nversoin = 2\n', CONFIG),
        (CONSENT + 'valid_from = "2099-01-01T00:00Z"\n', CONFIG),
        (CONSENT, CONFIG),
        (None, CONFIG.replace("eastron-sdm630", "eastron-sdm6300")),
        (None, CONFIG.replace('"grid"', '"wind_speed"')),
        (None, CONFIG + 'sign = "inverted"\n'),
    ],
)
def test_what_run_would_refuse_does_not_cost_the_token_and_the_words_are_the_same(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    consent: str | None,
    config: str,
) -> None:
    """They used to be found at `run`, when the token was spent."""
    assert enrol(home) == 0
    capsys.readouterr()
    (home / "agent.toml").write_text(config)
    if consent is not None:
        (home / "consent.toml").write_text(consent)
    assert main(["run", "--config", str(home / "agent.toml")]) == 1
    at_run = capsys.readouterr().err.splitlines()[-1]
    shutil.rmtree(home / "data")
    sent: list[bytes] = []
    monkeypatch.setattr("edge_agent.setup.hub_site.post_to", lambda _url, **_: lambda body: sent.append(body) or b"")
    if consent is None:
        (home / "consent.toml").unlink()
    assert enrol(home) == 1
    assert capsys.readouterr().err.splitlines() == [at_run]
    assert sent == []


def test_a_consent_file_that_cannot_be_written_does_not_cost_the_token(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It used to be written after the token was spent."""
    sent: list[bytes] = []
    monkeypatch.setattr("edge_agent.setup.hub_site.post_to", lambda _url, **_: lambda body: sent.append(body) or b"")
    (home / "consent.toml.part").mkdir()
    assert enrol(home) == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert f"cannot write {home / 'consent.toml'}: Is a directory: nothing was sent, the token is still good" in said
    assert sent == []
    assert not (home / "data").exists()


def test_a_refused_enrolment_leaves_no_consent_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_body: bytes) -> bytes:
        raise IdentityError("the hub refused (410): expired")

    monkeypatch.setattr("edge_agent.setup.hub_site.post_to", lambda _url, **_: refuse)
    assert enrol(home) == 1
    assert sorted(path.name for path in home.iterdir()) == ["agent.toml", "data", "token"]


def test_the_hubs_key_is_printed_as_its_pages_show_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = HUB_KEY.public_key().public_bytes_raw().hex()
    assert enrol(home) == 0
    assert f"the hub proved that it holds the key named in the token: {key}" in capsys.readouterr().out
    assert main(["hub-key", "--config", str(home / "agent.toml")]) == 0
    assert capsys.readouterr().out == f"{key}\n"


def test_status_says_what_is_not_limited(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    second = CONFIG[CONFIG.index("[[device]]") :].replace('"meter"', '"inverter"').replace("unit = 1", "unit = 2")
    both = second.replace('"grid"', '["pv", "battery"]').replace("eastron-sdm630", "huawei-sun2000")
    assert enrol(home) == 0
    (home / "agent.toml").write_text(CONFIG.replace("15000", "200000") + both)
    capsys.readouterr()
    status = ["status", "--config", str(home / "agent.toml")]
    assert main(status) == 0
    head, grid, pv, battery, phases, *maps, meter, inverter, consent = capsys.readouterr().out.splitlines()
    assert meter == "meter (grid): last good value not known yet: the agent is not running"
    assert inverter == "inverter (pv, battery): last good value not known yet: the agent is not running"
    assert consent.startswith("consent: version 1 allows nothing more")
    assert head.endswith("of home h01 has not run yet")
    assert phases.startswith("meter (grid): counts each phase by itself; your legal meter may add them")
    assert grid.startswith("meter (grid): not limited here, max_power_w = 200000 is more than a home carries; the hub")
    assert grid.endswith("the board's figure for your connection")
    assert [line.split(": ")[:3] for line in maps] == [
        [name, f"map {family}", find_map(family).map.quality]
        for name, family in (("meter", "eastron-sdm630"), ("inverter", "huawei-sun2000"))
    ]
    for line, role in ((pv, "pv"), (battery, "battery")):
        assert line.startswith(f"inverter ({role}): no limit of its own, max_power_w = 15000 is for all roles")
    assert main([*status, "--json"]) == 0
    limits = json.loads(capsys.readouterr().out)["limits"]
    assert [(row["role"], row["is_own"], row["is_a_limit"]) for row in limits] == [
        ("grid", True, False),
        ("pv", False, True),
        ("battery", False, True),
    ]


def test_status_says_that_a_map_is_missing_and_goes_on(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert enrol(home) == 0
    (home / "agent.toml").write_text(CONFIG.replace("eastron-sdm630", "eastron-sdm6300"))
    capsys.readouterr()
    status = ["status", "--config", str(home / "agent.toml")]
    assert main(status) == 0
    assert "\nmeter: map: no family 'eastron-sdm6300', did you mean" in capsys.readouterr().out
    assert main([*status, "--json"]) == 0
    assert "no family" in json.loads(capsys.readouterr().out)["maps"][0]["trouble"]


def test_status_names_the_device_that_is_silent(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert enrol(home) == 0
    TroubleLog(home / "data", started_s=0).note([DeviceState("meter", Liveness.SILENT, 60)], now_s=1_780_000_060)
    sqlite3.connect(home / "data" / "outbox.sqlite").executescript(SCHEMA)
    capsys.readouterr()
    status = ["status", "--config", str(home / "agent.toml")]
    assert main(status) == 0
    _, line, *_ = capsys.readouterr().out.splitlines()
    assert line.startswith("meter: SILENT, has given no reading since 2026-05-28 2")
    assert "`commonwatt-agent read --device meter` tries it now" in line
    assert main([*status, "--json"]) == 0
    troubles = json.loads(capsys.readouterr().out)["troubles"]
    assert troubles == [{"device": "meter", "state": "silent", "since": 1_780_000_000}]
