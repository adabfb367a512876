"""Both packages in a clean Debian without a network: installed, started, killed, upgraded, purged."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packages.debian_root import DebianRoot, booted, why_not

ROOT = Path(__file__).resolve().parents[2]
HUB = "/var/lib/commonwatt-hub/hub"
AGENT_TOML = """
[hub]
url = "http://127.0.0.1:8400"
coop = "sunny"
[[device]]
name = "meter"
map = "eastron-sdm630"
role = "grid"
connect = "tcp://127.0.0.1:5020"
max_power_w = 15000
"""

pytestmark = pytest.mark.campaign


def make(to: Path, *, suffix: str = "") -> None:
    options = ["--arch", "amd64", "--to", str(to), "--version-suffix", suffix]
    subprocess.run([sys.executable, str(ROOT / ".ci/debs/build.py"), *options], check=True, timeout=1200)


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianRoot]:
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    debs = tmp_path_factory.mktemp("debs")
    make(debs)
    make(debs, suffix="+2")
    with booted(tmp_path_factory.mktemp("root") / "root", suite=request.param) as made:
        for deb in debs.glob("*.deb"):
            shutil.copy(deb, made.folder / "srv")
        yield made


@pytest.mark.timeout(3000)
def test_from_a_blank_root_to_an_agent_that_talks_to_its_hub(root: DebianRoot) -> None:
    version = subprocess.run(
        [sys.executable, "-c", "import importlib.metadata as m; print(m.version('commonwatt'))"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    for name in ("commonwatt-agent", "commonwatt-hub"):
        root.run("dpkg", "--install", f"/srv/{name}_{version}_amd64.deb", within_s=600)
        assert root.run("systemctl", "is-enabled", name).strip() == "enabled"
        assert root.run("systemctl", "is-active", name, check=False).strip() == "inactive", "nothing to run yet"
    root.run("commonwatt-hub", "init", "--data", HUB, "--name", "Sunny", "--coop", "sunny", "--tz", "Europe/Madrid")
    assert root.run("stat", "-c", "%U %a", HUB).split() == ["commonwatt-hub", "700"]
    root.run("systemctl", "start", "commonwatt-hub", within_s=120)
    pages = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8400/sign-in', timeout=5).status)"
    root.until("pages", "python3", "-c", pages, says="200")

    enter_home(root)
    root.run("systemctl", "start", "commonwatt-agent", within_s=120)
    reached = root.until("agent", "journalctl", "-u", "commonwatt-agent", "--no-pager", says="connected", within_s=180)
    assert "Traceback" not in reached
    survive_kills(root)
    upgrade(root, version)
    purge(root)


def enter_home(root: DebianRoot) -> None:
    """Invite a home as the board does, and enrol it as the household does."""
    people = "name,email,home,since,board\\nAna,ana@example.org,Casa Ana,,yes\\n"
    told = root.run("sh", "-c", f"printf '{people}' | commonwatt-hub invite --data {HUB} --list -")
    (token,) = [word for word in told.split() if word.count("-") > 8]
    home = root.folder / "var/lib/commonwatt-agent"
    (home / "agent.toml").write_text(AGENT_TOML)
    (home / "token.txt").write_text(token)
    root.run("chown", "-R", "commonwatt-agent:commonwatt-agent", "/var/lib/commonwatt-agent")
    enrol = "commonwatt-agent enrol --config agent.toml --token-file token.txt"
    root.run("sh", "-c", f"cd /var/lib/commonwatt-agent && {enrol}")


def is_up(name: str) -> tuple[str, str, str]:
    return "sh", "-c", f"systemctl is-active --quiet {name} && echo it is up"


def survive_kills(root: DebianRoot) -> None:
    for name in ("commonwatt-hub", "commonwatt-agent"):
        first = root.run("systemctl", "show", "-P", "MainPID", name).strip()
        root.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", name)
        root.until(f"{name} after kill -9", *is_up(name), says="it is up")
        root.until(
            f"{name} again",
            "sh",
            "-c",
            f"[ $(systemctl show -P MainPID {name}) != {first} ] && echo other",
            says="other",
        )


def upgrade(root: DebianRoot, version: str) -> None:
    root.run("dpkg", "--install", f"/srv/commonwatt-hub_{version}+2_amd64.deb", within_s=600)
    root.until("hub after the upgrade", *is_up("commonwatt-hub"), says="it is up")
    kept = root.run("ls", "/var/backups/commonwatt-hub")
    assert f"before-{version}+2-" in kept
    assert root.run("stat", "-c", "%a", "/var/backups/commonwatt-hub").strip() == "700"
    assert root.run("readlink", "/opt/commonwatt-hub/current").startswith(f"/opt/commonwatt-hub/{version}+2-")
    assert len(root.run("ls", "/opt/commonwatt-hub").split()) == 2, "the old program is gone"


def purge(root: DebianRoot) -> None:
    told = root.run("dpkg", "--purge", "commonwatt-hub")
    assert "is kept: it holds keys and records" in told
    assert root.run("ls", HUB)
    assert not (root.folder / "opt/commonwatt-hub").exists()
    assert not (root.folder / "usr/bin/commonwatt-hub").exists()
