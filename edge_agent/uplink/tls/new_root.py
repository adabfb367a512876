"""Follows the co-op to a new root certificate: asked for once connecting has failed, and taken if it is genuine.

What the hub shows comes from anybody; the co-op's identity key, pinned at enrolment, decides what counts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from edge_agent.uplink.moving.looking import Looking, keep_looking
from edge_agent.uplink.tls.renewal import RenewalParts, renew_once
from protocols.enrolment.trust_root import open_new_root
from protocols.errors import IdentityError

log = logging.getLogger("commonwatt.agent")

LOOK_FIRST_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class RootParts:
    """What following uses. `fetch` gives what the hub's place says its root is, from whoever answers there."""

    renewal: RenewalParts
    identity: bytes
    fetch: Callable[[], bytes]
    is_out_of_reach: Callable[[], bool]
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep


async def keep_root(parts: RootParts) -> None:
    """Look while the broker is out of reach, at growing intervals, until cancelled. Nothing that is shown raises."""
    root = Looking("the hub's root certificate", LOOK_FIRST_S, parts.is_out_of_reach, parts.renewal.random, parts.pause)
    await keep_looking(root, lambda: look_once(parts))


async def look_once(parts: RootParts) -> str | None:
    """Take a new root if there is one, and a certificate under it; what is wrong with what was shown, or None."""
    tls, signer = parts.renewal.tls, parts.renewal.signer
    try:
        shown = await asyncio.to_thread(parts.fetch)
    except IdentityError as cause:
        # The same as for the broker, whose log line says it.
        log.debug("%s", cause)
        return None
    try:
        root = open_new_root(shown, coop=signer.coop, identity=parts.identity, held=tls.root)
        if root is not None:
            # If power fails before this line, it is asked for again; after it, a certificate under it is asked for.
            tls.store_root(root)
            log.warning("the co-op has a new root certificate, signed by its identity key: only that is trusted now")
    except ValueError as cause:
        return f"what was shown is not taken: {cause}"
    except OSError as cause:
        return f"the new one cannot be written: {cause.strerror or cause}"
    return await renew_once(parts.renewal) if tls.validity() is None else None
