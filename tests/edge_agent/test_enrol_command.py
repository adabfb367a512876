"""`commonwatt-agent enrol` as a household runs it: afterwards the consent file is there, and never one overwritten."""

from pathlib import Path

import pytest

from edge_agent.__main__ import main
from protocols.consent.rules import default_consent
from protocols.consent.text import consent_toml, parse_consent
from protocols.enrolment.handshake import EnrolAnswer, build_answer
from protocols.enrolment.token import token_text
from protocols.wire.topics import shard_of

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


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    answer = EnrolAnswer(
        *("sonne", "h01", "a-7", shard_of("a-7"), bytes(32), "127.0.0.1", 1883, "UTC"),
        consent=consent_toml(default_consent("h01")),
    )
    monkeypatch.setattr("edge_agent.uplink.enrolment.post_to", lambda _url: lambda _body: build_answer(answer).encode())
    (tmp_path / "agent.toml").write_text(CONFIG)
    (tmp_path / "token").write_text(token_text(bytes(range(16))))
    return tmp_path


def enrol(home: Path) -> int:
    return main(["enrol", "--config", str(home / "agent.toml"), "--token-file", str(home / "token")])


def test_the_consent_of_the_enrolment_is_left_for_the_household(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert enrol(home) == 0
    assert parse_consent((home / "consent.toml").read_text()) == default_consent("h01")
    assert f"what may leave the home is listed in {home / 'consent.toml'}" in capsys.readouterr().out
    assert sorted(path.name for path in home.iterdir()) == ["agent.toml", "consent.toml", "data", "token"]


def test_a_consent_that_is_there_is_never_written_over(home: Path) -> None:
    (home / "consent.toml").write_text("# mine\n")
    assert enrol(home) == 0
    assert (home / "consent.toml").read_text() == "# mine\n"
