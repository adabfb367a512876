"""A meter that sends by itself, read as if its last telegram were registers. It can hear, never speak.

The line is listened to all the time, so that nothing old waits in a buffer; a reading takes the first telegram that
ends after it was asked for.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

import serial

from edge_agent.devices.line import LineSettings, LinkBrokenError, ReadRefusedError
from edge_agent.devices.telegrams.meter_values import REGISTERS, MeterValues, TelegramError
from edge_agent.devices.telegrams.p1 import P1Stream
from edge_agent.devices.telegrams.sml import SmlStream
from edge_agent.settings import Endpoint

READ_AT_ONCE: Final = 4096
HOLDING: Final = 3
NO_SUCH_REGISTER: Final = 2


class Stream(Protocol):
    """Finds telegrams in bytes."""

    def add(self, data: bytes) -> list[MeterValues]:
        """The telegrams these bytes complete. Raises TelegramError."""


class TelegramLink:
    """One meter's line, opened when first needed. `opened` counts how often."""

    def __init__(self, endpoint: Endpoint, line: LineSettings) -> None:
        self.endpoint = endpoint
        self.line = line
        self.requests = 0
        self.opened = 0
        self._stream: Stream = P1Stream() if endpoint.framing == "p1" else SmlStream()
        self._listening: asyncio.Task[None] | None = None
        self._heard = asyncio.Condition()
        self._words: list[int] = []
        self._telegrams = 0
        self._trouble = ""

    async def read_words(
        self, unit: int, function: int, *, address: int, count: int, is_guest: bool = False
    ) -> list[int]:
        """`count` registers of the next telegram; unit and guest play no part.

        Raises: LinkBrokenError if none that can be read came in time or the line is gone, ReadRefusedError for
        registers that no telegram has.
        """
        if function != HOLDING or address < 0 or address + count > REGISTERS:
            raise ReadRefusedError(NO_SUCH_REGISTER)
        self.requests += 1
        await self._listen()
        before, self._trouble = self._telegrams, ""
        try:
            async with asyncio.timeout(self.line.timeout_s), self._heard:
                await self._heard.wait_for(lambda: self._telegrams > before or self._listening is None)
        except TimeoutError:
            raise self._silence() from None
        if self._telegrams == before:
            raise self._silence()
        return self._words[address : address + count]

    async def close(self) -> None:
        """Stop listening and close the line."""
        if self._listening is not None:
            self._listening.cancel()
            with suppress(asyncio.CancelledError):
                await self._listening
            self._listening = None

    def _silence(self) -> LinkBrokenError:
        """Never NoAnswerError: that would teach the reader that the meter lacks these registers."""
        waited = f"no telegram within {self.line.timeout_s:g} s: is the port switched on and free?"
        return LinkBrokenError(self._trouble or waited)

    async def _listen(self) -> None:
        if self._listening is not None:
            return
        try:
            async with asyncio.timeout(self.line.connect_limit_s):
                reader, release = await self._open()
        except (OSError, TimeoutError) as trouble:
            reason = trouble.strerror if isinstance(trouble, OSError) and trouble.strerror else "no connection"
            raise LinkBrokenError(f"cannot be opened: {reason}") from None
        self.opened += 1
        self._listening = asyncio.create_task(self._hear(reader, release))

    async def _open(self) -> tuple[asyncio.StreamReader, Callable[[], None]]:
        if not self.endpoint.is_serial:
            reader, writer = await asyncio.open_connection(self.endpoint.host, self.endpoint.port, limit=READ_AT_ONCE)
            return reader, writer.close
        try:
            port = serial.Serial(
                self.endpoint.path,
                self.line.baud,
                bytesize=self.line.bits,
                parity=self.line.parity,
                stopbits=self.line.stop,
                timeout=0,
                exclusive=True,
            )
        except serial.SerialException as trouble:
            reason = os.strerror(trouble.errno) if trouble.errno else str(trouble).splitlines()[0][:120]
            raise OSError(trouble.errno or 0, reason) from None
        reader = asyncio.StreamReader(limit=READ_AT_ONCE)
        protocol = asyncio.StreamReaderProtocol(reader)
        # A pipe of its own: the loop closes what it reads, and pyserial its own descriptor.
        pipe = os.fdopen(os.dup(port.fileno()), "rb", buffering=0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)

        def release() -> None:
            transport.close()
            port.close()

        return reader, release

    async def _hear(self, reader: asyncio.StreamReader, release: Callable[[], None]) -> None:
        try:
            while data := await reader.read(READ_AT_ONCE):
                try:
                    telegrams = self._stream.add(data)
                except TelegramError as trouble:
                    self._trouble = str(trouble)
                    continue
                if telegrams:
                    async with self._heard:
                        self._words = telegrams[-1].words()
                        self._telegrams += 1
                        self._heard.notify_all()
            self._trouble = "the line was closed"
        except OSError as trouble:
            self._trouble = f"the line broke: {trouble.strerror or 'unknown'}"
        finally:
            release()
            self._listening = None
            async with self._heard:
                self._heard.notify_all()
