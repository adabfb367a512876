"""Hub and home in two blank Debians: by package, by the invitation's line and a card, and after the server died."""

import json
import re
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.packages.debian_root import AT_HOME, DebianRoot, booted, connect, started, why_not

ROOT = Path(__file__).resolve().parents[2]
HUB = "var/lib/commonwatt-hub/hub"
TOKEN = "boot/firmware/commonwatt/token.txt"
ADDRESSES = ("203.0.113.10/24", "203.0.113.20/24")
AGENT_TOML = """
consent = "consent.toml"
[[device]]
name = "meter"
map = "eastron-sdm630"
role = "grid"
connect = "tcp://127.0.0.1:5020"
max_power_w = 15000
"""

pytestmark = pytest.mark.campaign


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    debs = tmp_path_factory.mktemp("debs")
    build = [sys.executable, str(ROOT / ".ci/debs/build.py"), "--arch", "amd64", "--to", str(debs)]
    subprocess.run(build, check=True, timeout=1200)
    (made,) = debs.glob("commonwatt-hub_*.deb")
    return made


def install_hub(root: DebianRoot, package: Path) -> None:
    (root.folder / "srv" / "hub.deb").write_bytes(package.read_bytes())
    root.run("dpkg", "--install", "/srv/hub.deb", within_s=600)


def start_hub(root: DebianRoot) -> str:
    """Commands 3 to 7 of docs/run-a-hub.md; what `invite` said."""
    init = "commonwatt-hub init --data hub --name Sunny --coop sunny --tz Europe/Madrid --passphrase-file -"
    root.run("sh", "-c", f"echo five words for the safe | {init}")
    with (root.folder / HUB / "hub.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[public]\nhost = "{ADDRESSES[0].partition("/")[0]}"\n')
    root.run("systemctl", "start", "commonwatt-hub", within_s=300)
    export = "commonwatt-hub authority export --data hub --to /var/lib/commonwatt-hub/root.key --remove"
    root.run("sh", "-c", f"echo five words for the safe | {export} --passphrase-file -")
    return root.run(
        "commonwatt-hub", "invite", "--data", "hub", "--member", "Ana", "--email", "ana@example.org", "--board"
    )


def serves_homes(root: DebianRoot) -> None:
    log = ("journalctl", "-u", "commonwatt-hub", "--no-pager")
    root.until("enrolment", *log, says="enrolment for homes elsewhere is served")


def stored(root: DebianRoot) -> int:
    """How many messages the hub has."""
    return int(json.loads(root.run("commonwatt-hub", "status", "--data", "hub", "--json"))["messages_stored"])


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_from_blank_debians_to_the_first_receipt_and_back_after_the_server_died(
    suite: str, package: Path, tmp_path: Path
) -> None:
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    card = tmp_path / "home"
    with ExitStack() as until_it_dies, ExitStack() as stack:
        hub = until_it_dies.enter_context(booted(tmp_path / "hub", suite=suite, parts=AT_HOME))
        began_s = time.monotonic()
        install_hub(hub, package)
        told = start_hub(hub)
        serves_homes(hub)
        install(card, told, suite=suite, hub=hub)
        home = stack.enter_context(started(card))
        connect(hub, home, addresses=ADDRESSES)
        log = ("journalctl", "-u", "commonwatt-agent*", "--no-pager")
        said = home.until("the first receipt", *log, says="the hub has signed for the first message", within_s=300)
        sys.stdout.write(f"{suite}: {time.monotonic() - began_s:.0f} s from the hub's package to the first receipt\n")
        assert "Traceback" not in said
        assert not (card / TOKEN).exists(), "used once"
        assert home.run("systemctl", "is-active", "commonwatt-agent").strip() == "active"

        backup, key = last_backup(hub, to=tmp_path)
        before = stored(hub)
        more_from(home, version=2)
        hub.until("what came after the backup", *has_messages(before + 1), says="more")
        until_it_dies.close()

        new = stack.enter_context(booted(tmp_path / "new", suite=suite, parts=AT_HOME))
        install_hub(new, package)
        come_back(new, backup, key)
        connect(new, home, addresses=ADDRESSES)
        # Without this the next message, and so the next receipt, is due at the end of the quarter hour.
        more_from(home, version=3)
        home.until("the agent's word", *log, says="was it restored from a backup?", within_s=300)
        new.until("what the backup lacked", *has_messages(before + 2), says="more")
        new.run("commonwatt-hub", "verify", "--data", "hub", within_s=600)
        new.run("commonwatt-hub", "restore", "confirm", "--data", "hub", "--by", "m01")
        new.run("install", "-d", "-o", "commonwatt-hub", "/srv/disk")
        assert "read back and found whole" in new.run("commonwatt-hub", "backup", "--data", "hub", "--to", "/srv/disk")


def install(card: Path, told: str, *, suite: str, hub: DebianRoot) -> None:
    """The line of the invitation in a blank Debian, then what the household puts on the card before its first start."""
    (line,) = re.findall(r"\(amd64\): (curl .*)", told)
    (invitation,) = re.findall(r"commonwatt:\?\S+", told)
    installs, opened, _ = line.partition(" && sudo commonwatt-agent setup ")
    assert opened, "then the household answers the questions of setup"
    with booted(card, suite=suite, parts=AT_HOME) as home:
        connect(hub, home, addresses=ADDRESSES)
        wrong = installs.replace(re.findall("'([0-9a-f]{64})", installs)[0], "0" * 64)
        assert "did NOT match" in home.run("sh", "-c", f"cd /root && {wrong}", within_s=600, check=False)
        assert not (card / "usr/bin/commonwatt-agent").exists()
        home.run("sh", "-c", f"cd /root && {installs}", within_s=900)
        assert home.run("systemctl", "is-active", "commonwatt-agent", check=False).strip() == "inactive", "not enrolled"
        home.run("sync")
    (card / TOKEN).parent.mkdir(parents=True)
    (card / TOKEN).write_text(f"{invitation}\n")
    (card / TOKEN).with_name("agent.toml").write_text(AGENT_TOML)


def last_backup(hub: DebianRoot, *, to: Path) -> tuple[Path, str]:
    """The newest backup on another disk, and the key on paper."""
    (key,) = re.findall(r"(?:[A-Z2-7]{5}-){7}[A-Z2-7]{5}", hub.run("commonwatt-hub", "backup", "key", "--data", "hub"))
    hub.run("install", "-d", "-o", "commonwatt-hub", "/srv/disk")
    hub.run("commonwatt-hub", "backup", "--data", "hub", "--to", "/srv/disk")
    (made,) = (hub.folder / "srv/disk").iterdir()
    return made.rename(to / made.name), key


def more_from(home: DebianRoot, *, version: int) -> None:
    """The household changes its consent, which sends one more message."""
    consent = home.folder / "var/lib/commonwatt-agent/consent.toml"
    text, changed = re.subn(
        rf"(?m)^version = {version - 1}$", f"version = {version}", consent.read_text(encoding="utf-8")
    )
    assert changed == 1
    consent.write_text(text, encoding="utf-8")
    home.run("systemctl", "restart", "commonwatt-agent", within_s=120)


def has_messages(number: int) -> tuple[str, ...]:
    script = "import json, sys; sys.exit(json.load(sys.stdin)['messages_stored'] < int(sys.argv[1]))"
    status = "commonwatt-hub status --data hub --json"
    return "sh", "-c", f'{status} | python3 -c "{script}" {number} && echo more'


def come_back(new: DebianRoot, backup: Path, key: str) -> None:
    """Steps 2 to 4 of docs/the-server-died.md; the key is read from a file, since nobody types here."""
    (new.folder / "root" / backup.name).write_bytes(backup.read_bytes())
    (new.folder / "root" / "keyfile").write_text(f"{key}\n")
    for name in (backup.name, "keyfile"):
        new.run("sh", "-c", f"cd /root && install -o commonwatt-hub -m 0600 {name} /var/lib/commonwatt-hub/")
    new.run("commonwatt-hub", "restore", "--from", backup.name, "--data", "hub", "--key-file", "keyfile")
    new.run("sh", "-c", f"cd /var/lib/commonwatt-hub && rm {backup.name} keyfile")
    new.run("commonwatt-hub", "verify", "--data", "hub", within_s=600)
    new.run("systemctl", "start", "commonwatt-hub", within_s=300)
    serves_homes(new)
