"""Gets the agent's next certificate when two thirds of the present one have passed, and tries again until it has it.

The request is sent by a function that is passed in. The old certificate is used until the new one is whole on disk.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import inf

from edge_agent.uplink.sealing import AgentSigner
from edge_agent.uplink.tls.files import TlsFiles
from protocols.enrolment.certificates import Validity
from protocols.enrolment.renewal import build_renewal, parse_renewed
from protocols.errors import IdentityError

log = logging.getLogger("commonwatt.agent")

LOOK_EVERY_S = 3600.0
STOPPED_LOOK_S = 30.0
RETRY_FIRST_S = 60.0
RETRY_MAX_S = 6 * 3600.0
SPREAD = 1 / 60
"""Agents enrolled together do not all ask together: each waits up to this part of the certificate's life longer."""


@dataclass(frozen=True, slots=True)
class RenewalParts:
    """What renewing uses. `random` gives 0..1; `renewed` is called once a new certificate is stored."""

    tls: TlsFiles
    signer: AgentSigner
    post: Callable[[bytes], bytes]
    now: Callable[[], float]
    random: Callable[[], float]
    renewed: Callable[[], None]
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    is_stopped: Callable[[], bool] = lambda: False
    """Whether the household wants nothing sent; then nothing is asked for either."""


async def keep_certificate(parts: RenewalParts) -> None:
    """Renew in time, until cancelled. Never raises for anything the hub or the network does."""
    share, wait_s, said = parts.random(), RETRY_FIRST_S, ""
    while True:
        if parts.is_stopped():
            await parts.pause(STOPPED_LOOK_S)
            continue
        left_s = _due_at(parts.tls.validity(), share=share) - parts.now()
        if left_s > 0:
            # Not at once until then: the clock may be set meanwhile.
            await parts.pause(min(left_s, LOOK_EVERY_S))
            continue
        problem = await renew_once(parts)
        if problem is None:
            share, wait_s, said = parts.random(), RETRY_FIRST_S, ""
            continue
        if problem != said:
            log.warning("the certificate was not renewed: %s; it is tried again", problem)
        said = problem
        await parts.pause(wait_s * (0.5 + parts.random()))
        wait_s = min(RETRY_MAX_S, wait_s * 2)


async def renew_once(parts: RenewalParts) -> str | None:
    """Ask for a certificate and store it; what went wrong, or None."""
    try:
        body = build_renewal(
            parts.signer.key,
            agent=parts.signer.agent,
            coop=parts.signer.coop,
            csr=parts.tls.request(),
            at=int(parts.now()),
        )
        answer = await asyncio.to_thread(parts.post, body.encode("ascii"))
        validity = parts.tls.store(parse_renewed(answer))
    except IdentityError as cause:
        return str(cause)
    except ValueError as cause:
        return f"the hub's answer cannot be used: {cause}"
    except OSError as cause:
        return f"it cannot be written: {cause.strerror or cause}"
    if validity.ends_at <= parts.now():
        return "the hub gave one that has expired: its clock or this computer's is wrong"
    log.info("the certificate was renewed")
    parts.renewed()
    return None


def _due_at(validity: Validity | None, *, share: float) -> float:
    if validity is None:
        return -inf
    return validity.renew_at + (validity.ends_at - validity.begins_at) * SPREAD * share
