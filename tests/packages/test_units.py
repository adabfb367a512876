"""The services' sandboxes: what `systemd-analyze security` counts, and what the programs need all the same."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edge_agent.settings import parse_settings
from protocols.errors import SettingsError

ROOT = Path(__file__).resolve().parents[2]
AGENT = ROOT / "firmware_configs" / "pi" / "commonwatt-agent.service"
HUB = ROOT / "firmware_configs" / "hub" / "commonwatt-hub.service"


@pytest.mark.parametrize(("unit", "most"), [(AGENT, 15), (HUB, 20)])
def test_a_service_is_exposed_no_more_than_it_must(unit: Path, most: int) -> None:
    """The threshold is in tenths of an exposure level: 1.5 for the agent, 2.0 for the hub."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    command = ["systemd-analyze", "security", "--no-pager", "--offline=yes", f"--threshold={most}", str(unit)]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert asked.returncode == 0, asked.stdout[-2000:] + asked.stderr


def test_the_threshold_can_fail(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    bare = tmp_path / "bare.service"
    bare.write_text("[Service]\nExecStart=/usr/bin/true\n")
    command = ["systemd-analyze", "security", "--no-pager", "--offline=yes", "--threshold=20", str(bare)]
    assert subprocess.run(command, capture_output=True, timeout=120, check=False).returncode != 0


@pytest.mark.parametrize("unit", [AGENT, HUB])
def test_a_service_that_hangs_is_ended_and_one_that_ends_is_started_again(unit: Path) -> None:
    lines = unit.read_text().splitlines()
    assert "Type=notify" in lines
    assert "Restart=always" in lines
    assert "StartLimitIntervalSec=0" in lines
    assert any(line.startswith("WatchdogSec=") for line in lines)
    assert "UMask=0077" in lines
    assert "StateDirectoryMode=0700" in lines
    assert f"User={unit.stem}" in lines


def test_the_agent_reaches_serial_adapters_and_no_other_device() -> None:
    lines = AGENT.read_text().splitlines()
    assert "DevicePolicy=closed" in lines
    assert "SupplementaryGroups=dialout" in lines
    allowed = [line for line in lines if line.startswith("DeviceAllow=")]
    assert allowed
    assert all(line.startswith("DeviceAllow=char-tty") for line in allowed)


def test_the_file_to_fill_in_is_one_the_agent_takes_once_a_device_is_in_it(tmp_path: Path) -> None:
    text = (ROOT / "firmware_configs" / "pi" / "agent.toml").read_text()
    before, found, device = text.partition("# [[device]]")
    filled = before + (found + device).replace("\n# ", "\n").replace("# [[device]]", "[[device]]")
    settings = parse_settings(filled.encode(), name="agent.toml", folder=tmp_path)
    assert [each.name for each in settings.devices] == ["meter"]
    assert settings.hub_url is None
    assert settings.consent == tmp_path / "consent.toml"
    with pytest.raises(SettingsError, match="device: missing"):
        parse_settings(text.encode(), name="agent.toml", folder=tmp_path)
    for name in re.findall(r"[a-z0-9]+(?:-[a-z0-9]+)+", text.partition("map = ")[2].partition("\n")[0]):
        assert (ROOT / "firmware_configs" / "devices" / f"{name}.toml").is_file(), name
