"""Whether a host stays on this computer: only there may anything go without TLS."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether this host name or address is this computer itself.

    >>> [is_loopback(host) for host in ("127.0.0.1", "localhost", "::1", "192.168.1.10", "hub.example")]
    [True, True, True, False, False]
    """
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
