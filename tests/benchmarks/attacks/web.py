"""Attackers of the pages: `web hold ADDRESS COUNT SECONDS` holds half-open connections, `web click ADDRESS SECONDS`
clicks as the members whose session tokens come on the input, one each line, each every few seconds. Both end alone.
"""

import asyncio
import resource
import sys
import urllib.parse

PAUSE_S = 5.0


async def hold(place: tuple[str, int], count: int, seconds: float) -> None:
    """Keep this many connections with half a request; one that the hub ends is opened again."""

    async def one(number: int) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection(*place)
                if number % 2:
                    writer.write(b"GET / HTTP/1.1\r\nHost: 127")
                await reader.read()
                writer.close()
            except OSError:
                pass
            await asyncio.sleep(1)

    await _for_seconds([one(number) for number in range(count)], seconds)


async def click(place: tuple[str, int], tokens: list[str], seconds: float) -> None:
    """Each member opens its first page every few seconds, as fast as the hub answers."""

    async def one(number: int, token: str) -> None:
        await asyncio.sleep(PAUSE_S * number / len(tokens))
        while True:
            try:
                reader, writer = await asyncio.open_connection(*place)
                lines = (
                    "GET / HTTP/1.1",
                    "Host: 127.0.0.1",
                    f"Cookie: cw-session={token}",
                    "Connection: close",
                    "",
                    "",
                )
                writer.write("\r\n".join(lines).encode())
                await reader.read()
                writer.close()
            except OSError:
                pass
            await asyncio.sleep(PAUSE_S)

    await _for_seconds([one(number, token) for number, token in enumerate(tokens)], seconds)


async def _for_seconds(works: list[object], seconds: float) -> None:
    tasks = [asyncio.ensure_future(work) for work in works]  # type: ignore[call-overload]
    print("begins", flush=True)
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def main() -> None:
    what, address, *rest = sys.argv[1:]
    url = urllib.parse.urlsplit(address)
    place = (url.hostname or "127.0.0.1", url.port or 80)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096) if hard > 0 else 4096, hard))
    if what == "hold":
        asyncio.run(hold(place, int(rest[0]), float(rest[1])))
    else:
        asyncio.run(click(place, sys.stdin.read().split(), float(rest[0])))


if __name__ == "__main__":
    main()
