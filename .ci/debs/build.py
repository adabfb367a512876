"""Builds the two Debian packages, commonwatt-agent and commonwatt-hub, for amd64 and arm64.

Each holds the wheels it needs for Python 3.11 (Debian 12) and 3.13 (Debian 13), so that it installs without a network.
The wheels are those that .ci/lock/test.txt names, by hash. Needs `dpkg-deb`, and a package index while it runs.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
PYTHONS = ("3.11", "3.13")
PLATFORMS = {"amd64": "x86_64", "arm64": "aarch64"}
GLIBC = ("2_34", "2_31", "2_28", "2_17")
"""Debian 12 has glibc 2.36: wheels built against one of these run there and on Debian 13."""

PIP = ("-m", "pip", "--disable-pip-version-check", "--quiet")


@dataclass(frozen=True, slots=True)
class Program:
    """What one package holds beside its wheels."""

    name: str
    extras: tuple[str, ...]
    about: str
    depends: str
    recommends: str
    units: tuple[str, ...]
    files: tuple[tuple[str, str, int], ...]
    """From the repository, to the system, with these permissions."""


PROGRAMS = (
    Program(
        "commonwatt-agent",
        ("edge",),
        "reads a home's energy devices for its co-op",
        "python3 (>= 3.11), python3-venv, passwd, util-linux",
        "systemd-timesyncd | chrony | ntpsec",
        ("firmware_configs/pi/commonwatt-agent.service", "firmware_configs/pi/commonwatt-agent-firstboot.service"),
        (
            ("firmware_configs/pi/firstboot", "usr/lib/commonwatt-agent/firstboot", 0o755),
            ("firmware_configs/pi/agent.toml", "usr/lib/commonwatt-agent/agent.toml", 0o644),
        ),
    ),
    Program(
        "commonwatt-hub",
        ("hub", "sepa", "sheets", "pdf"),
        "an energy co-op's hub: readings, settlement and pages",
        "python3 (>= 3.11), python3-venv, passwd, util-linux, mosquitto (>= 2.0)",
        "openssh-client",
        ("firmware_configs/hub/commonwatt-hub.service",),
        (
            ("firmware_configs/hub/Caddyfile", "usr/share/doc/commonwatt-hub/examples/Caddyfile", 0o644),
            ("firmware_configs/hub/nginx.conf", "usr/share/doc/commonwatt-hub/examples/nginx.conf", 0o644),
        ),
    ),
)


def main() -> int:
    """Build what is asked for; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make deb", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--to", type=Path, default=ROOT / "build" / "debs", help="folder for the packages")
    parser.add_argument("--arch", action="append", choices=sorted(PLATFORMS), help="amd64, arm64 (default: both)")
    parser.add_argument("--only", action="append", choices=[each.name for each in PROGRAMS], help="default: both")
    parser.add_argument("--version-suffix", default="", help="such as +test2, for a test of upgrades")
    args = parser.parse_args()
    if shutil.which("dpkg-deb") is None:
        sys.stderr.write("make deb: dpkg-deb is not installed: run this on Debian or a system like it\n")
        return 1
    version = project()["version"] + args.version_suffix
    args.to.mkdir(parents=True, exist_ok=True)
    try:
        own = own_wheel(args.to / "work", version)
        for program in PROGRAMS:
            for arch in args.arch or sorted(PLATFORMS):
                if not args.only or program.name in args.only:
                    made = build(program, arch=arch, version=version, own=own, to=args.to)
                    sys.stdout.write(f"{made}  {made.stat().st_size / 1e6:.0f} MB\n")
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"make deb: {' '.join(map(str, error.cmd[:6]))} ... ended with {error.returncode}\n")
        return 1
    finally:
        shutil.rmtree(args.to / "work", ignore_errors=True)
    write_sums(args.to)
    return 0


def project() -> dict[str, Any]:
    """The [project] table of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def own_wheel(folder: Path, version: str) -> Path:
    """Our own code as a wheel; a suffix of the version is the package's alone."""
    folder.mkdir(parents=True, exist_ok=True)
    run(*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    return next(folder.glob("commonwatt-*.whl"))


def environment_of(python: str, machine: str) -> dict[str, str]:
    """What markers are judged by on such a machine."""
    here: dict[str, str] = {**default_environment(), "python_version": python, "python_full_version": f"{python}.0"}
    return here | {"platform_machine": machine, "sys_platform": "linux", "platform_system": "Linux", "extra": ""}


def wanted(extras: tuple[str, ...], *, python: str, machine: str) -> set[str]:
    """The names of all distributions that these extras need on such a machine, by the installed packages' own word."""
    base = environment_of(python, machine)
    found: set[str] = set()
    waiting = [("commonwatt", extras)]
    done: set[tuple[str, tuple[str, ...]]] = set()
    while waiting:
        name, asked = waiting.pop()
        if (name, asked) in done:
            continue
        done.add((name, asked))
        found.add(name)
        try:
            # Of our own package the file counts: what is installed here may be older.
            lines = own_lines(asked) if name == "commonwatt" else distribution(name).requires or []
        except PackageNotFoundError:
            raise SystemExit(f"make deb: {name} is not installed here: run `make setup-test` first") from None
        for line in lines:
            needed = Requirement(line)
            marker = needed.marker
            if marker is None or any(marker.evaluate({**base, "extra": each}) for each in (*asked, "")):
                waiting.append((canonicalize_name(needed.name), tuple(sorted(needed.extras))))
    return found - {"commonwatt"}


def own_lines(extras: tuple[str, ...]) -> list[str]:
    """What pyproject.toml asks for with these extras."""
    table = project()
    return [*table["dependencies"], *(line for extra in extras for line in table["optional-dependencies"][extra])]


def pinned(names: set[str], *, environment: dict[str, str]) -> str:
    """The part of the pinned list that names these, with hashes. Raises: SystemExit if one is not pinned."""
    found: dict[str, str] = {}
    for block in re.split(r"\n(?=\S)", (ROOT / ".ci" / "lock" / "test.txt").read_text()):
        first, _, hashes = block.strip().partition("\n")
        if "==" not in first:
            continue
        # pip would judge the marker by the Python that runs it, not by the one it downloads for.
        line = Requirement(first.rstrip(" \\"))
        if line.marker is None or line.marker.evaluate(environment):
            found[canonicalize_name(line.name)] = f"{line.name}{line.specifier} \\\n{hashes}"
    missing = sorted(names - found.keys())
    if missing:
        raise SystemExit(f"make deb: not in .ci/lock/test.txt for this Python: {', '.join(missing)}")
    return "\n".join(found[name] for name in sorted(names)) + "\n"


def build(program: Program, *, arch: str, version: str, own: Path, to: Path) -> Path:
    """One package."""
    tree = to / "work" / f"{program.name}-{arch}"
    share = tree / "usr" / "lib" / program.name
    (share / "wheels").mkdir(parents=True)
    shutil.copy(own, share / "wheels")
    for python in PYTHONS:
        names = wanted(program.extras, python=python, machine=PLATFORMS[arch])
        listed = share / f"requirements-{python}.txt"
        listed.write_text(pinned(names, environment=environment_of(python, PLATFORMS[arch])))
        platforms = [f"--platform=manylinux_{each}_{PLATFORMS[arch]}" for each in GLIBC]
        platforms.append(f"--platform=manylinux2014_{PLATFORMS[arch]}")
        run(
            *PIP, "download", "--no-deps", "--require-hashes", "--only-binary=:all:", f"--python-version={python}",
            "--implementation=cp", *platforms, f"--dest={share / 'wheels'}", f"--requirement={listed}",
        )  # fmt: skip
    for source in program.units:
        place(ROOT / source, tree / "usr/lib/systemd/system" / Path(source).name, 0o644)
    for source, target, mode in program.files:
        place(ROOT / source, tree / target, mode)
    if program.name == "commonwatt-hub":
        # The hub hands these to homes, so its own package is built last.
        for package in agent_packages(to, version=version):
            place(package, tree / "usr/share/commonwatt-hub/packages" / package.name, 0o644)
    place(ROOT / "LICENSE", tree / "usr/share/doc" / program.name / "copyright", 0o644)
    place(HERE / "start", tree / "usr/bin" / program.name, 0o755, program=program, version=version)
    for script in ("preinst", "postinst", "prerm", "postrm"):
        place(HERE / script, tree / "DEBIAN" / script, 0o755, program=program, version=version)
    (tree / "DEBIAN" / "control").write_text(control(program, arch=arch, version=version, tree=tree))
    made = to / f"{program.name}_{version}_{arch}.deb"
    # The wheels are compressed already: a slower method saves nothing.
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(tree), str(made)],
                   check=True, stdout=subprocess.DEVNULL)  # fmt: skip
    return made


def agent_packages(folder: Path, *, version: str) -> list[Path]:
    """The agent's packages of this version, not what earlier builds left. Raises: SystemExit if there is none."""
    found = sorted(folder.glob(f"commonwatt-agent_{version}_*.deb"))
    if not found:
        raise SystemExit(
            f"make deb: no commonwatt-agent {version} in {folder}, which the hub hands out: build it first"
        )
    return found


def control(program: Program, *, arch: str, version: str, tree: Path) -> str:
    """The package's control file. Source: Debian policy, chapter 5."""
    size_kb = sum(each.stat().st_size for each in tree.rglob("*") if each.is_file()) // 1024
    return (
        f"Package: {program.name}\nVersion: {version}\nArchitecture: {arch}\nMaintainer: Commonwatt <root@localhost>\n"
        f"Installed-Size: {size_kb}\nDepends: {program.depends}\nRecommends: {program.recommends}\n"
        f"Section: misc\nPriority: optional\nDescription: {program.about}\n {project()['description']}\n"
    )


def place(source: Path, target: Path, mode: int, *, program: Program | None = None, version: str = "") -> None:
    """Copy a file, with the program's name and version filled in."""
    text = source.read_bytes()
    if program is not None:
        text = text.replace(b"@NAME@", program.name.encode()).replace(b"@VERSION@", version.encode())
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(text)
    target.chmod(mode)


def write_sums(folder: Path) -> None:
    """SHA-256 of each package, as `sha256sum --check` reads it."""
    lines = [f"{hashlib.sha256(each.read_bytes()).hexdigest()}  {each.name}\n" for each in sorted(folder.glob("*.deb"))]
    (folder / "SHA256SUMS").write_text("".join(lines))


def run(*arguments: str) -> None:
    """Run this Python with these arguments."""
    subprocess.run([sys.executable, *arguments], check=True)


if __name__ == "__main__":
    sys.exit(main())
