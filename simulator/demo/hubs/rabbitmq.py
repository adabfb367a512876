"""A cluster of three RabbitMQ nodes of a demonstration's own, each on its own address of this computer.

`.ci/rabbitmq` unpacks what it runs. The nodes have the hub's files (`broker files`), changed in one point: on one
computer each needs an address, a name and a port of its own.
"""

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from simulator.demo.hubs.place import HubPlace
from simulator.errors import DemoError
from simulator.services.loopback_client import free_ports, is_taken

HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
UNPACKED = Path(__file__).resolve().parents[3] / "build" / "rabbitmq"
STARTED = " completed with "
START_S = 240.0
COMMAND_S = 120


def erlang_folder() -> Path:
    """Where the unpacked Erlang is."""
    return UNPACKED / "unpacked" / "usr" / "lib" / "erlang"


def server_folder() -> Path | None:
    """Where the programs of the unpacked RabbitMQ are; None if it is not there."""
    found = (UNPACKED / "unpacked" / "usr" / "lib" / "rabbitmq" / "lib").glob("rabbitmq_server-*/sbin")
    return next(found, None) if (UNPACKED / "ready").exists() else None


def node_environment(
    folder: Path, base: Path, *, name: str, epmd_port: int, distribution_port: int, inherited: Mapping[str, str]
) -> dict[str, str]:
    """The environment in which a node runs and is controlled. `folder` has its files, `base` what it keeps."""
    own = {
        "HOME": str(base),
        "PATH": f"{erlang_folder() / 'bin'}:{inherited.get('PATH', os.defpath)}",
        "LC_ALL": "C.UTF-8",
        "ERL_CRASH_DUMP": str(base / "crash.dump"),
        "ERL_EPMD_PORT": str(epmd_port),
        "RABBITMQ_NODENAME": f"{name}@localhost",
        "RABBITMQ_DIST_PORT": str(distribution_port),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_MNESIA_BASE": str(base / "store"),
        "RABBITMQ_LOG_BASE": str(base / "log"),
        # Less for one node of several on a small computer; between nodes nothing leaves the computer.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
    }
    return {k: v for k, v in inherited.items() if not k.startswith(("RABBITMQ_", "ERL_"))} | own


def settle_on_one_computer(
    files: Path, hosts: Sequence[str], names: Sequence[str], *, homes_port: int, hub_port: int
) -> None:
    """Change the nodes' rabbitmq.conf, in a folder of `files` each, for one computer: addresses, names and places.

    The place that `broker files` was told is the first node's folder.
    """
    for host in hosts:
        path = files / host / "rabbitmq.conf"
        text, address = path.read_text(encoding="utf-8"), host.replace("localhost", "127.0.0.1")
        for port in (homes_port, hub_port):
            line = f"listeners.ssl.1 = {port}\n"
            assert text.count(line) == 1, "the hub writes one listener a port"
            text = text.replace(line, f"listeners.ssl.1 = {address}:{port}\n")
        text = text.replace(f"{files / hosts[0]}/", f"{files / host}/")
        for other, name in zip(hosts, names, strict=True):
            text = text.replace(f"= rabbit@{other}\n", f"= {name}@localhost\n")
        path.write_text(text, encoding="utf-8")


class RabbitCluster:
    """Three nodes; `words` says so. Homes reach each of them at `homes_port`, the hub at `hub_port`."""

    words = "three nodes of RabbitMQ"

    def __init__(self, place: HubPlace) -> None:
        self._place = place
        self._folder = place.folder / "rabbitmq"
        self._files = self._folder / "files"
        self._names = [f"r{number}" for number in range(len(HOSTS))]
        self._environments: dict[str, dict[str, str]] = {}
        self.homes_port, self.hub_port, self._epmd_port, *self._own_ports = free_ports(3 + len(HOSTS), hosts=HOSTS)

    def require(self) -> None:
        """Raises: DemoError with one line if RabbitMQ is not here."""
        if server_folder() is None:
            raise DemoError("RabbitMQ is not here: `sh .ci/rabbitmq` unpacks it, or take --brokers mosquitto")

    def settings(self, text: str) -> str:
        """hub.toml with this cluster, but for `[public]`."""
        nodes = ", ".join(f'"{host}:{self.hub_port}"' for host in HOSTS)
        return text.replace('kind = "auto" ', f'kind = "rabbitmq"\nnodes = [{nodes}]\n')

    def start(self) -> None:
        """Write the nodes' files and start them, in the main thread; `ready` waits for them. Raises: DemoError."""
        self.require()
        self._folder.mkdir(mode=0o700)
        self._write(self._files)
        settle_on_one_computer(self._files, HOSTS, self._names, homes_port=self.homes_port, hub_port=self.hub_port)
        programs, sbin = self._place.programs, server_folder()
        assert sbin is not None
        epmd = [str(erlang_folder() / "bin" / "epmd"), "-port", str(self._epmd_port)]
        here = {**programs.environment, "ERL_EPMD_ADDRESS": "127.0.0.1"}
        programs.start_engine("epmd", epmd, end_by=signal.SIGKILL, environment=here)
        # A node that finds no directory of nodes starts one of its own, which would outlive it.
        programs.wait("Erlang's directory of nodes", lambda: is_taken(self._epmd_port))
        for host, name, own_port in zip(HOSTS, self._names, self._own_ports, strict=True):
            base = self._folder / name
            base.mkdir(mode=0o700)
            cookie = base / ".erlang.cookie"
            cookie.write_bytes((self._files / host / "erlang.cookie").read_bytes())
            cookie.chmod(0o400)
            self._environments[name] = node_environment(
                self._files / host,
                base,
                name=name,
                epmd_port=self._epmd_port,
                distribution_port=own_port,
                inherited=programs.environment,
            )
            # The node takes the place of its script, so that it ends when it is told to.
            environment = self._environments[name] | {"RUNNING_UNDER_SYSTEMD": "1"}
            command = [str(sbin / "rabbitmq-server")]
            programs.start_engine(name, command, end_by=signal.SIGKILL, environment=environment)

    def ready(self) -> None:
        """Wait until all nodes serve. Raises: DemoError."""
        logs = [self._place.programs.folder / f"{name}.log" for name in self._names]

        def serving() -> bool:
            return all(STARTED in log.read_text(encoding="utf-8", errors="replace") for log in logs)

        self._place.programs.wait("the nodes of RabbitMQ to start", serving, within_s=START_S, every_s=0.1)

    def admit(self) -> None:
        """What its administrator does after enrolments. Raises: DemoError."""
        again, sbin = self._folder / "again", server_folder()
        assert sbin is not None
        self._write(again)
        definitions = again / HOSTS[0] / "definitions.json"
        command = [str(sbin / "rabbitmqctl"), "-n", f"{self._names[0]}@localhost"]
        command += ["--timeout", str(COMMAND_S), "import_definitions", str(definitions)]
        done = self._place.programs.run(command, environment=self._environments[self._names[0]])
        if done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise DemoError(f"rabbitmqctl import_definitions: {said[-1] if said else done.returncode}")

    def server_pem(self, port: int) -> Path:
        """Certificate and key with which the node shows itself at which homes begin, whatever the port."""
        return self._files / HOSTS[0] / "server.pem"

    def _write(self, to: Path) -> None:
        self._place.hub("broker", "files", "--to", str(to), "--place", str(self._files / HOSTS[0]))
