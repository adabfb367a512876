"""Started without the packages of its extra, a program says in one line what to install."""

import subprocess
import sys

import pytest

from tests.house.source_tree import ROOT

BLOCKED = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == {package!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
from {room}.launch import main
sys.argv = [{command!r}, *{arguments!r}]
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("room", "command", "package", "arguments", "extra"),
    [
        ("hub", "commonwatt-hub", "cbor2", ["status", "--data", "x"], "hub"),
        ("hub", "commonwatt-hub", "numpy", ["settle", "--data", "x", "--day", "2026-06-01"], "hub"),
        ("simulator", "commonwatt-sim", "pymodbus", ["device", "shelly-pro3em"], "sim"),
        ("edge_agent", "commonwatt-agent", "cbor2", ["read"], "edge"),
    ],
)
def test_a_missing_package_is_one_line(room: str, command: str, package: str, arguments: list[str], extra: str) -> None:
    code = BLOCKED.format(package=package, room=room, command=command, arguments=arguments)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines() == [
        f"{command}: the package {package} is missing: install commonwatt with its extra '{extra}'"
    ]
