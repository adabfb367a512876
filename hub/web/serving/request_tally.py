"""Counts requests for the hub's health: by area of the pages and class of status, and how long they took.

An area is the first part of the address of a known page, so that no name, day or token in an address is counted.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable

from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.health.counters import Durations
from hub.health.facts import PagesHealth
from hub.health.trail import new_id, working

OTHER = "other"
HOME = "today"


class RequestTally:
    """What was answered since the pages were started; `routes` are those of the application."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._areas = {_first_part(path) for route in routes if (path := getattr(route, "path", ""))}
        self._requests: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._took = Durations()
        self._open = 0
        self._turned_away = 0

    def counting(self, app: ASGIApp) -> ASGIApp:
        """The application, with every request counted; each gets an id, which its answer and its log lines carry."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            began_s, status, request_id = time.monotonic(), 500, new_id()

            async def noted(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
                await send(message)

            self._open += 1
            try:
                with working("request", request=request_id) as work:
                    await app(scope, receive, noted)
                    work.note(area=self._area(scope["path"]), status=status)
            finally:
                self._open -= 1
                self._requests[self._area(scope["path"])][f"{status // 100}xx"] += 1
                self._took.note(time.monotonic() - began_s)

        return counted

    def note_turned_away(self) -> None:
        """A request was refused, because too many were waiting."""
        self._turned_away += 1

    @property
    def health(self) -> PagesHealth:
        """The counts so far."""
        requests = {area: dict(by_status) for area, by_status in self._requests.items()}
        return PagesHealth(requests, self._took.buckets, self._turned_away, self._open)

    def _area(self, path: str) -> str:
        area = _first_part(path)
        return area if area in self._areas else OTHER


def _first_part(path: str) -> str:
    """The first part of an address, without the ending of a file.

    >>> _first_part("/credits/2026-06-11"), _first_part("/credits.json"), _first_part("/")
    ('credits', 'credits', 'today')
    """
    return path.strip("/").split("/")[0].split(".")[0] or HOME
