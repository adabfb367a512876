"""Turns an invitation into an enrolled agent: answers POST /api/enrol as protocols.enrolment.handshake defines it."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from hub.storage.contract import MemberStore, ReadingStore
from hub.storage.errors import StoreError
from hub.storage.invite_records import InviteRefusal
from hub.storage.records import Agent, Coop
from hub.trust.invitation_keys import mask_key
from hub.trust.issuing import AgentIssuer
from hub.trust.tries import Tries, refusal
from protocols.consent.rules import decode_consent, default_consent
from protocols.consent.text import consent_toml
from protocols.enrolment.answer import EnrolAnswer
from protocols.enrolment.handshake import MAX_REQUEST_BYTES, EnrolRequest, parse_request, seal_answer
from protocols.hub_keys import HubSigner
from protocols.loopback import is_loopback
from protocols.public_keys import agent_name_of
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
GUESSES: Final = (400, 403, 413)
NO_AUTHORITY: Final = (
    "this hub gives no certificates, and its broker is not on this computer: the board must set [public] in hub.toml"
)


class EnrolmentStore(MemberStore, ReadingStore, Protocol):
    """The slices of the store that enrolment uses."""


class BrokerDirectory(Protocol):
    """Where each agent begins, if the co-op has several brokers."""

    def enrolled_address(self, agent: str) -> tuple[str, int]: ...


class Enrolment:
    """Call it with a request body; it returns the HTTP status and the JSON body of the response.

    `secret` is the hub's own, which hides the keys of invitations in the store. `broker` returns the address where
    agents reach the broker, and `directory` where each does; `agents_changed` is called after each enrolment.
    With an `authority`, agents get certificates and renew them at `enrol_port` of the same host; without one, only
    agents on this computer are served. Certificates go by real time, as TLS does.
    """

    def __init__(
        self,
        store: EnrolmentStore,
        *,
        coop: Coop,
        signer: HubSigner,
        secret: bytes,
        broker: Callable[[], tuple[str, int]],
        clock: Clock,
        agents_changed: Callable[[], Awaitable[None]],
        authority: AgentIssuer | None = None,
        enrol_port: int = 0,
        real_now: Callable[[], float] = time.time,
        directory: BrokerDirectory | None = None,
    ) -> None:
        self._store = store
        self._coop = coop
        self._signer, self._secret = signer, secret
        self._broker = broker
        self._clock = clock
        self._agents_changed = agents_changed
        self._authority = authority
        self._enrol_port = enrol_port
        self._real_now = real_now
        self._directory = directory
        self._tries = Tries("requests to enrol", now=clock.now, guesses=GUESSES)

    async def __call__(self, body: bytes) -> tuple[int, bytes]:
        """Answer a request. Bad input raises nothing: the response is one sentence with a 4xx status."""
        return self._tries.note(*await self._answer(body))

    async def _answer(self, body: bytes) -> tuple[int, bytes]:
        if len(body) > MAX_REQUEST_BYTES:
            return refusal(413, f"enrolment request: larger than {MAX_REQUEST_BYTES} bytes")
        try:
            request = parse_request(body)
        except ValueError as error:
            return refusal(400, str(error))
        except WireError as error:
            return refusal(403, error.detail)
        if request.coop != self._coop.id:
            return refusal(403, f"coop: this hub belongs to {self._coop.id}")
        if self._authority is None and not is_loopback(self._broker()[0]):
            return refusal(503, NO_AUTHORITY)
        try:
            return await self._enrol(request, body)
        except StoreError as error:
            if not error.is_said:
                log.error("enrolment: %s", error)
            return refusal(503, "the hub cannot store anything at the moment: try again with the same token")

    async def _enrol(self, request: EnrolRequest, body: bytes) -> tuple[int, bytes]:
        masked = await self._store.invite_key(request.id)
        if masked is None:
            return refusal(403, InviteRefusal.UNKNOWN)
        token_key = mask_key(masked, token_id=request.id, secret=self._secret)
        if not request.is_from_holder(token_key):
            return refusal(403, "mac: the sender does not know the token of this invitation")
        now = int(self._clock.now())
        name = agent_name_of(request.public_key)
        try:
            # Before the token is used: a bad certificate request must not cost it.
            certificate = self._certificate(request, agent=name)
        except ValueError as error:
            return refusal(400, str(error))
        agent = Agent(name, "", shard_of(name), request.public_key, now, None)
        problem = await self._store.redeem_invite(request.id, agent=agent, now=now)
        if problem is not None:
            return refusal(STATUSES[problem], problem)
        agents = await self._store.agents()
        enrolled = next(known for known in agents if known.id == name)
        await self._agents_changed()
        place = (enrolled.home_id, enrolled.seat, enrolled.enrolled_at)
        replaced = [a.id for a in agents if (a.home_id, a.seat, a.revoked_at) == place]
        instead = f" in place of {replaced[0]}" if replaced else ""
        log.info("agent %s enrolled for home %s%s", name, enrolled.home_id, instead)
        answer = seal_answer(
            await self._content(enrolled, certificate),
            agent_public_key=request.public_key,
            request=body,
            token_key=token_key,
            hub_key=self._signer.key,
        )
        return 200, answer.encode("ascii")

    def _certificate(self, request: EnrolRequest, *, agent: str) -> str:
        """The agent's first certificate, or nothing for an agent on this computer. Raises: ValueError."""
        if self._authority is None:
            return ""
        if not request.csr:
            raise ValueError(f"csr: this hub gives certificates: enrol over https at port {self._enrol_port}")
        return self._authority.issue_agent(request.csr, agent=agent, now_s=int(self._real_now())).decode("ascii")

    async def _content(self, enrolled: Agent, certificate: str) -> EnrolAnswer:
        held = await self._store.consent_bytes(enrolled.home_id, seat=enrolled.seat)
        consent = decode_consent(held[1]) if held is not None else default_consent(enrolled.home_id)
        host, port = self._broker() if self._directory is None else self._directory.enrolled_address(enrolled.id)
        return EnrolAnswer(
            coop=self._coop.id,
            home=enrolled.home_id,
            agent=enrolled.id,
            shard=enrolled.shard,
            hub_public_key=self._signer.identity,
            broker_host=host,
            broker_port=port,
            tz=self._coop.tz,
            consent=consent_toml(consent),
            broker_tls=self._authority is not None,
            enrol_port=self._enrol_port if self._authority is not None else 0,
            root=self._authority.root_pem.decode("ascii") if self._authority is not None else "",
            certificate=certificate,
            hub_certificate=self._signer.certificate or "",
        )
