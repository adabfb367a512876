"""Whether the clock is synchronised: what kernel, timesyncd, chrony and ntpd say, and that unknown is not yes."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_agent.metering.clock import sources
from edge_agent.metering.clock.sources import (
    chrony_is_synchronised,
    is_synchronised,
    kernel_is_synchronised,
    ntpd_is_synchronised,
    read_timex,
)


@contextmanager
def answering(answer: Callable[[bytes], bytes]) -> Iterator[tuple[str, int]]:
    """A time service on loopback that answers one datagram."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as service:
        service.bind(("127.0.0.1", 0))
        service.settimeout(10)

        def serve() -> None:
            asked, sender = service.recvfrom(1024)
            service.sendto(answer(asked), sender)

        thread = threading.Thread(target=serve)
        thread.start()
        yield service.getsockname()
        thread.join()


def tracking(asked: bytes, *, leap: int, status: int = 0) -> bytes:
    """chronyd's tracking report in its protocol of version 6."""
    assert len(asked) == 104, "a request is as long as its answer"
    version, kind, command, sequence = asked[0], asked[1], asked[4:6], asked[8:12]
    assert (version, kind, command) == (6, 1, b"\x00\x21")
    head = bytes([6, 2, 0, 0]) + command + struct.pack(">HHHHH", 5, status, 0, 0, 0) + sequence + bytes(8)
    body = b"\x7f\x7f\x01\x01" + bytes(20) + struct.pack(">HH", 2, leap)
    return (head + body).ljust(104, b"\0")


@pytest.mark.parametrize(("leap", "status", "found"), [(0, 0, True), (1, 0, True), (3, 0, False), (0, 2, None)])
def test_chrony_is_asked_in_its_own_protocol(leap: int, status: int, found: bool | None) -> None:
    with answering(lambda asked: tracking(asked, leap=leap, status=status)) as address:
        assert chrony_is_synchronised(address) is found


@pytest.mark.parametrize(("status", "found"), [(0x0615, True), (0x4615, True), (0xC016, False)])
def test_ntpd_is_asked_for_its_status_word(status: int, found: bool) -> None:
    def answer(asked: bytes) -> bytes:
        assert asked == bytes([0x16, 1]) + struct.pack(">HHHHH", 1, 0, 0, 0, 0)
        return bytes([0x16, 0x81]) + struct.pack(">HHHHH", 1, status, 0, 0, 0)

    with answering(answer) as address:
        assert ntpd_is_synchronised(address) is found


def test_a_stranger_on_the_port_says_nothing() -> None:
    for ask in (chrony_is_synchronised, ntpd_is_synchronised):
        for junk in (b"", b"hello", bytes(200)):
            with answering(lambda _, junk=junk: junk) as address:
                assert ask(address) is None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = nobody.getsockname()
    assert chrony_is_synchronised(address) is None
    assert ntpd_is_synchronised(address) is None


@pytest.mark.parametrize(
    ("result", "status", "found"), [(0, 0x2001, True), (1, 0x11, True), (0, 0x40, False), (5, 0, False)]
)
def test_the_kernels_state_is_read_as_adjtimex_gives_it(result: int, status: int, found: bool) -> None:
    assert read_timex(result, status) is found


def test_the_kernel_answers_or_is_unknown() -> None:
    assert kernel_is_synchronised() in (True, False, None)


@pytest.mark.parametrize("name", ["kernel_is_synchronised", "chrony_is_synchronised", "ntpd_is_synchronised"])
def test_one_yes_is_enough_and_unknown_is_none(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for each in ("kernel_is_synchronised", "chrony_is_synchronised", "ntpd_is_synchronised"):
        monkeypatch.setattr(sources, each, lambda: None)
    assert not is_synchronised(tmp_path)
    monkeypatch.setattr(sources, name, lambda: False)
    assert not is_synchronised(tmp_path)
    monkeypatch.setattr(sources, name, lambda: True)
    assert is_synchronised(tmp_path)
    monkeypatch.setattr(sources, name, lambda: None)
    (tmp_path / "synchronized").touch()
    assert is_synchronised(tmp_path), "systemd-timesyncd"
