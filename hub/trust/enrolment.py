"""Turns an invitation into an enrolled agent: answers POST /api/enrol as protocols.enrolment.handshake defines it."""

import json
import logging
from base64 import b32encode
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Protocol

from hub.storage.contract import MemberStore, ReadingStore
from hub.storage.records import Agent, Coop
from protocols.consent.rules import decode_consent, default_consent
from protocols.consent.text import consent_toml
from protocols.enrolment.handshake import EnrolAnswer, EnrolRequest, build_answer, fingerprint, parse_request
from protocols.enrolment.token import token_hash
from protocols.timeline import Clock
from protocols.wire.refusal_reasons import WireError
from protocols.wire.topics import shard_of

log = logging.getLogger(__name__)


class EnrolmentStore(MemberStore, ReadingStore, Protocol):
    """The slices of the store that enrolment uses."""


def agent_id_of(public_key: bytes) -> str:
    """The id of an agent, derived from its key: `a-` and eight letters or digits."""
    return "a-" + b32encode(sha256(public_key).digest()[:5]).decode("ascii").lower()


class Enrolment:
    """Call it with a request body; it returns the HTTP status and the JSON body of the response.

    `broker` returns the address where agents reach the broker; `agents_changed` is called after each enrolment.
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
        """Answer a request. Bad input raises nothing: the response is one sentence with a 4xx status."""
        try:
            request = parse_request(body)
        except ValueError as error:
            return _refusal(400, str(error))
        except WireError as error:
            return _refusal(403, error.detail)
        if request.coop != self._coop.id:
            return _refusal(403, f"coop: this hub belongs to {self._coop.id}")
        return await self._enrol(request)

    async def _enrol(self, request: EnrolRequest) -> tuple[int, bytes]:
        now = int(self._clock.now())
        agent_id = agent_id_of(request.public_key)
        agent = Agent(agent_id, "", shard_of(agent_id), request.public_key, now, None)
        problem = await self._store.redeem_invite(token_hash(request.token), agent=agent, now=now)
        if problem is not None:
            return _refusal(403, problem)
        enrolled = next(known for known in await self._store.agents() if known.id == agent_id)
        await self._agents_changed()
        # The home's screen shows the same six digits; compared by phone, they prove that nobody swapped the keys.
        digits = fingerprint(request.public_key, self._public_key)
        log.info("agent %s enrolled for home %s, fingerprint %s", agent_id, enrolled.home_id, digits)
        held = await self._store.consent_bytes(enrolled.home_id)
        consent = decode_consent(held[1]) if held is not None else default_consent(enrolled.home_id)
        host, port = self._broker()
        answer = EnrolAnswer(
            coop=self._coop.id,
            home=enrolled.home_id,
            agent=agent_id,
            shard=enrolled.shard,
            hub_public_key=self._public_key,
            broker_host=host,
            broker_port=port,
            tz=self._coop.tz,
            consent=consent_toml(consent),
        )
        return 200, build_answer(answer).encode("utf-8")


def _refusal(status: int, sentence: str) -> tuple[int, bytes]:
    return status, json.dumps({"error": sentence}).encode("utf-8")
