"""A 64-bit ARM to run a Debian package on: Debian's Python for it, unpacked into a folder, behind a user-mode emulator.

Nothing is installed on this computer. apt fetches from wherever this computer's own apt does.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

NEEDED = ("apt-get", "dpkg-deb")
GLIBC = ("2_34", "2_28", "2_17")
_APT = """
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Install-Recommends "false";
Dir::State "FOLDER/state";
Dir::State::status "FOLDER/state/status";
Dir::Cache "FOLDER/cache";
"""


class CannotFetchError(Exception):
    """What the machine is made of cannot be fetched here; the text says what and why."""


def why_not() -> str | None:
    """Why no such machine can be made here; None if it can."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


class Arm64Machine:
    """`command` runs its Python with what `install` put there. Raises CannotFetchError if apt cannot fetch."""

    def __init__(self, folder: Path) -> None:
        self._root, self._site = folder / "root", folder / "site"
        self._emulator = shutil.which("qemu-aarch64-static") or str(_fetch_emulator(folder / "emulator"))
        for package in _fetch_python(folder / "apt"):
            _run("dpkg-deb", "--extract", str(package), str(self._root))
        pythons = sorted((self._root / "usr/bin").glob("python3.*[0-9]"))
        if not pythons:
            raise CannotFetchError("Debian's Python for 64-bit ARM has no interpreter")
        self._python = pythons[-1]

    @property
    def version(self) -> str:
        """Of its Python, such as 3.11."""
        return self._python.name.removeprefix("python")

    def install(self, deb: Path, into: Path) -> None:
        """Unpack an agent's package and the wheels in it, those its requirements list names, by hash."""
        _run("dpkg-deb", "--extract", str(deb), str(into))
        lib = into / "usr/lib/commonwatt-agent"
        pip = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "--quiet", "install"]
        pip += ["--no-index", "--no-deps", "--no-compile", "--target", str(self._site), "--upgrade"]
        fitting = [f"--platform=manylinux_{glibc}_aarch64" for glibc in GLIBC] + ["--platform=manylinux2014_aarch64"]
        fitting += ["--only-binary=:all:", f"--python-version={self.version}", f"--find-links={lib / 'wheels'}"]
        _run(*pip, *fitting, "--require-hashes", "--requirement", str(lib / f"requirements-{self.version}.txt"))
        (own,) = (lib / "wheels").glob("commonwatt-*.whl")
        _run(*pip, str(own))

    def command(self, *arguments: str) -> list[str]:
        """The machine's Python with these arguments; it sees nothing of this repository."""
        emulated = [self._emulator, "-L", str(self._root), "-E", f"PYTHONPATH={self._site}"]
        return [*emulated, str(self._python), "-P", *arguments]


def _fetch_emulator(folder: Path) -> Path:
    folder.mkdir(parents=True)
    _apt("download", "qemu-user-static", where=folder)
    (package,) = folder.glob("qemu-user-static_*.deb")
    _run("dpkg-deb", "--extract", str(package), str(folder))
    return folder / "usr/bin/qemu-aarch64-static"


def _fetch_python(folder: Path) -> list[Path]:
    """Every package that Python needs on a 64-bit ARM."""
    for name in ("state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "state/status").touch()
    configuration = folder / "apt.conf"
    configuration.write_text(_APT.replace("FOLDER", str(folder)))
    _apt("update", where=folder, configuration=configuration)
    _apt("--yes", "--download-only", "install", "python3", where=folder, configuration=configuration)
    return sorted((folder / "cache/archives").glob("*.deb"))


def _apt(*arguments: str, where: Path, configuration: Path | None = None) -> None:
    environment = os.environ | ({"APT_CONFIG": str(configuration)} if configuration else {})
    told = subprocess.run(
        ["apt-get", "--quiet", *arguments],
        cwd=where, env=environment, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    if told.returncode:
        # Not the addresses in it.
        reason = re.sub(r"\S+://\S+", "...", told.stderr.strip().splitlines()[-1] if told.stderr.strip() else "")
        raise CannotFetchError(f"apt-get {arguments[0]} failed: {reason}")


def _run(*command: str) -> None:
    told = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert told.returncode == 0, f"{command[0]}: {told.stderr[-2000:]}"
