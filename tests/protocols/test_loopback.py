"""Which hosts are this computer; everything else needs TLS."""

import pytest

from protocols.loopback import is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.255.0.9", "::1", "localhost", "LOCALHOST"])
def test_this_computer(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "::", "192.168.1.10", "127.0.0.1.example", "localhost.example", "2130706433", "127.1"]
)
def test_anything_else(host: str) -> None:
    assert not is_loopback(host)
