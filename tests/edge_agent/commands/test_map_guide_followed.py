"""The guide for a new family, followed word by word in an empty folder: map, vectors, simulator, agent, no Python."""

import os
import re
import shlex
import socket
from pathlib import Path

import pytest

from edge_agent.__main__ import main
from tests.simulator.sim_process import running

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "firmware_configs" / "README.md").read_text(encoding="utf-8").split("## Every key of a point")[0]
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", GUIDE, re.DOTALL)
PORT = "5020"


def block(kind: str, number: int = 0) -> str:
    return [text for name, text in BLOCKS if name == kind][number]


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_the_guide_ends_green_word_by_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    # The simulated device is a process of its own, started from the empty folder too.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", ""))))
    port = free_port()

    def line(number: int) -> list[str]:
        program, *arguments = shlex.split(block("sh", number).replace(PORT, port))
        assert program == ("commonwatt-sim" if number == 1 else "commonwatt-agent")
        return arguments

    map_file, vectors_file = Path("my-maps/example-meter.toml"), Path("my-maps/vectors/example-meter.json")
    assert all(f"`{path}`" in GUIDE for path in (map_file, vectors_file))
    vectors_file.parent.mkdir(parents=True)
    map_file.write_text(block("toml"), encoding="utf-8")
    assert main(line(0)) == 0
    assert capsys.readouterr().out.endswith("4 points, 1 role, without golden vectors\n")

    vectors_file.write_text(block("json"), encoding="utf-8")
    assert main(line(0)) == 0
    assert "checked with example-meter.json" in capsys.readouterr().out

    Path("agent.toml").write_text(block("toml", 1).replace(PORT, port), encoding="utf-8")
    with running(*line(1)) as (_, served):
        assert f"example-meter of a pv home answers at 127.0.0.1 port {port}" in served
        assert main(line(2)) == 0
        tried = capsys.readouterr().out
        assert "identify: rule 1 of 1 (certain) matches" in tried
        assert "BEYOND" not in tried
        assert main(line(3)) == 0
        read = capsys.readouterr().out
    assert re.search(r"as grid: import \d+ Wh, export \d+ Wh, power -?\d+ W", read)
    assert "does not look like" not in read
    assert "meter: map example-meter, from your own my-maps/example-meter.toml: bronze: " in read
    assert len([text for kind, text in BLOCKS if kind == "sh"]) == 4, "every command of the guide is run here"
