"""The command that starts the agent here: systemd's only where its unit is installed, else one that works by hand."""

from pathlib import Path

from edge_agent.checkup.service import service_commands

CONFIG = Path("my home/agent.toml")


def test_systemd_is_named_only_where_it_runs_and_has_the_unit(tmp_path: Path) -> None:
    units = tmp_path / "units"
    units.mkdir()
    by_hand = service_commands(CONFIG, systemd=tmp_path, unit_folders=[units], program="/x/commonwatt-agent")
    assert by_hand.start == "/x/commonwatt-agent run --config 'my home/agent.toml'"
    assert "Ctrl-C" in by_hand.stop
    (units / "commonwatt-agent.service").write_text("[Unit]\n")
    with_unit = service_commands(CONFIG, systemd=tmp_path, unit_folders=[units])
    assert (with_unit.start, with_unit.stop) == (
        "sudo systemctl start commonwatt-agent", "sudo systemctl stop commonwatt-agent",
    )  # fmt: skip
    elsewhere = service_commands(CONFIG, systemd=tmp_path / "none", unit_folders=[units], program="/x/__main__.py")
    assert "-m edge_agent run --config" in elsewhere.start
