"""The packages for 64-bit ARM, built here and looked into: nothing here can start them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).resolve().parents[2]
GLIBC_MINOR_MAX = 36
"""Debian 12's, the older of both."""

pytestmark = pytest.mark.campaign


def tags_of(python: tuple[int, int]) -> frozenset[Tag]:
    """What a 64-bit ARM with this Python and Debian 12's glibc takes."""
    platforms = [f"manylinux_2_{minor}_aarch64" for minor in range(17, GLIBC_MINOR_MAX + 1)] + ["manylinux2014_aarch64"]
    interpreter = f"cp{python[0]}{python[1]}"
    return frozenset(
        (*cpython_tags(python, platforms=platforms), *compatible_tags(python, interpreter, platforms=platforms))
    )


@pytest.mark.timeout(2400)
def test_each_package_for_arm64_holds_a_fitting_wheel_of_all_it_needs_and_none_for_another_machine(
    tmp_path: Path,
) -> None:
    debs = tmp_path / "debs"
    build = [sys.executable, str(ROOT / ".ci/debs/build.py"), "--arch", "arm64", "--to", str(debs)]
    subprocess.run(build, check=True, timeout=2000)
    for program in ("commonwatt-agent", "commonwatt-hub"):
        (package,) = debs.glob(f"{program}_*.deb")
        field = subprocess.run(["dpkg-deb", "--field", str(package), "Architecture"], capture_output=True, check=True)
        assert field.stdout == b"arm64\n"
        tree = tmp_path / program
        subprocess.run(["dpkg-deb", "--extract", str(package), str(tree)], check=True, timeout=300)
        lib = tree / "usr/lib" / program
        wheels = {path.name: parse_wheel_filename(path.name) for path in (lib / "wheels").iterdir()}
        assert not [name for name in wheels if not name.endswith(("-any.whl", "_aarch64.whl"))]
        for python in ((3, 11), (3, 13)):
            tags = tags_of(python)
            fitting = {(name, str(version)) for name, version, _, found in wheels.values() if found & tags}
            text = (lib / f"requirements-{python[0]}.{python[1]}.txt").read_text(encoding="utf-8")
            needed = {(canonicalize_name(name), version) for name, version in re.findall(r"(?m)^(\S+)==(\S+)", text)}
            assert needed
            assert needed <= fitting
    shipped = [path.name for path in (tmp_path / "commonwatt-hub/usr/share/commonwatt-hub/packages").iterdir()]
    assert [name.endswith("_arm64.deb") for name in shipped] == [True]
