"""The relay of docs/run-a-hub.md, with its own settings: a home reaches a hub that has no public address."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from protocols.enrolment.invitation_text import InvitationText, write_invitation
from tests.journeys.namespaces import Place, why_not

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "run-a-hub.md"
RELAY, NAME = "198.51.100.7", "hub.example.org"
AGENT_TOML = """
[poll]
interval_s = 10
[[device]]
name = "meter"
map = "eastron-sdm630"
role = "grid"
connect = "tcp://127.0.0.1:5020"
max_power_w = 15000
"""

pytestmark = pytest.mark.campaign


def blocks() -> list[str]:
    """The code blocks of the page's section about the relay."""
    section = PAGE.read_text(encoding="utf-8").partition("## Behind a home router")[2].partition("\n## ")[0]
    return re.findall(r"```\n(.*?)```", section, re.DOTALL)


def keys() -> tuple[str, str]:
    """A private key and its public one, as the page says."""
    secret = subprocess.run(["wg", "genkey"], capture_output=True, text=True, check=True).stdout
    public = subprocess.run(["wg", "pubkey"], input=secret, capture_output=True, text=True, check=True).stdout
    return secret.strip(), public.strip()


def wg_settings() -> dict[str, str]:
    """The two files that the page shows side by side, with real keys in place of its placeholders."""
    lines = blocks()[0].splitlines()
    middle = lines[0].index("# hub:")
    made = {"relay": keys(), "hub": keys()}
    texts = {}
    for place, start, end in (("relay", 0, middle), ("hub", middle, None)):
        text = "\n".join(line[start:end].rstrip() for line in lines)
        other = "hub" if place == "relay" else "relay"
        for words, key in (
            (f"PrivateKey = (the {place}'s)", made[place][0]),
            (f"PublicKey = (the {other}'s)", made[other][1]),
        ):
            assert words in text
            text = text.replace(words, f"{words.partition('(')[0]}{key}")
        texts[place] = text + "\n"
    return texts


def run(*command: str, text: str = "") -> str:
    told = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
    assert told.returncode == 0, (command, told.stdout[-500:], told.stderr[-2000:])
    return told.stdout


def inside(place: Place, *command: str, text: str = "") -> str:
    return run(*place.command(*command), text=text)


@contextmanager
def places(folder: Path) -> Iterator[dict[str, Place]]:
    """The home reaches the relay alone; the hub reaches the relay, and nobody can connect to the hub."""
    with ExitStack() as stack:
        made = {}
        for role, address in (("relay", "127.0.0.1"), ("hub", "127.0.0.1"), ("home", RELAY)):
            hosts = folder / f"hosts-{role}"
            hosts.write_text(f"127.0.0.1 localhost\n{address} {NAME}\n")
            made[role] = Place(f"cw{os.getpid()}-{role}", hosts)
            run("ip", "netns", "add", made[role].name)
            stack.callback(run, "ip", "netns", "del", made[role].name)
            inside(made[role], "ip", "link", "set", "lo", "up")
        for role, device, router, own in (
            ("home", "eth0", f"{RELAY}/24", "198.51.100.20/24"),
            ("hub", "eth1", "192.0.2.1/24", "192.0.2.2/24"),
        ):
            run(
                "ip",
                "link",
                "add",
                device,
                "netns",
                made["relay"].name,
                "type",
                "veth",
                "peer",
                "name",
                "line",
                "netns",
                made[role].name,
            )
            for place, name, address in ((made["relay"], device, router), (made[role], "line", own)):
                inside(place, "ip", "address", "add", address, "dev", name)
                inside(place, "ip", "link", "set", name, "up")
        inside(made["hub"], "ip", "route", "add", "default", "via", "192.0.2.1")
        inside(made["relay"], "sysctl", "-qw", "net.ipv4.ip_forward=1")
        yield made


@contextmanager
def tunnel(place: Place, settings: Path) -> Iterator[None]:
    """WireGuard as `systemctl start wg-quick@wg0` starts it; where the kernel has none, its program in Go serves."""
    script = 'mount -t tmpfs none /run && wg-quick up "$0" && echo up && read -r _; wg-quick down "$0"'
    command = place.command(
        "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script, str(settings)
    )
    program = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert program.stdin is not None
    assert program.stdout is not None
    assert program.stderr is not None
    try:
        assert program.stdout.readline() == "up\n", program.stderr.read()
        yield
    finally:
        program.communicate("\n", timeout=60)


@contextmanager
def running(place: Place, log: Path, *module: str) -> Iterator[None]:
    with log.open("w") as file:
        program = subprocess.Popen(
            place.command(sys.executable, "-u", "-m", *module), cwd=ROOT, stdout=file, stderr=file
        )
    try:
        yield
    finally:
        program.terminate()
        program.wait(timeout=60)


def until(log: Path, says: str, *, within_s: float = 120) -> None:
    end_s = time.monotonic() + within_s
    while says not in log.read_text():
        assert time.monotonic() < end_s, log.read_text()[-2000:]
        time.sleep(0.2)  # the log of another process: nothing here tells when it has written a line


@pytest.mark.timeout(900)
def test_a_home_reaches_a_hub_without_a_public_address_by_the_settings_of_the_page(tmp_path: Path) -> None:
    missing = [name for name in ("wg", "wg-quick") if shutil.which(name) is None]
    if (reason := why_not()) is not None or missing:
        pytest.skip(reason or f"not installed: {', '.join(missing)}: apt-get install wireguard-tools wireguard-go")
    hub, home = tmp_path / "hub", tmp_path / "home"
    home.mkdir()
    (home / "agent.toml").write_text(AGENT_TOML)
    (tmp_path / "passphrase").touch(0o600)
    (tmp_path / "passphrase").write_text("five words for the safe\n")
    made = wg_settings()
    with places(tmp_path) as place, ExitStack() as stack:
        for role in ("relay", "hub"):
            (tmp_path / role).mkdir(exist_ok=True)
            settings = tmp_path / f"{role}-wg" / "wg0.conf"
            settings.parent.mkdir()
            settings.touch(0o600)
            settings.write_text(made[role])
            stack.enter_context(tunnel(place[role], settings))
        (hub).rmdir()
        inside(place["relay"], "nft", "-f", "-", text=blocks()[1])
        init = [
            "--name",
            "Sunny",
            "--coop",
            "sunny",
            "--tz",
            "Europe/Madrid",
            "--passphrase-file",
            str(tmp_path / "passphrase"),
        ]
        python = (sys.executable, "-m")
        inside(place["hub"], *python, "hub", "init", "--data", str(hub), *init)
        with (hub / "hub.toml").open("a", encoding="utf-8") as file:
            file.write(f'\n[public]\nhost = "{NAME}"\n')
        rules = inside(place["hub"], *python, "hub", "broker", "firewall", "--data", str(hub), "--relay", "10.77.0.1")
        inside(place["hub"], "nft", "-f", "-", text=rules)
        told = inside(
            place["hub"], *python, "hub", "invite", "--data", str(hub), "--member", "A", "--email", "a@b.c", "--board"
        )
        (token,) = re.findall(r"24 hours: (\S+)", told)
        stack.enter_context(running(place["hub"], tmp_path / "hub.log", "hub", "run", "--data", str(hub)))
        until(tmp_path / "hub.log", "enrolment for homes elsewhere is served")
        stack.enter_context(running(place["home"], tmp_path / "meter.log", "simulator", "device", "eastron-sdm630"))
        invitation = write_invitation(InvitationText(f"https://{NAME}:8443", "sunny", token))
        config = ("--config", str(home / "agent.toml"))
        inside(place["home"], *python, "edge_agent", "enrol", *config, text=f"{invitation}\n")
        stack.enter_context(running(place["home"], tmp_path / "agent.log", "edge_agent", "run", *config))
        until(tmp_path / "agent.log", "the hub has signed for the first message")
        stack.enter_context(running(place["hub"], tmp_path / "other.log", "http.server", "--bind", "0.0.0.0", "9000"))
        until(tmp_path / "other.log", "Serving HTTP")
        tried = "import socket; socket.create_connection(('10.77.0.2', {}), {}).close()"
        inside(place["relay"], sys.executable, "-c", tried.format(8443, 60))
        with pytest.raises(AssertionError, match="timed out"):
            inside(place["relay"], sys.executable, "-c", tried.format(9000, 3))
