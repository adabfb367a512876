"""Keeps the agent's session at the broker open as long as its certificate is valid; a new certificate gets a new one.

So does a new place of the broker. Without TLS it is open always. It decides nothing about messages.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable

from edge_agent.uplink.broker_session import BrokerSession
from edge_agent.uplink.moving.place import Address, BrokerPlace
from edge_agent.uplink.tls.certificate_text import PLAIN_ELSEWHERE, certificate_trouble
from edge_agent.uplink.tls.files import TlsFiles
from protocols.enrolment.certificates import Validity
from protocols.loopback import is_loopback


class BrokerConnection:
    """One session at a time. `make` makes one for a TLS context, or for None; `note_down` hears why none is open."""

    def __init__(
        self,
        make: Callable[[ssl.SSLContext | None], BrokerSession],
        *,
        broker: BrokerPlace,
        tls: TlsFiles | None,
        now: Callable[[], float],
        note_down: Callable[[str | None], None],
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._make = make
        self._broker = broker
        self._tls = tls
        self._now = now
        self._note_down = note_down
        self._is_stopped = is_stopped
        self._session: BrokerSession | None = None
        self._of: Validity | None = None
        self._at: Address | None = None
        self._found: Validity | None = None if tls is None else tls.validity()

    def use_renewed(self) -> None:
        """Take up the certificate that was stored; the session changes to it at the next `keep`."""
        self._found = None if self._tls is None else self._tls.validity()

    async def keep(self) -> None:
        """Open, change or close the session as the certificate allows; call inside the running event loop, often."""
        if self._is_stopped():
            # The household wants nothing sent: not even that the agent is there is told.
            self._note_down(None)
            await self.leave()
            return
        self._broker.look()
        problem = self._problem()
        is_other = self._of != self._found or self._at != self._broker.address
        if self._session is not None and (problem is not None or is_other):
            self._note_down(None)
            await self.leave()
        if problem is not None:
            self._note_down(problem)
            return
        if self._session is None:
            self._open()

    def publish(self, topic: str, sealed: bytes) -> bool:
        """Hand a message to the broker; False if it cannot go just now."""
        return self._session is not None and self._session.publish(topic, sealed)

    async def leave(self) -> None:
        """Disconnect, with a time limit."""
        session, self._session = self._session, None
        if session is not None:
            await session.leave()

    def _problem(self) -> str | None:
        if self._tls is None:
            return None if is_loopback(self._broker.address[0]) else PLAIN_ELSEWHERE
        return certificate_trouble(self._found, now_s=self._now())

    def _open(self) -> None:
        try:
            context = None if self._tls is None else self._tls.context()
        except (OSError, ValueError) as cause:
            self._note_down(f"the certificate cannot be used: {cause}: it is asked for again")
            self._found = None
            return
        self._of, self._at = self._found, self._broker.address
        self._session = self._make(context)
        self._session.start(*self._at)
        self._broker.note_begun()
