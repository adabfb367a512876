"""The hub of `make demo-scale`: its store on a PostgreSQL server, its homes at a cluster of brokers, over TLS."""

import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from protocols.enrolment.answer import EnrolAnswer
from protocols.slots import SLOT_S
from simulator.demo.home_line import LineTls
from simulator.demo.hubs.database import SCHEMA, DatabaseServer
from simulator.demo.hubs.place import HubPlace
from simulator.demo.hubs.simple import MEMORY_BYTES_MAX, SimpleHub
from simulator.demo.processes import ChildProcess
from simulator.services.loopback_client import free_ports

HOST = "127.0.0.1"
KILLED_AFTER_S = 15 * 3600
JOINED_AFTER_S = 18 * 3600


class Cluster(Protocol):
    """The brokers, run as their administrator would."""

    words: str
    homes_port: int

    def require(self) -> None: ...
    def settings(self, text: str) -> str: ...
    def start(self) -> None: ...
    def ready(self) -> None: ...
    def admit(self) -> None: ...
    def server_pem(self, port: int) -> Path: ...


class ScaledHub(SimpleHub):
    """A hub on a server of its own and with a cluster of its own."""

    memory_bytes_max = 2 * MEMORY_BYTES_MAX

    def __init__(self, place: HubPlace, cluster: Callable[[HubPlace], Cluster]) -> None:
        super().__init__(place)
        self._cluster = cluster(place)
        self._database = DatabaseServer(place.folder / "postgres", place.programs)
        self._intakes: list[ChildProcess] = []
        (self._enrol_port,) = free_ports(1)
        self.words = f"Starting PostgreSQL, {self._cluster.words} and a hub of five processes ..."

    @property
    def url_for_homes(self) -> str:
        """The hub's own server for homes elsewhere."""
        return f"https://{HOST}:{self._enrol_port}"

    def require(self) -> None:
        """The server's and the brokers' programs."""
        self._database.require()
        self._cluster.require()

    def make(self, *, name: str, coop: str, tz: str) -> None:
        """A new hub's folder, with an authority that gives the homes certificates."""
        secret = self.place.folder / "passphrase"
        secret.touch(mode=0o600)
        secret.write_text("only for a demonstration\n", encoding="ascii")
        named = ("--name", name, "--coop", coop, "--tz", tz, "--passphrase-file", str(secret))
        self.place.run("hub", "init", "--data", str(self.place.hub_folder), *named)

    def settings(self, text: str) -> str:
        """hub.toml with the cluster, and with homes elsewhere."""
        public = (
            f'[public]\nhost = "{HOST}"\nbroker_port = {self._cluster.homes_port}\nenrol_port = {self._enrol_port}\n'
        )
        return f"{self._cluster.settings(text)}\n{public}"

    def start(self) -> None:
        """Start the server, the cluster and the hub's programs."""
        self._database.start()
        self._move()
        self._cluster.start()
        self._cluster.ready()
        self._start_role("web", "web", **{"--web-port": self.place.web_port})
        self._intakes = [self._start_role(f"intake-{number}", "intake") for number in (1, 2)]
        for role in ("timetable", "worker"):
            self._start_role(role, role)

    def _start_role(self, name: str, role: str, **more: object) -> ChildProcess:
        options = {"--data": self.place.hub_folder, "--clock": self.place.clock, "--role": role, **more}
        return self.place.start(name, "hub", "run", options=options)

    def token(self, invited: Mapping[str, Any]) -> str:
        """The invitation, which says where the hub is."""
        return str(invited["invitation"])

    def admit(self) -> None:
        """The brokers get to know the agents."""
        self._cluster.admit()

    def live_event(self, passed_s: int) -> str | None:
        """One intake worker is killed while all homes send, and later a new one joins."""
        if passed_s == KILLED_AFTER_S:
            killed, other = self._intakes
            self.place.programs.kill(killed)
            self._intakes = [other]
            return f"{killed.name} is killed, {other.name} takes over its homes"
        if passed_s == KILLED_AFTER_S + SLOT_S:
            return "every home has its receipts"
        if passed_s == JOINED_AFTER_S:
            self._intakes.append(self._start_role("intake-3", "intake"))
            return "intake-3 joins and takes its share of the homes"
        return None

    def line_tls(self, answer: EnrolAnswer, data: Path) -> LineTls:
        """As the broker towards the home, and as the home towards the broker."""
        to_home = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        to_home.load_cert_chain(self._cluster.server_pem(answer.broker_port))
        to_broker = ssl.create_default_context(cadata=answer.root)
        # Python reads a certificate from a file only; the agent has not put its first one into a file of its own yet.
        (certificate := self.place.folder / f"{answer.agent}.crt").write_text(answer.certificate, encoding="ascii")
        to_broker.load_cert_chain(certificate, data / "tls.key")
        return LineTls(to_home, to_broker, answer.enrol_port)

    def stored_rows(self) -> int:
        """Those on the server."""
        return self._database.stored_rows()

    def disk_bytes(self) -> int:
        """The folder and the co-op's tables on the server."""
        return super().disk_bytes() + self._database.disk_bytes()

    def close(self) -> None:
        """The server's files belong to somebody else."""
        self._database.remove()

    def _move(self) -> None:
        """What docs/postgres.md says, on a hub that is new."""
        folder = self.place.hub_folder
        to = ("--to", self._database.address, "--schema", SCHEMA)
        self.place.hub("db", "prepare", *to)
        self.place.hub("db", "copy", "--from", "sqlite", *to)
        (folder / "hub.sqlite").unlink()
        with (folder / "hub.toml").open("a", encoding="utf-8") as file:
            file.write(f'\n[store]\nschema = "{SCHEMA}"\naddress_file = "store-address"\n')
