"""The health port answers three addresses to whoever may ask, and nothing holds it up."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from hub.health.facts import HubHealth, PartHealth
from hub.processes.watching import health_server
from hub.processes.watching.health_server import HEAD_BYTES_MAX, MOST_CONNECTIONS, HealthServer, Keys
from tests.hub.health.whole_hub import whole_hub

OWN = "own-key-of-the-running-hub"
TOKEN = "token-of-the-monitoring-system"


@dataclass
class Served:
    """A server with what it tells, and how often it was asked."""

    port: int
    health: HubHealth
    asked: int = 0

    async def raw(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        answer = await reader.read()
        writer.close()
        return answer

    async def get(self, path: str, *headers: str, host: str = "127.0.0.1:1", method: str = "GET") -> tuple[int, str]:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers, "", ""]
        answer = (await self.raw("\r\n".join(lines).encode())).decode()
        head, _, body = answer.partition("\r\n\r\n")
        return int(head.split()[1]), body


async def serve(token: str) -> AsyncIterator[Served]:
    bound: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    served = Served(0, whole_hub())

    async def health() -> HubHealth:
        served.asked += 1
        await asyncio.sleep(0)
        return served.health

    server = HealthServer(health, keys=Keys(token=token, own=OWN))
    running = asyncio.create_task(server.run("127.0.0.1", 0, is_bound=bound.set_result))
    served.port = int((await bound).rpartition(":")[2])
    yield served
    running.cancel()
    await asyncio.wait({running})


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async for each in serve(""):
        yield each


@pytest.fixture
async def locked() -> AsyncIterator[Served]:
    async for each in serve(TOKEN):
        yield each


async def test_a_whole_hub_is_alive_ready_and_measured(served: Served) -> None:
    assert await served.get("/healthz") == (200, "alive\n")
    assert await served.get("/readyz") == (200, "ready\n")
    status, text = await served.get("/metrics?x=1")
    assert status == 200
    assert "commonwatt_ready 1.0" in text
    assert await served.get("/readyz", method="HEAD") == (200, "")


async def test_what_is_missing_is_one_line_each(served: Served) -> None:
    ended = PartHealth("pages", is_serving=False, problem="exit code 1", ended_at=0)
    served.health = whole_hub(parts={"pages": ended}, broker_connected=False)
    status, text = await served.get("/readyz")
    assert status == 503
    assert text.splitlines() == [
        "not ready: The process pages is not running: it ended at 1970-01-01T00:00:00Z (exit code 1).",
        "not ready: The hub is not connected to the broker: no reading arrives.",
    ]
    assert (await served.get("/healthz"))[0] == 200


async def test_a_worker_that_died_is_named_and_the_hub_stays_ready(served: Served) -> None:
    worker = PartHealth("forecast-worker", is_serving=False, problem="exit code 1", ended_at=0)
    served.health = whole_hub(parts={"forecast-worker": worker})
    assert await served.get("/readyz") == (
        200,
        "ready\nwarning: The process forecast-worker is not running: it ended at 1970-01-01T00:00:00Z (exit code 1).\n",
    )


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8401", 200), ("localhost", 200), ("[::1]:8401", 200), ("localhost.", 200),
        ("evil.example", 421), ("127.0.0.1.evil.example", 421), ("", 421), ("a b", 421),
    ],
)  # fmt: skip
async def test_a_name_that_is_not_this_computers_is_refused(served: Served, host: str, status: int) -> None:
    assert (await served.get("/metrics", host=host))[0] == status


async def test_other_addresses_and_methods_are_refused(served: Served) -> None:
    assert (await served.get("/"))[0] == 404
    assert (await served.get("/metrics/../health.json"))[0] == 404
    assert (await served.get("/metrics", method="POST"))[0] == 405


async def test_the_facts_are_for_the_hubs_own_user_alone(served: Served) -> None:
    for sent in ((), ("Authorization: Bearer ",), (f"Authorization: Bearer {OWN}x",), (f"Authorization: {OWN}",)):
        assert (await served.get("/health.json", *sent))[0] == 401
    status, text = await served.get("/health.json", f"Authorization: Bearer {OWN}")
    assert (status, json.loads(text)["version"]) == (200, "1.0")


async def test_with_a_token_only_who_sends_it_sees_more_than_that_the_hub_lives(locked: Served) -> None:
    assert (await locked.get("/healthz"))[0] == 200
    for path in ("/metrics", "/readyz"):
        assert (await locked.get(path))[0] == 401
        assert (await locked.get(path, "Authorization: Bearer wrong"))[0] == 401
        assert (await locked.get(path, f"Authorization: Bearer {TOKEN}"))[0] == 200
        assert (await locked.get(path, f"Authorization: Bearer {OWN}"))[0] == 200
    assert (await locked.get("/health.json", f"Authorization: Bearer {TOKEN}"))[0] == 401
    assert locked.asked == 4


async def test_what_is_no_request_or_too_large_is_dropped_and_the_next_is_answered(served: Served) -> None:
    for wrong in (
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 2 * HEAD_BYTES_MAX,
    ):
        assert await served.raw(wrong + b"\r\n\r\n") in (b"", b"\r\n")
    assert (await served.get("/healthz"))[0] == 200


async def test_who_only_holds_connections_is_ended_and_others_are_answered(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_server, "WITHIN_S", 0.2)
    held = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(MOST_CONNECTIONS)]
    assert [await reader.read() for reader, _ in held] == [b""] * MOST_CONNECTIONS
    assert (await served.get("/healthz"))[0] == 200
    for _, writer in held:
        writer.close()


async def test_an_error_of_the_program_is_an_answer_and_a_line_in_the_log(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_health: HubHealth) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(health_server, "exposition", broken)
    assert await served.get("/metrics") == (500, "the hub's health is not known: its log says why\n")
    assert "ZeroDivisionError" in caplog.text
    assert (await served.get("/readyz"))[0] == 200


async def test_many_who_ask_together_make_one_look(served: Served) -> None:
    answers = await asyncio.gather(*(served.get("/readyz") for _ in range(10)))
    assert {status for status, _ in answers} == {200}
    assert served.asked < 10
