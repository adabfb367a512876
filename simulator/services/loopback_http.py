"""A small HTTP server on 127.0.0.1 that answers GET with JSON; what is answered is handed in.

Not for the open network: no TLS, no sign-in, one request per connection.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

MAX_HEAD_BYTES = 8192
READ_WITHIN_S = 10.0
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


@dataclass(frozen=True, slots=True)
class LoopbackResponse:
    """A status code and what goes out as JSON."""

    status: int
    content: object


Route = Callable[[Mapping[str, str]], LoopbackResponse | Awaitable[LoopbackResponse]]


class LoopbackServer:
    """Serves routes by path; each gets the query as a mapping."""

    def __init__(self, routes: Mapping[str, Route]) -> None:
        self._routes = routes
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> int:
        """Listen on the loopback; the port is returned. Raises: OSError."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=MAX_HEAD_BYTES)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(READ_WITHIN_S):
                head = await reader.readuntil(b"\r\n\r\n")
            writer.write(_response(await self._answer(head)))
            await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            # A caller that sends no whole request gets no answer; it has hung up or is no HTTP client.
            return
        finally:
            writer.close()

    async def _answer(self, head: bytes) -> LoopbackResponse:
        line = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(line) != 3 or not line[2].startswith("HTTP/1."):
            return LoopbackResponse(400, {"error": True, "reason": "not an HTTP request"})
        if line[0] != "GET":
            return LoopbackResponse(405, {"error": True, "reason": "only GET is served"})
        parts = urlsplit(line[1])
        route = self._routes.get(parts.path)
        if route is None:
            return LoopbackResponse(
                404, {"error": True, "reason": f"nothing here: try {', '.join(sorted(self._routes))}"}
            )
        try:
            query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        except ValueError:
            return LoopbackResponse(400, {"error": True, "reason": "the query cannot be read"})
        answer = route(query)
        return answer if isinstance(answer, LoopbackResponse) else await answer


def _response(answer: LoopbackResponse) -> bytes:
    body = json.dumps(answer.content, separators=(",", ":")).encode()
    head = (
        f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Answer')}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
