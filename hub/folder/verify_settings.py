"""The table `[verify]` of hub.toml: how often the hub verifies at night what it has stored."""

from typing import Final

from hub.folder.retention_settings import ReadNumber

USUAL_DAYS: Final = 1
MOST_DAYS: Final = 90

VERIFY_TEXT: Final = """
[verify]                   # each time reads every stored row, so it takes longer the more is stored
every_days = 1             # the hub verifies itself at night, every so many days; 0: never by itself
"""


def read_every_days(number: ReadNumber) -> int:
    """How many days lie between two verifications; 0 if there are none. Raises: SettingsError."""
    return number("every_days", USUAL_DAYS, least=0, most=MOST_DAYS)
