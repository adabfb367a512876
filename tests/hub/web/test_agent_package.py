import asyncio
import hashlib
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from hub.trust.agent_packages import find_agent_packages
from hub.web.agent_package import DOWNLOADS_AT_ONCE, agent_package_routes

NAME = "commonwatt-agent_0.2.0_arm64.deb"


def client(folder: Path) -> httpx.AsyncClient:
    app = Starlette(routes=list(agent_package_routes(lambda: find_agent_packages(folder, shipped=folder / "none"))))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hub")


def scope_of(path: str) -> dict[str, object]:
    return {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": [], "http_version": "1.1", "scheme": "http", "root_path": ""}  # fmt: skip


async def test_a_home_gets_the_package_whose_sum_the_list_names(tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / NAME).write_bytes(b"a package" * 1000)
    async with client(tmp_path) as asking:
        (listed,) = (await asking.get("/api/agent-package")).json()["packages"]
        got = await asking.get(f"/api/agent-package/{listed['file']}")
    assert (listed["architecture"], listed["version"], listed["bytes"]) == ("arm64", "0.2.0", 9000)
    assert hashlib.sha256(got.content).hexdigest() == listed["sha256"]


async def test_no_other_file_of_the_hub_can_be_had(tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    (tmp_path / "hub.key").write_text("secret")
    async with client(tmp_path) as asking:
        assert (await asking.get("/api/agent-package")).json() == {"packages": []}
        for name in ("..%2Fhub.key", "%2e%2e/hub.key", "../hub.key", "hub.key", NAME):
            answer = await asking.get(f"/api/agent-package/{name}")
            assert answer.status_code == 404
            assert "secret" not in answer.text


async def test_more_downloads_than_there_are_places_are_asked_to_come_again(tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / NAME).write_bytes(b"x" * 300_000)
    app = Starlette(routes=list(agent_package_routes(lambda: find_agent_packages(tmp_path, shipped=tmp_path))))
    begun, go_on = asyncio.Semaphore(0), asyncio.Event()
    path = f"/api/agent-package/{NAME}"

    async def receive() -> dict[str, object]:
        await go_on.wait()
        return {"type": "http.disconnect"}

    async def send(_message: object) -> None:
        begun.release()
        await go_on.wait()

    slow = [asyncio.create_task(app(scope_of(path), receive, send)) for _ in range(DOWNLOADS_AT_ONCE)]
    async with asyncio.timeout(30):
        for _ in slow:
            await begun.acquire()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hub") as asking:
            assert (await asking.get(path)).status_code == 503
            go_on.set()
            await asyncio.gather(*slow)
            assert (await asking.get(path)).status_code == 200


async def test_who_reads_too_slowly_is_cut_off_and_the_next_one_gets_the_package(tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / NAME).write_bytes(b"x" * 300_000)
    routes = agent_package_routes(lambda: find_agent_packages(tmp_path, shipped=tmp_path), within_s=0.2)
    app, path, never = Starlette(routes=list(routes)), f"/api/agent-package/{NAME}", asyncio.Event()
    statuses: list[object] = []

    async def receive() -> dict[str, object]:
        await never.wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        statuses.append(message.get("status"))
        await never.wait()

    async with asyncio.timeout(30):
        for _ in range(2):
            await asyncio.gather(*(app(scope_of(path), receive, send) for _ in range(DOWNLOADS_AT_ONCE)))
    assert 503 not in statuses, "the places were free again"
