"""What the hub tells agents after a group besides receipts: time, pace, refusals, maps, and that they are revoked."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.folder.intake_settings import IntakeLimits
from hub.intake.answering import refusals_told, revocations_told, seal_down, signed_by_revoked
from hub.intake.conduct import Excess
from hub.intake.group.writing import BrokerClient
from hub.intake.map_answers import MapAnswers
from hub.intake.pace import HomesPace
from hub.intake.state import IntakeVerdict
from hub.storage.maps.records import MapStore
from protocols.wire.revocations import RevocationNotice

Told = tuple[str, str, bytes]
"""Agent, kind and payload of a message to it."""


class Answers:
    """Sent at once, each with its own signature; none of them is stored."""

    def __init__(
        self, store: MapStore, broker: BrokerClient, *, coop: str, key: Ed25519PrivateKey, limits: IntakeLimits
    ) -> None:
        self._broker, self._coop, self._key = broker, coop, key
        self._maps = MapAnswers(store)
        self._pace = HomesPace(limits)
        self._revoked: Mapping[str, RevocationNotice] = {}

    async def tell(
        self,
        verdicts: Sequence[IntakeVerdict | Excess],
        times: Sequence[Told],
        *,
        waiting: int,
        homes: int,
        at: int,
        steady_s: float,
    ) -> None:
        """Answer a group: `times` are for those who asked, `waiting` is how long the queue is. Raises: StoreError."""
        maps = await self._maps.told(verdicts, steady_s=steady_s)
        self._pace.note_queue(waiting, steady_s=steady_s)
        asking = [agent for agent, *_ in times]
        paces = self._pace.told(asking, homes=homes, at=at, steady_s=steady_s) if asking else []
        for told in (*times, *paces, *refusals_told(verdicts, at=at), *maps):
            self._send(told)
        # A revoked agent learns it with everything it sends; again one answer per agent and group.
        self.tell_revoked(signed_by_revoked(verdicts))

    def know_revoked(self, notices: Mapping[str, RevocationNotice]) -> AbstractSet[str]:
        """These agents are revoked from now on; their names."""
        self._revoked = notices
        return notices.keys()

    def tell_revoked(self, agents: AbstractSet[str]) -> None:
        """Tell those of these agents that are revoked."""
        for told in revocations_told(self._revoked[agent] for agent in sorted(agents & self._revoked.keys())):
            self._send(told)

    def _send(self, told: Told) -> None:
        self._broker.publish(*seal_down(*told, coop=self._coop, key=self._key))
