"""How the agent is started and stopped on this computer: as a systemd service where there is one, else by hand."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

UNIT: Final = "commonwatt-agent"
DEFAULT_CONFIG: Final = "agent.toml"
SYSTEMD: Final = Path("/run/systemd/system")
UNIT_FOLDERS: Final = (Path("/etc/systemd/system"), Path("/usr/lib/systemd/system"), Path("/lib/systemd/system"))


@dataclass(frozen=True, slots=True)
class ServiceCommands:
    """What a person types. `log` says where to look when it ends by itself."""

    start: str
    stop: str
    restart: str
    log: str


def service_commands(
    config: Path,
    *,
    systemd: Path = SYSTEMD,
    unit_folders: Sequence[Path] = UNIT_FOLDERS,
    program: str | None = None,
) -> ServiceCommands:
    """The commands that work here. `program`: how this program was called."""
    if systemd.is_dir() and any((folder / f"{UNIT}.service").exists() for folder in unit_folders):
        return ServiceCommands(
            start=f"sudo systemctl start {UNIT}",
            stop=f"sudo systemctl stop {UNIT}",
            restart=f"sudo systemctl restart {UNIT}",
            log=f"journalctl -u {UNIT}",
        )
    run = f"{_called(sys.argv[0] if program is None else program)} run --config {shlex.quote(str(config))}"
    return ServiceCommands(
        start=run,
        stop="Ctrl-C in the terminal where it runs",
        restart=f"Ctrl-C in the terminal where it runs, then {run}",
        log="the terminal where it runs",
    )


def setup_command(config: Path) -> str:
    """What goes on with set-up: short where agent.toml lies where the command looks by itself."""
    own = "" if config == Path(DEFAULT_CONFIG) else f" --config {shlex.quote(str(config))}"
    return f"{UNIT} setup{own}"


def _called(program: str) -> str:
    """The same program once more: by its name where the shell finds it so; from a checkout, as a module."""
    path = Path(program)
    if path.name != UNIT:
        return f"{shlex.quote(sys.executable)} -m edge_agent"
    found = shutil.which(path.name)
    return path.name if found is not None and Path(found).resolve() == path.resolve() else shlex.quote(program)
