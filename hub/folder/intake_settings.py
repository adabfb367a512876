"""The table `[intake]` of hub.toml: how much one home's agent may send, and how fast all of them together come."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from protocols.errors import SettingsError


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """What one agent may send. A day is a UTC day by the hub's clock, a minute is real time.

    `slow_after` and `cut_off_after` count messages in vain within a minute: refused, or more than the hub could take.
    By the last two, of all homes together, the hub asks them to spread their return and their sending.
    """

    messages_a_day: int = 50_000
    bytes_a_day: int = 64 * 2**20
    consents_a_day: int = 100
    new_epochs_a_day: int = 50
    slow_after: int = 500
    cut_off_after: int = 5_000
    connections_a_second: int = 50
    messages_a_second: int = 500


LEAST: Final = IntakeLimits(
    messages_a_day=1000,
    bytes_a_day=2**20,
    consents_a_day=5,
    new_epochs_a_day=5,
    slow_after=100,
    cut_off_after=500,
    connections_a_second=1,
    messages_a_second=1,
)
"""Lower limits would hit homes that come back after a month without the internet."""

MOST: Final = 10**9

INTAKE_TEXT: Final = """
[intake]                   # what one home's agent may send; it keeps what is over a limit and sends it again later
messages_a_day = 50000     # a whole year of quarter hours is 35136 messages: no honest home meets this limit
bytes_a_day = 67108864     # the most that one home can add to the store in a day
consents_a_day = 100       # a household changes its consent a few times a year
new_epochs_a_day = 50      # an agent begins one when its storage was restored or replaced
slow_after = 500           # messages in vain within a minute; from then on this agent is served last and seldom
cut_off_after = 5000       # from then on nothing of it is read until: commonwatt-hub let-in
connections_a_second = 50  # homes that lost the broker together are asked to come back no faster than this, on average
messages_a_second = 500    # and to send no faster when a quarter hour ends; an hour and 14 minutes are the most asked
"""


def read_intake(number: Callable[[str, int, int], int], wrong: Callable[[str, str], SettingsError]) -> IntakeLimits:
    """The limits; `number` reads a setting by its key, default and least value. Raises: SettingsError."""
    usual = IntakeLimits()
    limits = IntakeLimits(
        **{key: number(key, getattr(usual, key), getattr(LEAST, key)) for key in IntakeLimits.__dataclass_fields__}
    )
    if limits.cut_off_after < limits.slow_after:
        raise wrong("cut_off_after", "at least slow_after: an agent is slowed before it is cut off")
    return limits
