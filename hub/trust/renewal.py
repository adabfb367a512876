"""Gives enrolled agents their next certificates: answers POST /api/renew as protocols.enrolment.renewal defines it."""

import logging
import time
from collections.abc import Callable
from typing import Final

from hub.storage.contract import MemberStore
from hub.storage.errors import StoreError
from hub.storage.records import Coop
from hub.trust.issuing import AgentIssuer
from hub.trust.tries import Tries, refusal
from protocols.enrolment.renewal import (
    MAX_CLOCK_OFF_S,
    MAX_REQUEST_BYTES,
    RenewRequest,
    build_renewed,
    parse_renewal,
)

log = logging.getLogger(__name__)

GUESSES: Final = (400, 403, 409, 413)
REVOKED: Final = "this agent is revoked: ask the co-op for a new invitation"
UNKNOWN: Final = "no enrolled agent has this name and key"


class Renewal:
    """Call it with a request body; it returns the HTTP status and the JSON body of the response.

    `now` is real time, as TLS goes by it: certificates know no timeline.
    """

    def __init__(
        self, store: MemberStore, *, coop: Coop, authority: AgentIssuer, now: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._coop = coop
        self._authority = authority
        self._now = now
        self._tries = Tries("requests to renew", now=now, guesses=GUESSES)
        # Kept in memory only: a request from before the hub's start is too old after ten minutes, and one repeated
        # within them gives away nothing but a certificate for the agent's own key.
        self._renewed_at: dict[str, int] = {}

    async def __call__(self, body: bytes) -> tuple[int, bytes]:
        """Answer a request. Bad input raises nothing: the response is one sentence with a 4xx status."""
        return self._tries.note(*await self._answer(body))

    async def _answer(self, body: bytes) -> tuple[int, bytes]:
        if len(body) > MAX_REQUEST_BYTES:
            return refusal(413, f"renewal request: larger than {MAX_REQUEST_BYTES} bytes")
        try:
            request = parse_renewal(body)
        except ValueError as error:
            return refusal(400, str(error))
        try:
            agents = await self._store.agents()
        except StoreError as error:
            if not error.is_said:
                log.error("renewal: %s", error)
            return refusal(503, "the hub cannot read its store at the moment: try again")
        agent = next((each for each in agents if each.id == request.agent), None)
        if agent is None or not request.is_signed_by(agent.public_key, coop=self._coop.id):
            return refusal(403, UNKNOWN)
        if agent.revoked_at is not None:
            return refusal(403, REVOKED)
        return self._renew(request)

    def _renew(self, request: RenewRequest) -> tuple[int, bytes]:
        """Answer a request of an agent in good standing."""
        now_s = int(self._now())
        off_s = request.at - now_s
        if abs(off_s) > MAX_CLOCK_OFF_S:
            way = "ahead of" if off_s > 0 else "behind"
            return refusal(409, f"at: the agent's clock is {abs(off_s) // 60} minutes {way} the hub's: set it")
        if request.at <= self._renewed_at.get(request.agent, -1):
            return refusal(409, "at: a request of the same time or later was answered already: make a new one")
        try:
            certificate = self._authority.issue_agent(request.csr, agent=request.agent, now_s=now_s)
        except ValueError as error:
            return refusal(400, str(error))
        self._renewed_at[request.agent] = request.at
        log.info("agent %s has a new certificate", request.agent)
        return 200, build_renewed(certificate.decode("ascii")).encode("ascii")
