"""A meter at the home's broker, read as if its newest values were registers. It listens only and tells nothing.

A reading waits for values that are told after it was asked for, as long as its time-out; then it takes what is not
too old. Without any it fails as a broken line does: nothing is learned of the meter from silence.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from edge_agent.devices.broker_values.told_values import REGISTERS, ToldValues
from edge_agent.devices.line import LineSettings, LinkBrokenError, ReadRefusedError
from edge_agent.home_broker.address import Credentials, HomeBroker
from edge_agent.home_broker.session import HomeBrokerSession
from edge_agent.sections.broker_values import BrokerValues
from edge_agent.settings import Endpoint

HOLDING: Final = 3
NO_SUCH_REGISTER: Final = 2


class BrokerValuesLink:
    """The values of one meter, subscribed to when first needed. `opened` counts how often the broker took us in."""

    def __init__(
        self, endpoint: Endpoint, line: LineSettings, *, values: BrokerValues, credentials: Credentials
    ) -> None:
        self.endpoint = endpoint
        self.line = line
        self.requests = 0
        self.opened = 0
        self._told = ToldValues(values)
        self._topics = tuple({each.topic: None for each in values.topics})
        self._broker = HomeBroker(endpoint.host, endpoint.port, endpoint.wire == "mqtts")
        self._credentials = credentials
        self._session: HomeBrokerSession | None = None
        self._heard = asyncio.Event()
        self._trouble = "no connection"

    async def read_words(
        self, unit: int, function: int, *, address: int, count: int, is_guest: bool = False
    ) -> list[int]:
        """`count` registers of the newest values; unit and guest play no part.

        Raises: LinkBrokenError without a broker or without a value that counts, ReadRefusedError for registers that
        are none.
        """
        if function != HOLDING or address < 0 or address + count > REGISTERS:
            raise ReadRefusedError(NO_SUCH_REGISTER)
        self.requests += 1
        session = self._session or self._start()
        clock = asyncio.get_running_loop().time
        asked_s = clock()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.line.timeout_s):
                while not self._told.all_since(asked_s):
                    self._heard.clear()
                    await self._heard.wait()
        if not session.is_up:
            raise LinkBrokenError(f"the home's broker: {self._trouble}")
        if not self._told.fresh(clock()):
            raise LinkBrokenError(f"no new value at {', '.join(self._topics)}"[:200])
        return self._told.words(clock())[address : address + count]

    async def close(self) -> None:
        """Leave the broker."""
        session, self._session = self._session, None
        if session is not None:
            await session.leave()

    def note_up(self) -> None:
        """The broker knows what we want to hear."""
        self.opened += 1

    def note_down(self, words: str) -> None:
        """There is no connection now."""
        self._trouble = words

    def note_message(self, topic: str, payload: bytes, *, is_retained: bool) -> None:
        """Something was told."""
        self._told.note(topic, payload, at_s=asyncio.get_running_loop().time(), is_retained=is_retained)
        self._heard.set()

    def _start(self) -> HomeBrokerSession:
        # Without a name of its own, so that two agents at one broker do not push each other out.
        session = HomeBrokerSession(
            self, self._broker, credentials=self._credentials, client_id="", topics=self._topics
        )
        session.start()
        self._session = session
        return session
