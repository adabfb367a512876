"""Traffic that shows what a firewall lets through, each a program that ends by itself or at SIGTERM.

`listen PORT...` takes connections at all addresses and sends back what it reads. `connect HOST PORT COUNT LEAST` tries
this many connections at once and prints how many were made, soon after LEAST were. `open HOST EXPECTED PORT...` prints
the ports that can be used; those EXPECTED (separated by commas, or "-") get the time they need. `packets HOST PORT
COUNT` sends bare TCP segments, as root.
"""

import asyncio
import json
import socket
import struct
import sys
import time

ACK = 0x10
EXPECTED_WITHIN_S = 30.0
OTHERS_WITHIN_S = 1.0


async def listen(ports: list[int]) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while got := await reader.read(1000):
            writer.write(got)
        writer.close()

    for port in ports:
        await asyncio.start_server(echo, ["0.0.0.0", "::"], port, backlog=1000)
    _say(listening=ports)
    await asyncio.Event().wait()


async def use(host: str, port: int) -> None:
    """Connect; done when something that was sent through the connection has come back."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"x")
    await reader.readexactly(1)


async def try_ports(host: str, expected: list[int], ports: list[int]) -> None:
    tasks = {port: asyncio.create_task(use(host, port)) for port in ports}
    if expected:
        await asyncio.wait([tasks[port] for port in expected], timeout=EXPECTED_WITHIN_S)
    # What is open answers at once between namespaces, and all the others have just shown how long that takes.
    await asyncio.sleep(OTHERS_WITHIN_S)
    _say(open=[port for port, task in tasks.items() if task.done() and task.exception() is None])


async def connect(host: str, port: int, *, count: int, least: int) -> None:
    """Try all at once, and a moment longer than until this many were used."""
    began_s = time.monotonic()
    tasks = [asyncio.create_task(use(host, port)) for _ in range(count)]
    while sum(task.done() for task in tasks) < least and time.monotonic() - began_s < EXPECTED_WITHIN_S:
        await asyncio.wait([task for task in tasks if not task.done()], return_when=asyncio.FIRST_COMPLETED, timeout=1)
    await asyncio.sleep(OTHERS_WITHIN_S)
    used = sum(task.done() and task.exception() is None for task in tasks)
    _say(connected=used, took_s=time.monotonic() - began_s)


def send_packets(host: str, port: int, *, count: int) -> None:
    """Segments of no connection, whose checksum is wrong: only a packet filter cares for them."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    segment = struct.pack("!HHIIBBHHH", 40_000, port, 1, 1, 5 << 4, ACK, 1000, 0, 0)
    began_s = time.monotonic()
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP) as sender:
        for _ in range(count):
            sender.sendto(segment, (host, 0))
    _say(took_s=time.monotonic() - began_s)


def _say(**words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def main() -> None:
    what, *rest = sys.argv[1:]
    if what == "listen":
        asyncio.run(listen([int(port) for port in rest]))
    elif what == "connect":
        asyncio.run(connect(rest[0], int(rest[1]), count=int(rest[2]), least=int(rest[3])))
    elif what == "open":
        expected = [] if rest[1] == "-" else [int(port) for port in rest[1].split(",")]
        asyncio.run(try_ports(rest[0], expected, [int(port) for port in rest[2:]]))
    else:
        send_packets(rest[0], int(rest[1]), count=int(rest[2]))


if __name__ == "__main__":
    main()
