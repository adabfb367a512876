import hashlib
import os
from pathlib import Path

from hub.trust.agent_packages import find_agent_packages, install_lines


def put(folder: Path, name: str, content: bytes, *, age_s: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    at = 1_790_000_000 - age_s
    os.utime(folder / name, (at, at))
    return folder / name


def test_the_newest_package_of_each_kind_of_computer_is_handed_out_with_its_sum(tmp_path: Path) -> None:
    put(tmp_path / "packages", "commonwatt-agent_0.2.0_arm64.deb", b"old")
    put(tmp_path / "packages", "commonwatt-agent_0.10.0~rc1_arm64.deb", b"candidate")
    new = put(tmp_path / "packages", "commonwatt-agent_0.10.0_arm64.deb", b"new", age_s=9)
    pc = put(tmp_path / "packages", "commonwatt-agent_0.10.0_amd64.deb", b"pc")
    found = {each.architecture: each for each in find_agent_packages(tmp_path, shipped=tmp_path / "none")}
    assert {kind: each.path for kind, each in found.items()} == {"arm64": new, "amd64": pc}
    assert (found["arm64"].version, found["arm64"].size_bytes) == ("0.10.0", 3)
    assert found["arm64"].sha256 == hashlib.sha256(b"new").hexdigest()


def test_nothing_but_packages_of_the_agent_is_handed_out(tmp_path: Path) -> None:
    secret = put(tmp_path, "hub.key", b"secret")
    put(tmp_path / "packages", "notes.txt", b"-")
    put(tmp_path / "packages", "commonwatt-hub_0.2.0_arm64.deb", b"-")
    (tmp_path / "packages" / "commonwatt-agent_1_arm64.deb").symlink_to(secret)
    (tmp_path / "packages" / "commonwatt-agent_2_arm64.deb").mkdir()
    assert find_agent_packages(tmp_path, shipped=tmp_path / "none") == ()


def test_without_packages_of_its_own_the_hub_hands_out_those_it_was_installed_with(tmp_path: Path) -> None:
    shipped = put(tmp_path / "shipped", "commonwatt-agent_0.2.0_arm64.deb", b"s")
    (found,) = find_agent_packages(tmp_path / "data", shipped=tmp_path / "shipped")
    assert found.path == shipped
    own = put(tmp_path / "data" / "packages", "commonwatt-agent_0.1.0_arm64.deb", b"o")
    (found,) = find_agent_packages(tmp_path / "data", shipped=tmp_path / "shipped")
    assert found.path == own


def test_a_changed_file_has_another_sum(tmp_path: Path) -> None:
    put(tmp_path / "packages", "commonwatt-agent_1_arm64.deb", b"first", age_s=9)
    (before,) = find_agent_packages(tmp_path, shipped=tmp_path)
    put(tmp_path / "packages", "commonwatt-agent_1_arm64.deb", b"other")
    (after,) = find_agent_packages(tmp_path, shipped=tmp_path)
    assert before.sha256 != after.sha256 == hashlib.sha256(b"other").hexdigest()


def test_the_line_checks_what_was_downloaded_before_it_is_installed(tmp_path: Path) -> None:
    put(tmp_path / "packages", "commonwatt-agent_1_amd64.deb", b"pc")
    put(tmp_path / "packages", "commonwatt-agent_1_arm64.deb", b"pi")
    pi, pc = install_lines(find_agent_packages(tmp_path, shipped=tmp_path), url="https://hub.example:8443")
    assert str(pi) == f"install the agent on a Raspberry Pi (arm64): {pi.command}"
    assert "amd64" in pc.command
    assert pi.sha256 == hashlib.sha256(b"pi").hexdigest()
    steps = pi.command.split(" && ")
    assert steps[0] == (
        "curl -kfo agent.deb --retry 10 https://hub.example:8443/api/agent-package/commonwatt-agent_1_arm64.deb"
    )
    assert steps[1] == f"echo '{hashlib.sha256(b'pi').hexdigest()}  agent.deb' | sha256sum -c"
    assert steps[2] == "sudo apt-get install -y ./agent.deb"
