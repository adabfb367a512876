"""The hub of `make demo`: one program, with its store in a file and one broker."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from protocols.enrolment.answer import EnrolAnswer
from simulator.demo.home_line import LineTls
from simulator.demo.hubs.place import HubPlace
from simulator.demo.hubs.stored_rows import stored_rows

MEMORY_BYTES_MAX = 900_000_000
"""Of the hub and the street; each home has some more."""


class SimpleHub:
    """What `make demo` has: everything in one program, and homes on the same computer."""

    words = "Starting a hub with its broker ..."
    memory_bytes_max = MEMORY_BYTES_MAX

    def __init__(self, place: HubPlace) -> None:
        self.place = place

    @property
    def url_for_homes(self) -> str:
        """Where agents enrol."""
        return self.place.url

    def require(self) -> None:
        """Raises: DemoError with one line if something that it needs is not here."""

    def make(self, *, name: str, coop: str, tz: str) -> None:
        """A new hub's folder. May be called in a thread of its own. Raises: DemoError."""
        named = ("--name", name, "--coop", coop, "--tz", tz)
        self.place.run("hub", "init", "--data", str(self.place.hub_folder), *named)

    def settings(self, text: str) -> str:
        """hub.toml as this hub wants it. The homes are invented: anybody on this computer may read what they send."""
        return text.replace("[broker]\n", "[broker]\nallow_other_users = true\n")

    def start(self) -> None:
        """Start its programs, once hub.toml is written. Call it in the main thread. Raises: DemoError."""
        place = self.place
        options = {
            "--data": place.hub_folder,
            "--clock": place.clock,
            "--web-port": place.web_port,
            "--broker-port": place.broker_port,
        }
        place.start("hub", "hub", "run", options=options)

    def token(self, invited: Mapping[str, Any]) -> str:
        """What a home's agent enrols with."""
        return str(invited["token"])

    def admit(self) -> None:
        """Tell whoever has to know that all agents have enrolled. Raises: DemoError."""

    def line_tls(self, answer: EnrolAnswer, data: Path) -> LineTls | None:
        """What a line of the home with this data folder needs to be read; None if nothing is encrypted."""
        return None

    def live_event(self, passed_s: int) -> str | None:
        """What happens to the hub itself so long after the live day has begun, at a boundary; in words, if anything."""
        return None

    def stored_rows(self) -> int:
        """How many rows its store holds, see `stored_rows.stored_rows`."""
        return stored_rows(self.place.hub_folder / "hub.sqlite")

    def disk_bytes(self) -> int:
        """What its folder and its store take on the disk."""
        return sum(path.stat().st_size for path in self.place.hub_folder.rglob("*") if path.is_file())

    def close(self) -> None:
        """Remove what stopping its programs leaves behind."""
