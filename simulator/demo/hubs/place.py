"""Where a demonstration's hub is, and how its programs are started and asked."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from simulator.demo.processes import ChildProcess, ChildProcesses
from simulator.errors import DemoError


@dataclass(frozen=True)
class HubPlace:
    """Where the hub is and what it follows. `folder` is that of the demonstration."""

    folder: Path
    programs: ChildProcesses
    clock: Path
    web_port: int
    broker_port: int

    @property
    def url(self) -> str:
        """Where the hub's pages are."""
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def hub_folder(self) -> Path:
        """The hub's data folder."""
        return self.folder / "hub"

    def start(self, name: str, *command: str, options: Mapping[str, object]) -> ChildProcess:
        """Start one of our programs, which serves until it is stopped. Raises: DemoError."""
        arguments = [text for option, value in options.items() for text in (option, str(value))]
        return self.programs.start(name, [sys.executable, "-m", *command, *arguments])

    def run(self, module: str, *arguments: str) -> str:
        """What one of our programs prints, run to its end. Raises: DemoError with its last line."""
        done = self.programs.run([sys.executable, "-m", module, *arguments])
        if done.returncode != 0:
            words = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise DemoError(f"{module} {arguments[0]}: {words[-1] if words else f'exit code {done.returncode}'}")
        return done.stdout

    def hub(self, command: str, *rest: str) -> str:
        """What a command of the hub prints. Raises: DemoError."""
        return self.run("hub", command, "--data", str(self.hub_folder), "--clock", str(self.clock), *rest)
