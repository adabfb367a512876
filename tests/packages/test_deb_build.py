"""What goes into the Debian packages: exactly what a program needs, by hash, for each Python and each machine."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEBS = ROOT / ".ci" / "debs"
SCRIPTS = [*(DEBS / name for name in ("start", "preinst", "postinst", "prerm", "postrm")),
           ROOT / "firmware_configs" / "pi" / "firstboot"]  # fmt: skip


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("deb_build", DEBS / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["deb_build"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_every_distribution_is_pinned_by_hash_for_this_python(build: ModuleType, python: str, machine: str) -> None:
    for program in build.PROGRAMS:
        names = build.wanted(program.extras, python=python, machine=machine)
        listed = build.pinned(names, environment=build.environment_of(python, machine))
        lines = [line for line in listed.splitlines() if "==" in line]
        assert len(lines) == len(names)
        assert listed.count("--hash=sha256:") >= len(names)
        assert "://" not in listed
        assert ";" not in listed


def test_the_agent_stays_light(build: ModuleType) -> None:
    (agent,) = (each for each in build.PROGRAMS if each.name == "commonwatt-agent")
    names = build.wanted(agent.extras, python="3.11", machine="aarch64")
    assert {"paho-mqtt", "pymodbus", "cryptography", "cbor2", "aiosqlite"} <= names
    assert not {"numpy", "fastapi", "pydantic", "statsmodels", "pandas"} & names


def test_the_hub_has_what_statements_and_bank_files_need(build: ModuleType) -> None:
    (hub,) = (each for each in build.PROGRAMS if each.name == "commonwatt-hub")
    names = build.wanted(hub.extras, python="3.13", machine="x86_64")
    assert {"numpy", "statsmodels", "fastapi", "typst", "sepaxml", "openpyxl"} <= names
    assert "pymodbus" not in names


def test_a_distribution_that_is_not_pinned_stops_the_build(build: ModuleType) -> None:
    with pytest.raises(SystemExit, match="nowhere-to-be-found"):
        build.pinned({"nowhere-to-be-found"}, environment=build.environment_of("3.11", "x86_64"))


def test_each_file_of_a_package_exists(build: ModuleType) -> None:
    for program in build.PROGRAMS:
        for source in (*program.units, *(name for name, _, _ in program.files)):
            assert (ROOT / source).is_file(), source


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_sound_and_stops_at_the_first_failure(script: Path) -> None:
    text = script.read_text()
    assert text.startswith("#!/bin/sh\n")
    assert "\nset -eu\n" in text
    subprocess.run(["sh", "-n", str(script)], check=True, timeout=20)


def test_a_python_without_wheels_is_refused_before_anything_is_unpacked(tmp_path: Path) -> None:
    fake = tmp_path / "python3"
    fake.write_text("#!/bin/sh\necho 3.12\n")
    fake.chmod(0o755)
    shell = shutil.which("sh")
    assert shell is not None
    text = (DEBS / "preinst").read_text().replace("@NAME@", "commonwatt-hub")
    (tmp_path / "preinst").write_text(text)
    command = [shell, str(tmp_path / "preinst"), "install"]
    told = subprocess.run(
        command, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, timeout=20, check=False
    )
    assert told.returncode == 1
    assert told.stderr == "commonwatt-hub: this package is for Python 3.11 and 3.13; python3 here is 3.12\n"


def test_the_hub_hands_out_the_agent_of_its_own_version_alone(build: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"no commonwatt-agent 0\.2\.0 in"):
        build.agent_packages(tmp_path, version="0.2.0")
    names = [f"commonwatt-agent_{each}.deb" for each in ("0.1.0_arm64", "0.2.0+2_amd64", "0.2.0_amd64", "0.2.0_arm64")]
    for name in names:
        (tmp_path / name).touch()
    assert [each.name for each in build.agent_packages(tmp_path, version="0.2.0")] == names[2:]
