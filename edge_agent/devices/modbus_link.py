"""One Modbus connection that hands on no wrong word. It can read, never write.

pymodbus passes on late, duplicate and short answers as good ones. So: one request at a time, no retry inside the
library, the count is checked, and after anything odd the connection is closed, left quiet and opened again. Where
answers carry no number of their own, `owed` says what must be asked before an answer is believed again.
"""

from __future__ import annotations

import asyncio
import termios
import time
from collections.abc import Awaitable, Callable

from pymodbus import ModbusException
from pymodbus.pdu import ExceptionResponse

from edge_agent.devices.line import (
    DeviceBusyError,
    LineSettings,
    LinkBrokenError,
    NoAnswerError,
    ReadRefusedError,
)
from edge_agent.devices.modbus_client import Answer, Client, Watch, reason_of, unopened_reason
from edge_agent.devices.owed import OwedAnswers, Question
from edge_agent.devices.seams import is_patched
from edge_agent.settings import Endpoint

HOLDING, INPUT = 3, 4
BUSY_CODES = frozenset({5, 6})
GATEWAY_CODES = frozenset({10, 11})
MAX_DRAINS = 20
MAX_NUMBER = 64_000
MAX_PROOFS = 3
"""How often a proof is asked again after it met a stray answer; each costs a new connection."""

SUSPECT_TIMEOUTS = 4
HEAD_BYTES = 9
"""What comes before the registers where answers carry a number."""

MakeClient = Callable[[Endpoint, LineSettings, Watch, Callable[[], None]], Client]


class ModbusLink:
    """One connection to one host or serial bus, opened when first needed.

    `requests` counts what was sent, `opened` how often the connection was made.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        line: LineSettings,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        make: MakeClient = Client,
    ) -> None:
        self.endpoint = endpoint
        self.line = line
        self.requests = 0
        self.opened = 0
        self._sleep = sleep
        self._monotonic = monotonic
        self._lock = asyncio.Lock()
        self._guests = asyncio.Lock()
        self._waiting = 0
        self._none_waits = asyncio.Event()
        self._none_waits.set()
        self._make = make
        self._client: Client | None = None
        # A frame of a serial line says which unit it is from; a gateway may put one unit's late answer under another's.
        self._owed = OwedAnswers(SUSPECT_TIMEOUTS * line.timeout_s, mixes_units=endpoint.has_numbers)
        self._free_at = 0.0
        self._is_asking = False
        self._stray_bytes = 0
        self._wrong_frame = False
        self._is_garbled = False
        self._heard: list[bytes] = []

    async def read_words(
        self, unit: int, function: int, *, address: int, count: int, is_guest: bool = False
    ) -> list[int]:
        """`count` registers from `address` of one device, read with function 3 or 4.

        A guest's read waits until no other one does, and delays those by at most one exchange.
        Raises: NoAnswerError, DeviceBusyError, ReadRefusedError, LinkBrokenError. After the first and the last
        the connection is closed; the next read waits until a late answer can no longer arrive, then opens it again.
        """
        if function not in (HOLDING, INPUT):
            raise ValueError(f"function {function} does not read registers")
        question = Question(unit, function, address, count)
        if not is_guest:
            self._waiting += 1
            self._none_waits.clear()
            try:
                async with self._lock:
                    return await self._believed(question)
            finally:
                self._waiting -= 1
                if not self._waiting:
                    self._none_waits.set()
        async with self._guests:
            await self._none_waits.wait()
            async with self._lock:
                return await self._believed(question)

    async def _believed(self, question: Question) -> list[int]:
        """The words of an answer that can be no other request's."""
        if self._owed.must_prove(question):
            await self._get_in_step(question)
        words = await self._exchange(question)
        if self._owed.is_suspect(question, self._monotonic()):
            await self._confirm(question)
        self._owed.remember(question)
        return words

    async def close(self) -> None:
        """Close the connection for good."""
        async with self._lock:
            self._close_client()

    async def _exchange(self, question: Question) -> list[int]:
        """One request and its answer."""
        client, gap_s = self._client, self.line.request_gap_s
        is_free = self.endpoint.has_numbers and self._free_at <= self._monotonic()
        if client is None or self._stray_bytes or not client.connected or not is_free:
            client = await self._ready()
        if gap_s:
            self._free_at = self._monotonic() + gap_s
        try:
            answer = await self._ask(client, question)
            _raise_lost_cancel()
            return self._words(answer, question)
        except (NoAnswerError, LinkBrokenError):
            self._drop(question)
            _raise_lost_cancel()
            raise
        except BaseException:
            # Cancelled during a request: the answer may still arrive and would be taken for the next one's.
            if self._is_asking:
                self._drop(question)
            raise
        finally:
            self._is_asking = False
            if gap_s:
                self._free_at = max(self._free_at, self._monotonic() + gap_s)

    async def _get_in_step(self, question: Question) -> None:
        """Wait for the answer to a request that no older answer fits, if an older one may still come.

        Raises: NoAnswerError if the device is silent, LinkBrokenError if strays keep coming.
        """
        for left in reversed(range(MAX_PROOFS)):
            if not self._owed.must_prove(question):
                return
            proof = self._owed.proof(question, self._monotonic())
            if proof is None:
                # One register, asked again and again: nothing else is known to be there. The pause must do.
                self._owed.settle(question)
                return
            sent = self.requests
            try:
                await self._exchange(proof)
            except (DeviceBusyError, ReadRefusedError):
                # Perhaps an older refusal: all refusals look alike. What is asked next is confirmed afterwards instead.
                self._owed.owe(proof, self._monotonic())
                if not left:
                    self._owed.settle(question)
                    self._owed.doubt(question, self._monotonic())
            except LinkBrokenError:
                if not left or sent == self.requests:
                    raise
            else:
                self._owed.settle(question)

    async def _confirm(self, question: Question) -> None:
        """Whether what came as the answer was not an overtaken older one: then the right one comes before the next."""
        proof = self._owed.proof(question, self._monotonic())
        if proof is None:
            return
        try:
            await self._exchange(proof)
        except (DeviceBusyError, ReadRefusedError):
            return
        except (NoAnswerError, LinkBrokenError):
            self._owed.owe(question, self._monotonic())
            raise LinkBrokenError("an answer that cannot be told from an older one") from None

    async def _ready(self) -> Client:
        """An open connection that may send now and owes no answer."""
        wait_s = self._free_at - self._monotonic()
        if wait_s > 0:
            await self._sleep(wait_s)
        if not self.endpoint.has_numbers:
            for _ in range(2):  # What has arrived is read in the loop's second turn, however long this program slept.
                await self._sleep(0)
        if self._client is not None and (self._stray_bytes or not self._client.connected):
            # Unrequested bytes: a duplicate or late answer. The next answer could not be told apart from it.
            self._drop()
            await self._sleep(max(0.0, self._free_at - self._monotonic()))
        if self._client is None:
            self._client = await self._open()
        return self._client

    async def _open(self) -> Client:
        client = self._make(self.endpoint, self.line, self._watch, self._note_garbage)
        try:
            opened = await client.connect()
            _raise_lost_cancel()
        except (asyncio.CancelledError, LinkBrokenError):
            client.close()
            raise
        except (OSError, ModbusException, RuntimeError, ValueError, termios.error) as cause:
            # termios.error is not an OSError: the adapter lacks this parity, or was just unplugged.
            client.close()
            raise LinkBrokenError(f"cannot connect to {self.endpoint.shown}: {reason_of(cause)}") from None
        if not opened:
            client.close()
            raise LinkBrokenError(f"cannot connect to {self.endpoint.shown}: {await unopened_reason(self.endpoint)}")
        try:
            if self.line.connect_delay_s:
                await self._sleep(self.line.connect_delay_s)
            await self._drain()
            # The library numbers each connection's requests from 1; an answer that outlives one would fit the next.
            client.ctx.next_tid = self.requests % MAX_NUMBER
        except BaseException:
            # Nobody else knows this connection yet: left open it would keep the only place of a one-client device.
            client.close()
            raise
        self.opened += 1
        return client

    async def _drain(self) -> None:
        """A serial bus outlives the connection: wait until it has been quiet for a moment."""
        if self.endpoint.has_numbers:
            self._stray_bytes = 0
            return
        quiet_s = max(0.005, 40.0 / self.line.baud) if self.endpoint.is_serial else 0.005
        for _ in range(MAX_DRAINS):
            self._stray_bytes = 0
            await self._sleep(quiet_s)
            if not self._stray_bytes:
                return
        raise LinkBrokenError(f"{self.endpoint.shown} is never quiet: is another program using this bus?")

    def _watch(self, is_sending: bool, packet: bytes) -> bytes:
        if is_sending or not packet:
            return packet
        if not self._is_asking:
            self._stray_bytes += len(packet)
        elif self.endpoint.has_numbers:
            # All that is not taken yet, so the frame that is taken stands in one of them.
            self._heard.append(packet)
            # pymodbus accepts transaction 0 for any request; we never send one numbered 0.
            self._wrong_frame = self._wrong_frame or (len(packet) >= 2 and packet[:2] == b"\0\0")
        return packet

    def _note_garbage(self) -> None:
        self._is_garbled = True

    async def _ask(self, client: Client, question: Question) -> Answer:
        self._is_asking, self._wrong_frame, self._is_garbled, self._heard = True, False, False, []
        self.requests += 1
        try:
            answer = await client.ask(question, self.line.timeout_s)
        except (TimeoutError, ModbusException):
            if self._is_garbled:
                raise LinkBrokenError("an answer that is no Modbus frame") from None
            if client.connected:
                raise NoAnswerError("no answer in time") from None
            raise LinkBrokenError("the other side closed the connection instead of answering") from None
        except (OSError, termios.error) as cause:
            raise LinkBrokenError(f"connection lost: {reason_of(cause)}") from None
        self._is_asking = False
        return answer

    def _words(self, answer: Answer, question: Question) -> list[int]:
        if self._wrong_frame:
            raise LinkBrokenError("an answer to no request of ours")
        if isinstance(answer, tuple):
            self._refuse_patched(int.from_bytes(self._heard[-1][:2]), question)
            return list(answer)
        if isinstance(answer, ExceptionResponse):
            if answer.exception_code in BUSY_CODES:
                raise DeviceBusyError("the device is busy")
            if answer.exception_code in GATEWAY_CODES:
                raise NoAnswerError("the gateway cannot reach the device")
            raise ReadRefusedError(answer.exception_code)
        if answer.function_code != question.function or answer.dev_id != question.unit:
            raise LinkBrokenError("an answer to another request")
        if len(answer.registers) != question.count:
            raise LinkBrokenError(f"{len(answer.registers)} registers where {question.count} were asked for")
        self._refuse_patched(answer.transaction_id, question)
        return list(answer.registers)

    def _refuse_patched(self, number: int, question: Question) -> None:
        if any(is_patched(each, number, HEAD_BYTES + 2 * question.count) for each in self._heard):
            raise LinkBrokenError("an answer put together of parts of two")

    def _drop(self, question: Question | None = None) -> None:
        """Close, and stay quiet until anything still in transit should have arrived."""
        self._close_client()
        if question is not None:
            self._owed.owe(question, self._monotonic())
        self._free_at = self._monotonic() + self.line.timeout_s

    def _close_client(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


def _raise_lost_cancel() -> None:
    """Raise the cancellation that the library swallows when it arrives together with a connection or an answer.

    asyncio.wait_for of Python 3.11 loses it then, and the agent would go on reading instead of stopping.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
