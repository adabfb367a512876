"""The table `[retention]` of hub.toml: how long the readings and personal data of those who moved out are kept."""

from typing import Final, Protocol

LEAST_MONTHS: Final = 16
"""The last correction of a month comes up to 15 months after it and needs the readings."""

MOST_MONTHS: Final = 240

RETENTION_TEXT: Final = """
[retention]                # without it nothing is erased
months = 36                # after a move-out: then its readings go, and name, address and bank details once all is paid
"""


class ReadNumber(Protocol):
    """Reads a whole number of the table by its key, default and bounds. Raises: SettingsError."""

    def __call__(self, key: str, default: int, /, *, least: int, most: int) -> int: ...


def read_months(number: ReadNumber) -> int:
    """How many months after a move-out. Raises: SettingsError."""
    return number("months", 36, least=LEAST_MONTHS, most=MOST_MONTHS)
