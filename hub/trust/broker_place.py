"""Answers POST /api/broker, with which an agent asks where its broker is, as protocols.enrolment has it."""

from collections.abc import Callable
from typing import Final, Protocol

from hub.trust.tries import Tries, refusal
from protocols.enrolment.broker_notices import MAX_QUESTION_BYTES, build_place, parse_question

GUESSES: Final = (400, 413)


class Notices(Protocol):
    """What seals where an agent's broker is."""

    @property
    def certificate(self) -> str: ...
    async def sealed(self, agent: str) -> tuple[str, bytes]: ...


class PlaceAnswers:
    """Call it with a request body; it returns the HTTP status and the JSON body of the response.

    Anybody may ask: the answer names a broker that everybody can look up, and only its agent takes it.
    """

    def __init__(self, notices: Notices, *, now: Callable[[], float]) -> None:
        self._notices = notices
        self._tries = Tries("questions for the broker", now=now, guesses=GUESSES)

    async def __call__(self, body: bytes) -> tuple[int, bytes]:
        """Bad input raises nothing: the response is one sentence with a 4xx status."""
        return self._tries.note(*await self._answer(body))

    async def _answer(self, body: bytes) -> tuple[int, bytes]:
        if len(body) > MAX_QUESTION_BYTES:
            return refusal(413, f"question for the broker: larger than {MAX_QUESTION_BYTES} bytes")
        try:
            agent = parse_question(body)
        except ValueError as error:
            return refusal(400, str(error))
        _, sealed = await self._notices.sealed(agent)
        return 200, build_place(sealed, hub_certificate=self._notices.certificate).encode("ascii")
