"""Turns an invitation into an enrolled agent: answers POST /api/enrol as protocols.enrolment.handshake defines it."""

import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.storage.contract import MemberStore, ReadingStore
from hub.storage.errors import StoreError
from hub.storage.invite_records import InviteRefusal
from hub.storage.records import Agent, Coop
from hub.trust.invitation_keys import mask_key
from protocols.consent.rules import decode_consent, default_consent
from protocols.consent.text import consent_toml
from protocols.enrolment.answer import EnrolAnswer
from protocols.enrolment.handshake import MAX_REQUEST_BYTES, EnrolRequest, parse_request, seal_answer
from protocols.enrolment.public_keys import agent_name_of
from protocols.timeline import Clock
from protocols.wire.refusal_reasons import WireError
from protocols.wire.topics import shard_of

log = logging.getLogger(__name__)

STATUSES: Final = {
    InviteRefusal.UNKNOWN: 403,
    InviteRefusal.USED: 409,
    InviteRefusal.KNOWN_KEY: 409,
    InviteRefusal.HAS_AGENT: 409,
    InviteRefusal.EXPIRED: 410,
    InviteRefusal.VOID: 410,
}
REFUSALS_LOGGED_EACH_S: Final = 60
GUESSES: Final = (400, 403, 413)
GUESSES_PER_MINUTE: Final = 30
"""Beyond these, a wrong request learns only that; one that knows its token is still answered."""


class EnrolmentStore(MemberStore, ReadingStore, Protocol):
    """The slices of the store that enrolment uses."""


class Enrolment:
    """Call it with a request body; it returns the HTTP status and the JSON body of the response.

    `broker` returns the address where agents reach the broker; `agents_changed` is called after each enrolment.
    """

    def __init__(
        self,
        store: EnrolmentStore,
        *,
        coop: Coop,
        key: Ed25519PrivateKey,
        broker: Callable[[], tuple[str, int]],
        clock: Clock,
        agents_changed: Callable[[], Awaitable[None]],
    ) -> None:
        self._store = store
        self._coop = coop
        self._key = key
        self._broker = broker
        self._clock = clock
        self._agents_changed = agents_changed
        self._guessed_at: deque[float] = deque(maxlen=GUESSES_PER_MINUTE + 1)
        self._refused = 0
        self._logged_at_s = float("-inf")

    async def __call__(self, body: bytes) -> tuple[int, bytes]:
        """Answer a request. Bad input raises nothing: the response is one sentence with a 4xx status."""
        status, answer = await self._answer(body)
        if status != 200:
            self._log_refusal(status)
            if status in GUESSES and self._is_flood():
                return _refusal(429, "too many refused requests to enrol: try again in a minute")
        return status, answer

    async def _answer(self, body: bytes) -> tuple[int, bytes]:
        if len(body) > MAX_REQUEST_BYTES:
            return _refusal(413, f"enrolment request: larger than {MAX_REQUEST_BYTES} bytes")
        try:
            request = parse_request(body)
        except ValueError as error:
            return _refusal(400, str(error))
        except WireError as error:
            return _refusal(403, error.detail)
        if request.coop != self._coop.id:
            return _refusal(403, f"coop: this hub belongs to {self._coop.id}")
        try:
            return await self._enrol(request, body)
        except StoreError as error:
            log.error("enrolment: %s", error)
            return _refusal(503, "the hub cannot store anything at the moment: try again with the same token")

    async def _enrol(self, request: EnrolRequest, body: bytes) -> tuple[int, bytes]:
        masked = await self._store.invite_key(request.id)
        if masked is None:
            return _refusal(403, InviteRefusal.UNKNOWN)
        token_key = mask_key(masked, token_id=request.id, hub_key=self._key)
        if not request.is_from_holder(token_key):
            return _refusal(403, "mac: the sender does not know the token of this invitation")
        now = int(self._clock.now())
        name = agent_name_of(request.public_key)
        agent = Agent(name, "", shard_of(name), request.public_key, now, None)
        problem = await self._store.redeem_invite(request.id, agent=agent, now=now)
        if problem is not None:
            return _refusal(STATUSES[problem], problem)
        agents = await self._store.agents()
        enrolled = next(known for known in agents if known.id == name)
        await self._agents_changed()
        replaced = [a.id for a in agents if a.home_id == enrolled.home_id and a.revoked_at == enrolled.enrolled_at]
        instead = f" in place of {replaced[0]}" if replaced else ""
        log.info("agent %s enrolled for home %s%s", name, enrolled.home_id, instead)
        answer = seal_answer(
            await self._content(enrolled),
            agent_public_key=request.public_key,
            request=body,
            token_key=token_key,
            hub_key=self._key,
        )
        return 200, answer.encode("ascii")

    async def _content(self, enrolled: Agent) -> EnrolAnswer:
        held = await self._store.consent_bytes(enrolled.home_id)
        consent = decode_consent(held[1]) if held is not None else default_consent(enrolled.home_id)
        host, port = self._broker()
        return EnrolAnswer(
            coop=self._coop.id,
            home=enrolled.home_id,
            agent=enrolled.id,
            shard=enrolled.shard,
            hub_public_key=self._key.public_key().public_bytes_raw(),
            broker_host=host,
            broker_port=port,
            tz=self._coop.tz,
            consent=consent_toml(consent),
        )

    def _is_flood(self) -> bool:
        now_s = self._clock.now()
        self._guessed_at.append(now_s)
        return len(self._guessed_at) > GUESSES_PER_MINUTE and now_s - self._guessed_at[0] < 60

    def _log_refusal(self, status: int) -> None:
        """Count refusals and log them at most once a minute, so that nobody can fill the log."""
        self._refused += 1
        if self._clock.now() - self._logged_at_s >= REFUSALS_LOGGED_EACH_S:
            log.warning("refused %d requests to enrol, the newest with status %d", self._refused, status)
            self._refused, self._logged_at_s = 0, self._clock.now()


def _refusal(status: int, sentence: str) -> tuple[int, bytes]:
    return status, json.dumps({"error": sentence}).encode("utf-8")
