"""A read-only Modbus TCP server in front of a device: reads go through the agent's connection, writes are refused.

Nothing is cached: every answer is the device's own. The agent's readings come first, and a guest can neither fill the
memory nor hold the line with requests that the device leaves unanswered.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from edge_agent.devices.line import DeviceBusyError, DeviceReadError, NoAnswerError, ReadRefusedError, RegisterLink
from edge_agent.devices.modbus_link import HOLDING, INPUT
from edge_agent.devices.reader import Device
from edge_agent.sections.proxy import ProxyChoice
from protocols.maps.planning import BlockLimits, Span

log = logging.getLogger("commonwatt.agent")

MAX_GUESTS: Final = 8
MAX_REGISTERS: Final = 125
IDLE_S: Final = 600.0
"""A guest that asks nothing for so long makes room for another."""

SPARED_S: Final = 60.0
"""For so long a read is not asked again that the device left unanswered: each costs a time-out and a new connection."""

MAX_SPARED: Final = 64
RETRY_S: Final = 60.0
_HEADER = 7
_ILLEGAL_FUNCTION, _ILLEGAL_ADDRESS, _ILLEGAL_VALUE, _BUSY, _NO_ANSWER = 1, 2, 3, 6, 11
_WHOLE_NETWORK = (0, 255)
"""Unit ids that clients use for "the device at this address"."""


@dataclass(frozen=True, slots=True)
class Served:
    """The device behind a proxy: its connection, its unit id there, and what must not be read of it."""

    link: RegisterLink
    unit: int
    limits: BlockLimits


class ReadOnlyProxy:
    """One device for up to eight guests at one address."""

    def __init__(self, choice: ProxyChoice, served: Served, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._choice = choice
        self._served = served
        self._monotonic = monotonic
        self._guests: set[asyncio.StreamWriter] = set()
        self._spared: dict[Span, float] = {}

    async def run(self) -> None:
        """Serve until cancelled. An address that is taken is tried again; measuring goes on meanwhile."""
        choice, said = self._choice, False
        if not choice.is_local:
            log.warning("proxy at %s: every device in this network can read %r there", choice.shown, choice.device)
        while True:
            try:
                server = await asyncio.start_server(self._serve, choice.host, choice.port, limit=4096)
            except OSError as cause:
                if not said:
                    why = cause.strerror or cause
                    log.error("proxy for %r: cannot listen at %s: %s; trying on", choice.device, choice.shown, why)
                said = True
                await asyncio.sleep(RETRY_S)
                continue
            log.info("proxy: %r can be read at %s by other programs", choice.device, choice.shown)
            try:
                # Not serve_forever: from Python 3.12 on, its end waits for guests, who may stay for minutes.
                await asyncio.get_running_loop().create_future()
            finally:
                server.close()
                for guest in tuple(self._guests):
                    guest.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._guests) >= MAX_GUESTS:
            writer.close()
            return
        self._guests.add(writer)
        try:
            while True:
                async with asyncio.timeout(IDLE_S):
                    head = await reader.readexactly(_HEADER)
                    length = int.from_bytes(head[4:6], "big")
                    if head[2:4] != b"\0\0" or not 2 <= length <= 254:
                        return
                    asked = await reader.readexactly(length - 1)
                answer = await self.answer(head[6], asked)
                writer.write(head[:4] + (len(answer) + 1).to_bytes(2, "big") + head[6:] + answer)
                async with asyncio.timeout(IDLE_S):
                    await writer.drain()
        except (asyncio.IncompleteReadError, TimeoutError, OSError):
            return
        finally:
            self._guests.discard(writer)
            with contextlib.suppress(RuntimeError):  # the loop is closed already
                writer.close()

    async def answer(self, unit: int, asked: bytes) -> bytes:
        """What a guest is told to this request: the device's registers, or why not."""
        function = asked[0]
        if function not in (HOLDING, INPUT):
            return _refusal(function, _ILLEGAL_FUNCTION)
        if len(asked) != 5:
            return _refusal(function, _ILLEGAL_VALUE)
        if unit not in (self._served.unit, *_WHOLE_NETWORK):
            return _refusal(function, _NO_ANSWER)
        span = Span(function, int.from_bytes(asked[1:3], "big"), int.from_bytes(asked[3:5], "big"))
        if not 1 <= span.count <= MAX_REGISTERS:
            return _refusal(function, _ILLEGAL_VALUE)
        if span.end > 0x10000 or self._is_forbidden(span):
            return _refusal(function, _ILLEGAL_ADDRESS)
        return await self._read(span)

    def _is_forbidden(self, span: Span) -> bool:
        return BlockLimits(no_read=self._served.limits.no_read).allows(span) is not None

    async def _read(self, span: Span) -> bytes:
        now_s = self._monotonic()
        self._spared = {each: until_s for each, until_s in self._spared.items() if until_s > now_s}
        if span in self._spared:
            return _refusal(span.function, _NO_ANSWER)
        if len(self._spared) >= MAX_SPARED:
            # A guest that searches the whole device: each register that is not there costs the line a time-out.
            return _refusal(span.function, _BUSY)
        try:
            words = await self._served.link.read_words(
                self._served.unit, span.function, address=span.address, count=span.count, is_guest=True
            )
        except ReadRefusedError as refusal:
            return _refusal(span.function, refusal.code)
        except DeviceBusyError:
            return _refusal(span.function, _BUSY)
        except NoAnswerError:
            self._spared[span] = self._monotonic() + SPARED_S
            return _refusal(span.function, _NO_ANSWER)
        except DeviceReadError:
            return _refusal(span.function, _NO_ANSWER)
        content = b"".join(word.to_bytes(2, "big") for word in words)
        return bytes([span.function, len(content)]) + content


def make_proxies(
    choices: Iterable[ProxyChoice], fleet: Sequence[tuple[RegisterLink, Sequence[Device]]]
) -> list[ReadOnlyProxy]:
    """A proxy for each choice, over the connection that the agent reads the device by."""
    served = {
        device.settings.name: Served(link, device.settings.unit, device.device_map.blocks)
        for link, devices in fleet
        for device in devices
    }
    return [ReadOnlyProxy(choice, served[choice.device]) for choice in choices]


def _refusal(function: int, code: int) -> bytes:
    return bytes([function | 0x80, code & 0xFF])
