"""`commonwatt-agent consent` as a household uses it: it numbers the versions itself, and says what holds."""

import json
import sqlite3
from pathlib import Path

import pytest

from edge_agent.__main__ import main
from edge_agent.outbox.schema import SCHEMA
from protocols.consent.rules import ConsentSet, default_consent, encode_consent
from protocols.consent.text import parse_consent
from tests.edge_agent.enrolment_desk import CONFIG, enrol_home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    enrol_home(tmp_path, monkeypatch)
    capsys.readouterr()
    return tmp_path


def consent(home: Path, *arguments: str) -> int:
    return main(["consent", *arguments, "--config", str(home / "agent.toml")])


def written(home: Path) -> ConsentSet:
    return parse_consent((home / "consent.toml").read_text())


def put_in_force(home: Path, held: ConsentSet) -> None:
    with sqlite3.connect(home / "data" / "outbox.sqlite") as db:
        db.executescript(SCHEMA)
        db.execute(
            "INSERT INTO state (one, version, epoch, boot, consent_version, consent) VALUES (1, 1, 1, 1, ?, ?)",
            (held.version, encode_consent(held)),
        )


def test_show_lists_every_purpose_in_plain_words(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert consent(home) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "consent of home h01, version 1"
    assert any(line.startswith("allowed  settle.share") and "membership contract" in line for line in shown)
    assert any(line.startswith("no       peers.view     show this home to the other members") for line in shown)


def test_allow_writes_the_next_version_and_keeps_the_one_before(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (home / "consent.toml").read_bytes()
    assert consent(home, "allow", "forecast.hood") == 0
    assert "version 2; the agent takes it up when it starts" in capsys.readouterr().out
    assert written(home).version == 2
    assert (home / "consent.toml.before").read_bytes() == before
    assert (home / "consent.toml").stat().st_mode & 0o077 == 0
    assert consent(home, "withdraw", "forecast.hood", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["version"], record["in_force"]) == (3, 1)
    assert written(home) == default_consent("h01", version=3)


def test_less_of_a_purpose_may_be_allowed(home: Path) -> None:
    assert consent(home, "allow", "peers.view", "--measures", "pv_production", "--resolution", "P1D") == 0
    (rule,) = (each for each in written(home).rules if each.purpose == "peers.view")
    assert ([each.code for each in rule.measures], rule.resolution.value) == (["pv_production"], "P1D")


def test_without_a_file_it_begins_with_what_is_in_force(home: Path) -> None:
    put_in_force(home, default_consent("h01", version=7))
    (home / "consent.toml").unlink()
    assert consent(home, "allow", "grid.flex") == 0
    assert written(home).version == 8
    assert not (home / "consent.toml.before").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["allow", "peers.veiw"], "not a purpose; `commonwatt-agent consent` lists"),
        (["allow"], "allow what? expected one of settle.share"),
        (["withdraw", "settle.share"], "leave the co-op"),
        (["withdraw", "peers.view"], "nothing to withdraw"),
        (["withdraw", "peers.view", "--resolution", "P1D"], "withdraw takes a whole purpose"),
        (["allow", "settle.share"], "always allowed"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_changes_nothing(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    before = (home / "consent.toml").read_bytes()
    assert consent(home, *arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert (home / "consent.toml").read_bytes() == before


def test_a_damaged_file_is_never_replaced(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "consent.toml").write_text("home = 3\n")
    assert consent(home, "allow", "grid.flex") == 1
    assert "consent.toml: consent: home: expected" in capsys.readouterr().err
    assert (home / "consent.toml").read_text() == "home = 3\n"


def test_a_configuration_without_a_consent_file_says_which_line_to_add(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "agent.toml").write_text(CONFIG.replace('consent = "consent.toml"\n', ""))
    assert consent(home) == 0
    assert consent(home, "allow", "grid.flex") == 1
    assert 'add the line consent = "consent.toml"' in capsys.readouterr().err
