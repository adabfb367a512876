"""Asks the hub over HTTPS where the broker is now, once connecting to the one the agent knows has failed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from edge_agent.uplink.hub_keys import KnownHubKeys
from edge_agent.uplink.moving.looking import Looking, keep_looking
from edge_agent.uplink.moving.place import BrokerPlace
from protocols.enrolment.broker_notices import build_question, parse_place
from protocols.errors import IdentityError
from protocols.wire.refusal_reasons import WireError
from protocols.wire.topics import downlink_topic

log = logging.getLogger("commonwatt.agent")

LOOK_FIRST_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class AskingParts:
    """What asking uses. `post` gives the hub's answer to a question; `random` spreads homes that lost one broker."""

    place: BrokerPlace
    hub_keys: KnownHubKeys
    coop: str
    agent: str
    post: Callable[[bytes], bytes]
    is_out_of_reach: Callable[[], bool]
    random: Callable[[], float]
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep


async def keep_asking(parts: AskingParts) -> None:
    """Ask while the broker is out of reach, at growing intervals, until cancelled. Nothing that is shown raises."""
    where = Looking("where the broker is now", LOOK_FIRST_S, parts.is_out_of_reach, parts.random, parts.pause)
    await keep_looking(where, lambda: ask_once(parts))


async def ask_once(parts: AskingParts) -> str | None:
    """Take in what the hub says if it has signed it; what is wrong with what was shown, or None."""
    try:
        shown = await asyncio.to_thread(parts.post, build_question(parts.agent).encode("ascii"))
    except IdentityError as cause:
        # An older hub does not know the question, and one that is off says nothing new: the broker's line says it.
        log.debug("%s", cause)
        return None
    try:
        sealed, certificate = parse_place(shown)
        if certificate:
            parts.hub_keys.note(certificate.encode("ascii"))
        await parts.place.note(parts.hub_keys.open(sealed, downlink_topic(parts.coop, parts.agent, kind="broker")))
    except WireError as error:
        return f"what was shown is not taken: {error.detail or error.reason.value}"
    except ValueError as cause:
        return f"what was shown is not taken: {cause}"
    return None
