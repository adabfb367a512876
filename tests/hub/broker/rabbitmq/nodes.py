"""Real RabbitMQ nodes for tests, from the files that the hub writes for them; unpacked by .ci/rabbitmq, not installed.

On one computer the nodes need addresses, names and ports of their own: that alone is changed in their files.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hub.broker.plans import free_port
from hub.broker.supervisor import is_port_taken
from tests.edge_agent.stub_hub import wait_for

HOME = Path(__file__).resolve().parents[4] / "build" / "rabbitmq"
ERLANG = HOME / "unpacked" / "usr" / "lib" / "erlang"
SERVER = next((HOME / "unpacked" / "usr" / "lib" / "rabbitmq" / "lib").glob("rabbitmq_server-*/sbin"), HOME)
needs_rabbitmq = pytest.mark.skipif(
    not (HOME / "ready").exists(), reason="RabbitMQ is not here: .ci/rabbitmq unpacks it where Debian's packages are"
)
STARTED = " completed with "
START_S = 240


def own_epmd() -> tuple[subprocess.Popen[bytes], int]:
    """Erlang's directory of nodes, on a port of its own, for this computer alone."""
    port = free_port("127.0.0.1")
    environment = {**os.environ, "ERL_EPMD_ADDRESS": "127.0.0.1"}
    command = [str(ERLANG / "bin" / "epmd"), "-port", str(port)]
    started = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)
    # A node that finds none starts one of its own, which would outlive it.
    wait_for(lambda: is_port_taken("127.0.0.1", port), what="Erlang's directory of nodes")
    return started, port


@dataclass
class Node:
    """One node: its folder of files, its address, and its process while it runs."""

    folder: Path
    host: str
    name: str
    epmd_port: int
    process: subprocess.Popen[bytes] | None = None
    distribution_port: int = field(default_factory=lambda: free_port("127.0.0.1"))

    def start(self) -> None:
        cookie = self.base / ".erlang.cookie"
        if not cookie.exists():
            self.base.mkdir()
            cookie.write_bytes((self.folder / "erlang.cookie").read_bytes())
            cookie.chmod(0o400)
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [str(SERVER / "rabbitmq-server")],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=self.base,
                start_new_session=True,
            )

    async def control(self, *arguments: str) -> None:
        """What its administrator does on its computer."""
        command = (str(SERVER / "rabbitmqctl"), "-n", f"{self.name}@localhost", *arguments)
        child = await asyncio.create_subprocess_exec(
            *command, env=self._environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await asyncio.wait_for(child.communicate(), START_S)
        assert child.returncode == 0, said.decode(errors="replace")[-2000:]

    def _environment(self) -> dict[str, str]:
        base = self.base
        own = {
            "HOME": str(base),
            "PATH": f"{ERLANG / 'bin'}:{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
            "ERL_CRASH_DUMP": str(base / "crash.dump"),
            "ERL_EPMD_PORT": str(self.epmd_port),
            "RABBITMQ_NODENAME": f"{self.name}@localhost",
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_MNESIA_BASE": str(base / "store"),
            "RABBITMQ_LOG_BASE": str(base / "log"),
            # Less for one node of several on a small computer; between nodes nothing leaves the computer.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
        }
        return {**{k: v for k, v in os.environ.items() if not k.startswith(("RABBITMQ_", "ERL_"))}, **own}

    @property
    def base(self) -> Path:
        """What the node keeps."""
        return self.folder.parent / f"run-{self.name}"

    @property
    def log(self) -> Path:
        return self.folder.parent / f"{self.name}.log"

    async def serving(self) -> None:
        async with asyncio.timeout(START_S):
            while STARTED not in self.log.read_text(errors="replace"):
                assert self.process is not None
                assert self.process.poll() is None, self.log.read_text(errors="replace")[-2000:]
                await asyncio.sleep(0.1)

    def kill(self) -> None:
        """As a power cut would end it: at once, with its shell."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


class Cluster:
    """The nodes of the files in this folder, one folder each by host."""

    def __init__(self, files: Path, hosts: Sequence[str], *, homes_port: int, hub_port: int) -> None:
        self._epmd, port = own_epmd()
        self.nodes = [Node(files / host, host, f"r{number}", port) for number, host in enumerate(hosts)]
        for node in self.nodes:
            path = node.folder / "rabbitmq.conf"
            text, address = path.read_text(), node.host.replace("localhost", "127.0.0.1")
            for each in (homes_port, hub_port):
                assert text.count(f"listeners.ssl.1 = {each}\n") == 1
                text = text.replace(f"listeners.ssl.1 = {each}\n", f"listeners.ssl.1 = {address}:{each}\n")
            text = text.replace(f"{files / hosts[0]}/", f"{node.folder}/")
            for other in self.nodes:
                text = text.replace(f"= rabbit@{other.host}\n", f"= {other.name}@localhost\n")
            path.write_text(text)

    def stop(self) -> None:
        for node in self.nodes:
            node.kill()
        self._epmd.kill()
        self._epmd.wait()
