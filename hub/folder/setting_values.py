"""What a name, a host name, a time zone or a currency in the settings and on the command line must look like."""

import ipaddress
import re
from zoneinfo import ZoneInfo

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?:\.(?!-)[A-Za-z0-9-]{1,63})*", re.ASCII)


def is_name(text: str) -> bool:
    """Whether this text can be the name of a co-op, a person or a home."""
    return 1 <= len(text) <= 80 and text.isprintable() and text.strip() == text


def is_host_name(text: str) -> bool:
    """Whether this is a host name: labels of letters, digits and hyphens, with dots between them."""
    return len(text) <= 253 and _HOST_NAME.fullmatch(text) is not None


def is_host(text: str) -> bool:
    """Whether this is a host name or a plain IP address: what only looks like an address is neither."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return is_host_name(text) and not text.rsplit(".", 1)[-1].isdecimal()
    return "%" not in text


def is_zone(text: str) -> bool:
    """Whether this names a time zone."""
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        return False
    return bool(text)


def is_currency(text: str) -> bool:
    """Whether this looks like an ISO 4217 code."""
    return len(text) == 3 and text.isascii() and text.isalpha() and text.isupper()
