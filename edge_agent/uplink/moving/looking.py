"""Looks for what the hub may have to say while the broker is out of reach: again and again, ever less often.

It knows neither what is looked for nor where; both are passed in.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

log = logging.getLogger("commonwatt.agent")

LOOK_MAX_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Looking:
    """When to look. `first_s`: about how long after the broker was lost; `random` spreads homes that lost one broker.

    `what` names what is looked for in the log.
    """

    what: str
    first_s: float
    is_out_of_reach: Callable[[], bool]
    random: Callable[[], float]
    pause: Callable[[float], Awaitable[None]]


async def keep_looking(looking: Looking, look: Callable[[], Awaitable[str | None]]) -> None:
    """Look while the broker is out of reach, at growing intervals, until cancelled. `look` says what is wrong, or None.

    An agent that waits before it connects, as the hub may have asked, does not look meanwhile.
    """
    wait_s, said = looking.first_s, ""
    while True:
        # Homes that lost one broker, or their power, together do not open TLS together.
        await looking.pause(wait_s * (0.5 + looking.random()))
        if not looking.is_out_of_reach():
            wait_s, said = looking.first_s, ""
            continue
        problem = await look()
        if problem is not None and problem != said:
            log.warning("%s: %s", looking.what, problem)
        said = problem or ""
        wait_s = min(LOOK_MAX_S, wait_s * 2)
