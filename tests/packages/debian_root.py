"""A clean Debian in a folder, booted with systemd as its first process in namespaces of its own. Needs root."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

BASES = Path(__file__).resolve().parents[2] / "build" / "debian-roots"
"""Each Debian is made once and kept here as a tar file; delete it for a newer one."""

_SOURCES = Path("/etc/apt")
NEEDED = ("debootstrap", "unshare", "nsenter", "dpkg-deb", "systemctl", "ip")
PARTS = "systemd,systemd-sysv,dbus,python3,python3-venv,iproute2,util-linux,passwd,mosquitto,ca-certificates,curl"
AT_HOME = f"{PARTS},sudo,nano,systemd-timesyncd"
"""What Raspberry Pi OS has besides: with a time service already there, apt needs no mirror for the agent."""
_BOOT = """
mount --make-rprivate /
mount --bind "$0" "$0"; cd "$0"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys || mount --rbind /sys sys
mount -t tmpfs tmpfs run; mount -t tmpfs tmpfs tmp
mount --rbind /dev dev
exec chroot . /lib/systemd/systemd --system --log-target=console --show-status=0
"""


def why_not() -> str | None:
    """Why no such root can be made here; None if it can."""
    if os.geteuid() != 0:
        return "only root can make and boot a Debian root"
    missing = [name for name in NEEDED if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


class DebianRoot:
    """A booted root. `run` runs a command inside, with a time limit."""

    def __init__(self, folder: Path, pid: int) -> None:
        self.folder, self.pid = folder, pid

    def run(self, *command: str, within_s: float = 300, check: bool = True) -> str:
        """What the command said. Raises: CalledProcessError for a status other than 0, with what was said."""
        inside = ["nsenter", f"--target={self.pid}", *["-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w"], "env", "-i"]
        environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8"]
        told = subprocess.run(
            [*inside, *environment, *command], capture_output=True, text=True, timeout=within_s, check=False
        )
        assert not check or told.returncode == 0, (
            f"{command}: {told.returncode}: {told.stdout[-2000:]}{told.stderr[-2000:]}"
        )
        return told.stdout + told.stderr

    def until(self, what: str, *command: str, says: str, within_s: float = 120) -> str:
        """Run the command until it says this."""
        end_s = time.monotonic() + within_s
        while says not in (told := self.run(*command, check=False)):
            assert time.monotonic() < end_s, f"{what}: {told[-2000:]}"
            time.sleep(0.5)
        return told


@contextmanager
def booted(folder: Path, *, suite: str, parts: str = PARTS) -> Iterator[DebianRoot]:
    """Make the root, boot it, and end it with everything in it."""
    unpack_base(folder, suite=suite, parts=parts)
    with started(folder) as root:
        yield root


@contextmanager
def started(folder: Path) -> Iterator[DebianRoot]:
    """Boot a root that is there, and end it with everything in it, as when the power fails."""
    namespaces = ["--pid", "--mount", "--uts", "--ipc", "--net", "--cgroup", "--fork", "--kill-child"]
    outer = subprocess.Popen(
        ["unshare", *namespaces, "sh", "-c", _BOOT, str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        root = DebianRoot(folder, _first_process(outer.pid))
        # Degraded: a unit of Debian's own that has no place in namespaces; ours are looked at one by one.
        is_up = "systemctl is-system-running | grep -qE 'running|degraded' && echo booted"
        root.until("booting", "sh", "-c", is_up, says="booted")
        root.run("ip", "link", "set", "lo", "up")
        yield root
    finally:
        outer.send_signal(signal.SIGKILL)
        outer.wait(timeout=60)


def connect(first: DebianRoot, second: DebianRoot, *, addresses: tuple[str, str]) -> None:
    """A line between two booted roots, and nothing else on it; each address with its prefix."""
    ends = ["type", "veth", "peer", "name", "line", "netns", str(second.pid)]
    subprocess.run(["ip", "link", "add", "line", "netns", str(first.pid), *ends], check=True, timeout=60)
    for root, address in zip((first, second), addresses, strict=True):
        root.run("ip", "address", "add", address, "dev", "line")
        root.run("ip", "link", "set", "line", "up")


def unpack_base(folder: Path, *, suite: str, parts: str = PARTS) -> None:
    """A clean Debian in this folder, not started."""
    kept = BASES / f"{suite}-{sha256(parts.encode()).hexdigest()[:8]}.tar"
    folder.mkdir(parents=True)
    if kept.exists():
        subprocess.run(["tar", "-C", str(folder), "-xpf", str(kept)], check=True, timeout=600)
        return
    command = ["debootstrap", "--variant=minbase", f"--include={parts}", suite, str(folder), *_mirror()]
    subprocess.run(command, check=True, capture_output=True, timeout=2400)
    BASES.mkdir(parents=True, exist_ok=True)
    part = kept.with_name(f"{kept.name}.{os.getpid()}.part")
    subprocess.run(["tar", "-C", str(folder), "--one-file-system", "-cf", str(part), "."], check=True, timeout=600)
    part.replace(kept)


def _mirror() -> list[str]:
    """Where this machine gets its Debian from; nothing if it does not say."""
    files = [_SOURCES / "sources.list", *sorted((_SOURCES / "sources.list.d").glob("*"))]
    text = "\n".join(file.read_text() for file in files if file.is_file())
    found = re.search(r"^(?:URIs:|deb(?: \[[^]]*\])?) *(\S+/debian/?)(?:\s|$)", text, re.MULTILINE)
    return [found[1]] if found else []


def _first_process(outer: int) -> int:
    end_s = time.monotonic() + 60
    while time.monotonic() < end_s:
        children = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()
        if children and Path(f"/proc/{children[0]}/comm").read_text().strip() == "systemd":
            return int(children[0])
        time.sleep(0.1)
    raise AssertionError("systemd did not start in the Debian root")
