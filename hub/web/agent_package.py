"""Hands the agent's Debian packages to homes: a list with the SHA-256 of each, and the files. It needs no sign-in."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

PATH: Final = "/api/agent-package"
DOWNLOADS_AT_ONCE: Final = 2
"""Fewer than the requests that are answered at a time: slow downloads leave room for enrolment."""

DOWNLOAD_WITHIN_S: Final = 900.0
"""Whoever reads more slowly is cut off, so that nobody keeps a place from others without end."""


class Package(Protocol):
    """What is told of a package; `sha256` is in hexadecimal."""

    @property
    def path(self) -> Path: ...
    @property
    def version(self) -> str: ...
    @property
    def architecture(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...


def agent_package_routes(
    find: Callable[[], Sequence[Package]], *, within_s: float = DOWNLOAD_WITHIN_S
) -> Sequence[BaseRoute]:
    """The routes; `find` returns the packages that there are now, and a download takes at most `within_s`."""
    door = asyncio.Semaphore(DOWNLOADS_AT_ONCE)

    async def listing(_request: Request) -> Response:
        found = await asyncio.to_thread(find)
        return JSONResponse({"packages": [_record(each) for each in found]}, headers={"cache-control": "no-store"})

    async def package(request: Request) -> Response:
        name = request.path_params["name"]
        wanted = next((each for each in await asyncio.to_thread(find) if each.path.name == name), None)
        if wanted is None:
            return JSONResponse({"error": f"no such package: GET {PATH} lists those that there are"}, 404)
        if door.locked():
            return JSONResponse({"error": "others are downloading: try again in a minute"}, 503, {"retry-after": "60"})
        return _Download(wanted, door, within_s=within_s)

    return [Route(PATH, listing, methods=["GET"]), Route(f"{PATH}/{{name}}", package, methods=["GET"])]


class _Download(FileResponse):
    """A file that takes one of the places at the door while it is sent."""

    def __init__(self, package: Package, door: asyncio.Semaphore, *, within_s: float) -> None:
        super().__init__(package.path, media_type="application/vnd.debian.binary-package", filename=package.path.name)
        self._door, self._within_s = door, within_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The server logs an answer that is not whole, and closes its connection.
        async with self._door:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._within_s):
                    await super().__call__(scope, receive, send)


def _record(package: Package) -> dict[str, str | int]:
    return {
        "file": package.path.name,
        "version": package.version,
        "architecture": package.architecture,
        "sha256": package.sha256,
        "bytes": package.size_bytes,
    }
