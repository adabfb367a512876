"""Keeps a hub folder and an agent folder of a release as text, so that tests of later versions can open them.

Run it once for each release, with the code of that release, in the root of the repository:

    python -m tests.releases.keep 0.2.0

It runs the made-up co-op of tests/releases/invented_coop.py and writes tests/releases/0.2.0. The same code always
writes the same bytes. A kept folder is never changed.
"""

import argparse
import json
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from tests.releases.folder_text import rebuild_folder, write_folder
from tests.releases.invented_coop import MONTH, run_coop
from tests.releases.release_state import agent_state, hub_state, later_clock, run_hub

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1] / "pyproject.toml"
CONTENT = 1
"""Raise it by one when invented_coop or invented_home changes what happens."""

STATED = ("m01", "m03")
STATEMENT_FILES = ("statement.json", "readings.json", "pool.json")


def keep_release(target: Path, version: str) -> None:
    """Write hub/, agent/, statements/ and expected.json into a new folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        coop = run_coop(folder)
        target.mkdir(parents=True)
        write_folder(coop.folder, target / "hub")
        write_folder(coop.homes[0].folder, target / "agent")
        write_statements(coop.folder, folder, target / "statements")
    expected = {"version": version, "content": CONTENT, **found_in(target)}
    (target / "expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")


def write_statements(hub: Path, work: Path, target: Path) -> None:
    """The statements of two members, each as the three files that verify_statement.py reads."""
    clock_file = later_clock(work)
    for member in STATED:
        made = work / f"statement-{member}"
        words = f"statement --member {member} --by m01 --reason kept --month {MONTH}"
        code, out = run_hub(hub, clock_file, words, "--out", str(made))
        assert code == 0, out
        (target / member).mkdir(parents=True)
        for name in (*STATEMENT_FILES, *(["before.json"] if (made / "before.json").exists() else [])):
            (target / member / name).write_bytes((made / name).read_bytes())


def found_in(kept: Path) -> dict[str, Any]:
    """What this version finds in the folders of a release."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        hub = rebuild_folder(kept / "hub", folder / "hub")
        agent = rebuild_folder(kept / "agent", folder / "agent")
        return {"hub": hub_state(hub, later_clock(folder)), "agent": agent_state(agent)}


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Keep a hub folder and an agent folder of a release as text.")
    parser.add_argument("version", help="the version in pyproject.toml, such as 0.2.0")
    version = parser.parse_args().version
    present = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["version"]
    target = HERE / version
    if version != present:
        print(f"the version here is {present}: to keep {version}, use the code of {version}", file=sys.stderr)
        return 1
    if target.exists():
        print(f"{target} already exists: a kept release is never changed", file=sys.stderr)
        return 1
    keep_release(target, version)
    return 0


if __name__ == "__main__":
    sys.exit(main())
