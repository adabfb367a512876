"""The nftables rules that the hub and its documents give, loaded between networks: what is open, and for how much."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hub.__main__ import main
from hub.broker.firewall.ruleset import COUNTERS, NEW_A_MINUTE, PACKETS_A_SECOND, PACKETS_AT_ONCE
from tests.journeys.namespaces import HUB4, HUB6, Place, neighbourhood, why_not

ROOT = Path(__file__).resolve().parents[2]
HOMES = {"home4": HUB4, "hostile4": HUB4, "home6": HUB6, "hostile6": HUB6}
LISTENING = (22, 80, 443, 1883, 8400, 8443, 8883)
SETTINGS = '\n[public]\nhost = "hub.example"\n'


@pytest.fixture(autouse=True)
def _only_where_namespaces_can_be_made() -> None:
    if (reason := why_not()) is not None:
        pytest.skip(reason)


@pytest.fixture
def hub(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    passphrase = tmp_path / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text("five words for the safe\n")
    place = ["--data", str(tmp_path / "hub"), "--passphrase-file", str(passphrase)]
    assert main(["init", "--name", "S", "--coop", "street", "--tz", "Europe/Madrid", *place]) == 0
    settings = tmp_path / "hub" / "hub.toml"
    settings.write_text(settings.read_text() + SETTINGS)
    capsys.readouterr()
    return tmp_path / "hub"


class Line:
    """A hub's computer with listening programs, and homes whose addresses reach it as they are."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        self._places = places

    def load(self, rules: str, *, at: str = "hub") -> None:
        command = self._places[at].command("nft", "-f", "-")
        subprocess.run(command, input=rules, text=True, check=True, timeout=60)

    def tried(self, role: str, port: int, *, count: int, least: int) -> dict[str, Any]:
        """How many connections were made, of this many at once, and how long that was tried: until `least` were."""
        return self._told(role, "connect", HOMES[role], str(port), str(count), str(least))

    def is_open(self, role: str, ports: list[int], *, to: str | None = None) -> bool:
        """Whether this home can use these ports and no other."""
        expected = ",".join(map(str, ports)) or "-"
        return bool(self._told(role, "open", to or HOMES[role], expected, *map(str, LISTENING))["open"] == ports)

    def send_packets(self, role: str, port: int, *, count: int) -> float:
        """Bare segments; how long it took, in seconds."""
        return float(self._told(role, "packets", HOMES[role], str(port), str(count))["took_s"])

    def counted(self, name: str) -> int:
        """The packets that a counter of the rules has seen."""
        command = self._places["hub"].command("nft", "-j", "list", "counters", "table", "inet", "commonwatt")
        found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)
        each = {row["counter"]["name"]: row["counter"] for row in found["nftables"] if "counter" in row}
        assert set(each) == set(COUNTERS)
        return int(each[name]["packets"])

    def _told(self, role: str, *words: str) -> dict[str, Any]:
        command = self._places[role].command(sys.executable, "-m", "tests.journeys.firewall_traffic", *words)
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
        told: dict[str, Any] = json.loads(done.stdout)
        return told


@contextmanager
def line(folder: Path) -> Iterator[Line]:
    with neighbourhood(folder, behind_nat=["home4", "hostile4"], six_only=["home6", "hostile6"]) as places:
        made = Line(places)
        made.load("delete table ip nat\n", at="net")
        listening = places["hub"].command(
            sys.executable, "-m", "tests.journeys.firewall_traffic", "listen", *map(str, LISTENING)
        )
        with subprocess.Popen(listening, cwd=ROOT, stdout=subprocess.PIPE, text=True) as program:
            try:
                assert program.stdout is not None
                assert json.loads(program.stdout.readline()) == {"listening": list(LISTENING)}
                yield made
            finally:
                program.terminate()


def rules_of(hub: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["broker", "firewall", "--data", str(hub), *options]) == 0
    return capsys.readouterr().out


def test_only_the_ports_of_the_table_are_open_and_ssh_to_whom_it_should(
    tmp_path: Path, hub: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with line(tmp_path) as made:
        assert made.is_open("home4", list(LISTENING)), "everything, without rules"
        made.load(rules_of(hub, capsys))
        assert made.is_open("home4", [22, 8443, 8883])
        assert made.is_open("home6", [22, 8443, 8883])
        assert made.counted("not_open") > 0
        settings = hub / "hub.toml"
        settings.write_text(settings.read_text().replace("https = false", "https = true"))
        made.load(rules_of(hub, capsys, "--ssh-from", "10.0.1.0/24", "--ssh-from", "2001:db8:2:2::/64"))
        for role, ssh in (("home4", [22]), ("hostile6", [22]), ("hostile4", []), ("home6", [])):
            assert made.is_open(role, [*ssh, 80, 443, 8443, 8883]), role


@pytest.mark.parametrize(("hostile", "honest"), [("hostile4", "home4"), ("hostile6", "home6")])
def test_an_address_has_its_own_allowance_of_connections_and_packets(
    tmp_path: Path, hub: Path, capsys: pytest.CaptureFixture[str], hostile: str, honest: str
) -> None:
    with line(tmp_path) as made:
        made.load(rules_of(hub, capsys))
        got = made.tried(hostile, 8443, count=3 * NEW_A_MINUTE, least=NEW_A_MINUTE)
        assert NEW_A_MINUTE <= got["connected"] <= NEW_A_MINUTE + NEW_A_MINUTE / 60 * got["took_s"] + 1
        assert made.counted("too_many_connections") >= NEW_A_MINUTE
        assert made.is_open(honest, [22, 8443, 8883]), "the others' allowance is untouched"
        count = 6 * PACKETS_AT_ONCE
        took_s = made.send_packets(hostile, 8883, count=count)
        assert made.counted("too_many_packets") >= count - PACKETS_AT_ONCE - PACKETS_A_SECOND * took_s - 1
        assert made.is_open(honest, [22, 8443, 8883])


def test_a_relay_that_speaks_for_many_homes_has_no_limit(
    tmp_path: Path, hub: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with line(tmp_path) as made:
        made.load(rules_of(hub, capsys, "--relay", "10.0.2.2", "--relay", "2001:db8:2:2::2"))
        for role in ("hostile4", "hostile6"):
            got = made.tried(role, 8443, count=2 * NEW_A_MINUTE, least=2 * NEW_A_MINUTE)
            assert got["connected"] == 2 * NEW_A_MINUTE
        assert made.counted("too_many_connections") == 0


def test_the_relays_rules_in_the_document_pass_homes_on_to_the_hub(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "run-a-hub.md").read_text()
    (rules,) = [each for each in page.split("```") if "table ip relay" in each]
    here = {'"eth0"': '"home4"', '"wg0"': '"hub"', "10.77.0.2": HUB4}
    for written, name in here.items():
        assert written in rules
        rules = rules.replace(written, name)
    with line(tmp_path) as made:
        relay = "10.0.1.1"
        assert made.is_open("home4", [], to=relay), "the relay itself serves nothing"
        made.load(rules, at="net")
        assert made.is_open("home4", [8443, 8883], to=relay)
