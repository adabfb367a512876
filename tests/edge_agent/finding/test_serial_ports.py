"""Serial adapters by their lasting names, and the programs that hold one."""

import os
from pathlib import Path

from edge_agent.finding.serial_ports import holders_of, is_serial_device, serial_ports


def test_a_port_is_listed_once_by_its_lasting_name(tmp_path: Path) -> None:
    by_id, dev = tmp_path / "by-id", tmp_path / "dev"
    by_id.mkdir()
    dev.mkdir()
    for name in ("ttyUSB0", "ttyUSB1", "ttyACM0", "tty1"):
        (dev / name).touch()
    (by_id / "usb-FTDI-if00").symlink_to(dev / "ttyUSB1")
    assert serial_ports(by_id, dev) == [by_id / "usb-FTDI-if00", dev / "ttyUSB0", dev / "ttyACM0"]
    assert serial_ports(tmp_path / "none", tmp_path / "none") == []


def test_who_holds_a_port(tmp_path: Path) -> None:
    port, proc = tmp_path / "ttyUSB0", tmp_path / "proc"
    port.touch()
    (tmp_path / "by-id").symlink_to(port)
    for pid, target, name in ((71, port, "other"), (72, tmp_path, "shell"), (os.getpid(), port, "me")):
        folder = proc / str(pid) / "fd"
        folder.mkdir(parents=True)
        (folder / "3").symlink_to(target)
        (proc / str(pid) / "comm").write_text(f"{name}\n")
    (proc / "self").mkdir()
    assert holders_of(tmp_path / "by-id", proc) == [(71, "other")]
    (proc / "71" / "comm").unlink()
    assert holders_of(port, proc) == [(71, "a program")]
    assert holders_of(port, tmp_path / "none") == []


def test_only_a_serial_line_is_one_whatever_it_is_called(tmp_path: Path) -> None:
    near, far = os.openpty()
    line = tmp_path / "adapter"
    line.symlink_to(os.ttyname(far))
    assert is_serial_device(str(line))
    for path in ("/dev/null", "/dev/mem", "/dev/watchdog", "/etc/passwd", "/dev/ttyUSB999", str(tmp_path), "/dev/\0"):
        assert not is_serial_device(path), path
    (tmp_path / "dev").write_text("")
    assert not is_serial_device(f"/dev/pts/../..{tmp_path}/dev")
    os.close(near)
    os.close(far)
