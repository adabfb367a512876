"""Which ports hub.toml opens, and what the command line may not say."""

from pathlib import Path

import pytest

from hub.__main__ import main

INIT = ["init", "--name", "S", "--coop", "street", "--tz", "Europe/Madrid"]
PUBLIC = '[public]\nhost = "{host}"\nbroker_port = 9883\nenrol_port = 9443\n'


@pytest.fixture
def hub(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main([*INIT, "--data", str(tmp_path / "hub")]) == 0
    capsys.readouterr()
    return tmp_path / "hub"


def set_up(hub: Path, *changes: tuple[str, str], host: str = "hub.example") -> list[str]:
    settings = hub / "hub.toml"
    text = settings.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    settings.write_text(f"{text}\n{PUBLIC.format(host=host)}")
    return ["broker", "firewall", "--data", str(hub)]


def opened(command: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines that open ports of the hub."""
    assert main(command) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if " dport " in line and "22 accept" not in line and "fe80" not in line]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ((), ["tcp dport { 9443, 9883 } jump homes", "tcp dport { 9443, 9883 } accept"]),
        (
            (("https = false", "https = true"),),
            ["tcp dport { 9443, 9883 } jump homes", "tcp dport { 80, 443, 9443, 9883 } accept"],
        ),
        (
            (('[web]\nhost = "127.0.0.1"', '[web]\nhost = "0.0.0.0"'),),
            ["tcp dport { 9443, 9883 } jump homes", "tcp dport { 8400, 9443, 9883 } accept"],
        ),
        (
            (('kind = "auto"', 'kind = "external"'),),
            ["tcp dport { 9443 } jump homes", "tcp dport { 9443 } accept"],
        ),
        (
            (('kind = "auto"', 'kind = "rabbitmq"\nnodes = ["r1.example.org"]'),),
            ["tcp dport { 9443 } jump homes", "tcp dport { 9443 } accept"],
        ),
    ],
)
def test_the_settings_say_what_is_open(
    hub: Path, capsys: pytest.CaptureFixture[str], changes: tuple[tuple[str, str], ...], expected: list[str]
) -> None:
    assert opened(set_up(hub, *changes), capsys) == expected


def test_a_name_of_the_local_network_has_to_be_answered(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "udp dport 5353 accept" in opened(set_up(hub, host="hub.local"), capsys)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--ssh-port", "0"], "--ssh-port from 1 to 65535"),
        (["--ssh-from", "10.0.0.0/33"], "--ssh-from 10.0.0.0/33: expected an address or a network"),
        (["--ssh-from", "::1; flush ruleset"], "expected an address or a network"),
        (["--relay", "10.77.0.0/24"], "--relay 10.77.0.0/24: expected an address, like 10.77.0.1"),
        (["--relay", "10.77.0.1"] * 51, "more than 50 addresses"),
    ],
)
def test_what_nftables_would_not_understand_is_refused_in_one_line(
    hub: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert main([*set_up(hub), *options]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err
    assert len(told.err.splitlines()) == 1


def test_without_homes_elsewhere_nothing_is_written(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["broker", "firewall", "--data", str(hub)]) == 1
    assert "enter in hub.toml under [public]" in capsys.readouterr().err
