"""Two Mosquittos of a demonstration's own, each with half of the homes, run as brokers elsewhere are."""

import os
import shutil
import signal
from pathlib import Path

from simulator.demo.hubs.place import HubPlace
from simulator.demo.processes import ChildProcess
from simulator.errors import DemoError
from simulator.services.loopback_client import free_ports, is_taken

HOST = "127.0.0.1"
SHARDS = ("0-31", "32-63")
SYSTEM_PLACES = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin"


def find_mosquitto() -> str | None:
    """The program's path; None if it is not installed."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path=SYSTEM_PLACES)


class TwoMosquittos:
    """Two brokers; `words` says so. Each has a port for homes and one for the hub."""

    words = "two Mosquittos"

    def __init__(self, place: HubPlace) -> None:
        self._place = place
        self._folder = place.folder / "mosquitto"
        self._files = self._folder / "files"
        ports = free_ports(2 * len(SHARDS))
        self._ports = list(zip(ports[::2], ports[1::2], strict=True))
        self._brokers: list[ChildProcess] = []
        self.homes_port = self._ports[0][0]

    def require(self) -> None:
        """Raises: DemoError with one line if Mosquitto is not here."""
        if find_mosquitto() is None:
            raise DemoError(
                "mosquitto is not installed (Debian: apt-get install mosquitto), or take --brokers rabbitmq"
            )

    def settings(self, text: str) -> str:
        """hub.toml with these brokers, but for `[public]`."""
        sites = ", ".join(
            f'"{shards} {HOST}:{homes}:{hub}"' for shards, (homes, hub) in zip(SHARDS, self._ports, strict=True)
        )
        return text.replace('kind = "auto" ', f'kind = "mosquitto"\nshards = [{sites}]\n')

    def start(self) -> None:
        """Write the brokers' files and start them, in the main thread; `ready` waits for them. Raises: DemoError."""
        self.require()
        self._folder.mkdir(mode=0o700)
        self._write()
        program = find_mosquitto()
        assert program is not None
        for number, (homes, _) in enumerate(self._ports, start=1):
            # The files name their place by the port alone.
            (self._files / str(homes)).symlink_to(self._files_of(homes))
            kept = self._folder / f"kept-{homes}"
            kept.mkdir(mode=0o700)
            own = self._folder / f"{homes}.conf"
            # Started by root it would become somebody who cannot read its files.
            user = "user root\n" if os.geteuid() == 0 else ""
            own.write_text(f"{user}persistence_location {kept}/\ninclude_dir {self._files_of(homes)}\n")
            command = [program, "-c", str(own)]
            broker = self._place.programs.start_engine(f"mosquitto-{number}", command, end_by=signal.SIGTERM)
            self._brokers.append(broker)

    def ready(self) -> None:
        """Wait until both listen. Raises: DemoError."""
        ports = [port for pair in self._ports for port in pair]
        self._place.programs.wait("the Mosquittos to start", lambda: all(map(is_taken, ports)))

    def admit(self) -> None:
        """What their administrator does after enrolments. Raises: DemoError."""
        self._write()
        for broker in self._brokers:
            broker.process.send_signal(signal.SIGHUP)

    def server_pem(self, port: int) -> Path:
        """Certificate and key with which the broker on this port for homes shows itself."""
        return self._files_of(port) / "server.pem"

    def _files_of(self, homes_port: int) -> Path:
        return self._files / f"{HOST}_{homes_port}"

    def _write(self) -> None:
        self._place.hub("broker", "files", "--to", str(self._files), "--place", str(self._files))
