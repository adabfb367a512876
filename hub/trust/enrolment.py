"""Turns an invitation into an enrolled agent: the answer to POST /api/enrol. Forms: protocols.enrolment.handshake."""

import json
import logging
from base64 import b32encode
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Protocol

from hub.storage.contract import MemberStore, ReadingStore
from hub.storage.records import Agent, Coop
from protocols.consent.reduction import consent_toml, decode_consent, default_consent
from protocols.enrolment.handshake import (
    EnrolAnswer,
    EnrolRequest,
    build_answer,
    fingerprint,
    parse_request,
    token_hash,
)
from protocols.timeline import Clock
from protocols.wire.refusal_reasons import WireError
from protocols.wire.topics import shard_of

log = logging.getLogger(__name__)


class EnrolmentStore(MemberStore, ReadingStore, Protocol):
    """The slices of the store enrolment works on."""


def agent_id_of(public_key: bytes) -> str:
    """The name of an agent, made from its key: `a-` and eight letters or digits."""
    return "a-" + b32encode(sha256(public_key).digest()[:5]).decode("ascii").lower()


class Enrolment:
    """Call it with the body of a request; it gives the HTTP status and the JSON body of the answer.

    `broker` is where agents reach the broker; `agents_changed` is told after an agent was enrolled.
    """

    def __init__(
        self,
        store: EnrolmentStore,
        *,
        coop: Coop,
        public_key: bytes,
        broker: Callable[[], tuple[str, int]],
        clock: Clock,
        agents_changed: Callable[[], Awaitable[None]],
    ) -> None:
        self._store = store
        self._coop = coop
        self._public_key = public_key
        self._broker = broker
        self._clock = clock
        self._agents_changed = agents_changed

    async def __call__(self, body: bytes) -> tuple[int, bytes]:
        """Raises nothing for bad input: whatever is wrong becomes one sentence and a 4xx status."""
        try:
            request = parse_request(body)
        except ValueError as error:
            return _no(400, str(error))
        except WireError as error:
            return _no(403, error.detail)
        if request.coop != self._coop.id:
            return _no(403, f"coop: this hub belongs to {self._coop.id}")
        return await self._enrol(request)

    async def _enrol(self, request: EnrolRequest) -> tuple[int, bytes]:
        now = int(self._clock.now())
        agent_id = agent_id_of(request.public_key)
        agent = Agent(agent_id, "", shard_of(agent_id), request.public_key, now, None)
        why_not = await self._store.redeem_invite(token_hash(request.token), agent=agent, now=now)
        if why_not is not None:
            return _no(403, why_not)
        enrolled = next(known for known in await self._store.agents() if known.id == agent_id)
        await self._agents_changed()
        # The home's screen shows the same six digits: read out over the phone they prove that nobody stood between.
        digits = fingerprint(request.public_key, self._public_key)
        log.info("agent %s enrolled for home %s, fingerprint %s", agent_id, enrolled.home_id, digits)
        held = await self._store.consent_bytes(enrolled.home_id)
        consent = decode_consent(held[1]) if held is not None else default_consent(enrolled.home_id)
        host, port = self._broker()
        answer = EnrolAnswer(
            *(self._coop.id, enrolled.home_id, agent_id, enrolled.shard, self._public_key, host, port),
            tz=self._coop.tz,
            consent=consent_toml(consent),
        )
        return 200, build_answer(answer).encode("utf-8")


def _no(status: int, sentence: str) -> tuple[int, bytes]:
    return status, json.dumps({"error": sentence}).encode("utf-8")
