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
from simulator.demo.hubs.rabbitmq import (
    STARTED,
    erlang_folder,
    node_environment,
    server_folder,
    settle_on_one_computer,
)
from tests.edge_agent.stub_hub import wait_for

needs_rabbitmq = pytest.mark.skipif(
    server_folder() is None, reason="RabbitMQ is not here: .ci/rabbitmq unpacks it where Debian's packages are"
)
START_S = 240


def _program(name: str) -> str:
    found = server_folder()
    assert found is not None
    return str(found / name)


def own_epmd() -> tuple[subprocess.Popen[bytes], int]:
    """Erlang's directory of nodes, on a port of its own, for this computer alone."""
    port = free_port("127.0.0.1")
    environment = {**os.environ, "ERL_EPMD_ADDRESS": "127.0.0.1"}
    command = [str(erlang_folder() / "bin" / "epmd"), "-port", str(port)]
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
                [_program("rabbitmq-server")],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=self.base,
                start_new_session=True,
            )

    async def control(self, *arguments: str) -> None:
        """What its administrator does on its computer."""
        command = (_program("rabbitmqctl"), "-n", f"{self.name}@localhost", *arguments)
        child = await asyncio.create_subprocess_exec(
            *command, env=self._environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await asyncio.wait_for(child.communicate(), START_S)
        assert child.returncode == 0, said.decode(errors="replace")[-2000:]

    def _environment(self) -> dict[str, str]:
        return node_environment(
            self.folder,
            self.base,
            name=self.name,
            epmd_port=self.epmd_port,
            distribution_port=self.distribution_port,
            inherited=os.environ,
        )

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
        names = [node.name for node in self.nodes]
        settle_on_one_computer(files, hosts, names, homes_port=homes_port, hub_port=hub_port)

    def stop(self) -> None:
        for node in self.nodes:
            node.kill()
        self._epmd.kill()
        self._epmd.wait()
