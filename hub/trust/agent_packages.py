"""The agent's Debian packages that this hub hands out to homes: where they are, and the SHA-256 of each."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

OWN_FOLDER: Final = "packages"
SHIPPED: Final = Path("/usr/share/commonwatt-hub/packages")
"""Where the hub's own Debian package puts the agent's."""

MAX_BYTES: Final = 64 << 20
_NAME: Final = re.compile(r"commonwatt-agent_([A-Za-z0-9.+~-]{1,60})_(amd64|arm64)\.deb", re.ASCII)


@dataclass(frozen=True, slots=True)
class AgentPackage:
    """One package; `sha256` is in hexadecimal."""

    path: Path
    version: str
    architecture: str
    sha256: str
    size_bytes: int


def find_agent_packages(data: Path, *, shipped: Path = SHIPPED) -> tuple[AgentPackage, ...]:
    """The packages in the folder `packages` of the hub's data; if it has none, those the hub was installed with.

    A link and a file with another name are left out, so that nothing else of this computer is handed out.
    """
    return _packages(data / OWN_FOLDER) or _packages(shipped)


@dataclass(frozen=True, slots=True)
class InstallLine:
    """The one line that brings the agent to a kind of computer; `sha256` is the file's, which the line checks."""

    computer: str
    architecture: str
    sha256: str
    command: str

    def __str__(self) -> str:
        return f"install the agent on {self.computer} ({self.architecture}): {self.command}"


def install_lines(packages: Sequence[AgentPackage], *, url: str) -> list[InstallLine]:
    """For each kind of computer, the one line that downloads, checks and installs the agent, and enrols the home.

    The hub's certificate is not known to the household's computer yet, so the download itself proves nothing: the
    SHA-256 in the line does.
    """
    kinds = {"arm64": "a Raspberry Pi", "amd64": "a PC"}
    return [
        InstallLine(
            kinds[each.architecture],
            each.architecture,
            each.sha256,
            f"curl -kfo agent.deb --retry 10 {url}/api/agent-package/{each.path.name}"
            f" && echo '{each.sha256}  agent.deb' | sha256sum -c && sudo apt-get install -y ./agent.deb"
            " && sudo commonwatt-agent setup --no-wait && sudo systemctl start commonwatt-agent"
            " && sudo commonwatt-agent setup",
        )
        for each in sorted(packages, key=lambda each: list(kinds).index(each.architecture))
    ]


def _packages(folder: Path) -> tuple[AgentPackage, ...]:
    newest: dict[str, AgentPackage] = {}
    try:
        found = list(folder.iterdir())
    except OSError:
        return ()
    for path in found:
        parts = _NAME.fullmatch(path.name)
        if parts is None or path.is_symlink() or not path.is_file():
            continue
        held, stat = newest.get(parts[2]), path.stat()
        is_newer = held is None or _order(parts[1]) > _order(held.version)
        if is_newer and stat.st_size <= MAX_BYTES:
            digest = _sha256(path, stat.st_mtime_ns, stat.st_size)
            newest[parts[2]] = AgentPackage(path, parts[1], parts[2], digest, stat.st_size)
    return tuple(newest.values())


def _order(version: str) -> list[tuple[tuple[int, ...], int]]:
    """Sorts versions as Debian does: numbers as numbers, `~` before the end. Source: Debian policy, 5.6.12."""
    pairs: list[tuple[str, str]] = re.findall(r"(\D*)(\d*)", version)
    return [((*map(_rank, words), 0), int(digits or 0)) for words, digits in pairs]


def _rank(letter: str) -> int:
    return -1 if letter == "~" else ord(letter) if letter.isalpha() else ord(letter) + 256


@lru_cache(maxsize=16)
def _sha256(path: Path, _changed_ns: int, _size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
