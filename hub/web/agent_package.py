"""Hands the agent's Debian packages to homes: a list with the SHA-256 of each, and the files. It needs no sign-in."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

PATH: Final = "/api/agent-package"
DOWNLOADS_AT_ONCE: Final = 2
"""Fewer than the requests that are answered at a time: slow downloads leave room for enrolment."""


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


def agent_package_routes(find: Callable[[], Sequence[Package]]) -> Sequence[BaseRoute]:
    """The routes; `find` returns the packages that there are now."""
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
        return _Download(wanted, door)

    return [Route(PATH, listing, methods=["GET"]), Route(f"{PATH}/{{name}}", package, methods=["GET"])]


class _Download(FileResponse):
    """A file that takes one of the places at the door while it is sent."""

    def __init__(self, package: Package, door: asyncio.Semaphore) -> None:
        super().__init__(package.path, media_type="application/vnd.debian.binary-package", filename=package.path.name)
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._door:
            await super().__call__(scope, receive, send)


def _record(package: Package) -> dict[str, str | int]:
    return {
        "file": package.path.name,
        "version": package.version,
        "architecture": package.architecture,
        "sha256": package.sha256,
        "bytes": package.size_bytes,
    }
