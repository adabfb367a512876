"""Tells the hub now and then what the grid meter is that this agent reads: its map's quality, its phases, its class.

Outside the chain and without a receipt, so it is told again. A hub that does not know the message refuses it: no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf

from edge_agent.uplink.sealing import AgentSigner
from protocols.wire.meter_notices import MeterNotice, encode_meter

TELL_EVERY_S = 6 * 3600.0


class MeterTeller:
    """Keeps this run's notice until it is due. `notice` is None until the time is known, or without a grid meter.

    `note` hears of each that left.
    """

    def __init__(
        self,
        signer: AgentSigner,
        *,
        monotonic: Callable[[], float],
        now: Callable[[], float],
        note: Callable[[str, bytes], None] = lambda _kind, _sealed: None,
    ) -> None:
        self._note = note
        self._sealed = b""
        self._signer = signer
        self._monotonic = monotonic
        self._now = now
        self._told_at = -inf
        self.notice: MeterNotice | None = None

    def tell(self, notice: MeterNotice | None) -> None:
        """Tell this from now on, and at once."""
        self.notice = notice
        self._told_at = -inf

    def due(self) -> tuple[str, bytes] | None:
        """The topic and sealed bytes to send now, if it is time."""
        if self.notice is None or self._monotonic() - self._told_at < TELL_EVERY_S:
            return None
        notice = replace(self.notice, at=min(max(0, int(self._now())), 2**40))
        sealed = self._signer.seal("meter", encode_meter(notice))
        self._sealed = sealed.sealed
        return sealed.topic, sealed.sealed

    def told(self) -> None:
        """The notice was handed to the broker: the next one is due much later."""
        self._told_at = self._monotonic()
        self._note("meter", self._sealed)
